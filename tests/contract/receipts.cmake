# Receipts of recalls.
pandora_test(contract_receipts_test
  SOURCES receipt_store_contract.cpp receipt_implementations.cpp
  USES recall store_memory store_embedded test_support
  LABELS contract
  TIMEOUT 300)
