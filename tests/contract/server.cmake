# The same promises, kept by servers that the test starts.
pandora_test(server_contract_test
  SOURCES
    key_store_contract.cpp
    knowledge_stores_contract.cpp
    observation_store_contract.cpp
    outbox_contract.cpp
    receipt_store_contract.cpp
    row_logs_contract.cpp
    rows_contract.cpp
    server_implementations.cpp
    text_search_contract.cpp
    turn_store_changes_contract.cpp
    turn_store_contract.cpp
  USES store_server test_support
  LABELS contract server
  TIMEOUT 600
  WHOLE)
