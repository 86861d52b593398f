# The ports other than rows: vectors, documents, cache, objects, encoders, models, tools, probes, processes.
pandora_test(contract_services_test
  SOURCES
    cache_contract.cpp
    cache_implementations.cpp
    chat_model_contract.cpp
    document_crash_contract.cpp
    document_store_contract.cpp
    document_store_implementations.cpp
    double_implementations.cpp
    embedder_contract.cpp
    embedder_implementations.cpp
    health_probe_contract.cpp
    object_crash_contract.cpp
    object_store_contract.cpp
    object_store_implementations.cpp
    process_runner_contract.cpp
    tool_registry_implementations.cpp
    tool_runner_contract.cpp
    vector_collections_contract.cpp
    vector_model_contract.cpp
    vector_points_contract.cpp
    vector_query_contract.cpp
    vector_store_implementations.cpp
  USES store_memory store_embedded store_server vectors embed metrics tools orchestrator test_support
  LABELS contract
  TIMEOUT 300)
