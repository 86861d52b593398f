# Keys of the API.
pandora_test(contract_keys_test
  SOURCES key_store_contract.cpp key_implementations.cpp
  USES store_memory store_embedded test_support
  LABELS contract
  TIMEOUT 300)
