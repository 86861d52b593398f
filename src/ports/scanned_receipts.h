// What the stores that keep receipts as bytes in a database do alike: whether a receipt speaks of a row is looked for
// in its bytes, a page at a time and without decoding (ids stand in them as they are, a question as its text); only
// what may is decoded and changed.
#pragma once
#include <functional>

#include "ports/receipt_store.h"

namespace pandora {

class ScannedReceipts : public ReceiptStore {
 public:
  Result<std::int64_t> forget(const ForgottenRows& rows, const Principal& who, const Deadline& deadline) final;
  Result<std::vector<Uuid>> naming(std::span<const Uuid> uids, const Principal& who, const Deadline& deadline) final;

 protected:
  static constexpr std::size_t kScanned = 256;  // receipts of one page
  using Look = std::function<void(const Uuid& id, std::string_view bytes)>;

 private:
  // The first kScanned of those that `who` sees with ids above `after`, ascending.
  virtual Status scan(const Uuid& after, const Principal& who, const Look& look, const Deadline& deadline) = 0;
  // In one transaction; how many were removed or changed. One that is gone is left alone.
  virtual Result<std::int64_t> forget_in(std::span<const Uuid> ids, const ForgottenRows& rows,
                                         const Deadline& deadline) = 0;

  // Ids above `after`, of receipts that may name one of the rows; moves `after` on. Empty and not `more`: the end.
  struct Page {
    std::vector<Uuid> ids;
    bool more = false;
  };
  Result<Page> suspects(const ForgottenRows& rows, Uuid& after, const Principal& who, const Deadline& deadline);
};

}  // namespace pandora
