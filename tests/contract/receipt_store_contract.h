// The suite for ReceiptStore. A new implementation gives its own receipt_implementations().
#pragma once
#include <vector>

#include "contract/expect.h"
#include "ports/receipt_store.h"

namespace pandora {

inline constexpr std::size_t kMost = 300;  // receipts that each store keeps: more than it looks through at a time

class ReceiptSetup {
 public:
  virtual ~ReceiptSetup() = default;
  virtual ReceiptStore& store() = 0;
  virtual void reopen(std::size_t most) = 0;  // as after a restart
};

using ReceiptImplementation = Implementation<ReceiptSetup>;
const std::vector<ReceiptImplementation>& receipt_implementations();

}  // namespace pandora
