#include "ports/scanned_receipts.h"

#include <algorithm>

namespace pandora {
namespace {

std::string_view bytes_of(const Uuid& uid) {
  return {reinterpret_cast<const char*>(uid.bytes.data()), uid.bytes.size()};
}

}  // namespace

Result<ScannedReceipts::Page> ScannedReceipts::suspects(const ForgottenRows& rows, Uuid& after, const Principal& who,
                                                        const Deadline& deadline) {
  Page page;
  std::size_t seen = 0;
  const auto look = [&](const Uuid& id, std::string_view bytes) {
    ++seen;
    after = id;
    const auto named = [&](const Uuid& uid) { return bytes.find(bytes_of(uid)) != std::string_view::npos; };
    if (std::ranges::any_of(rows.uids, named) || holds_forgotten(bytes, rows.texts)) page.ids.push_back(id);
  };
  PANDORA_CHECK(scan(Uuid(after), who, look, deadline));
  page.more = seen == kScanned;
  return page;
}

Result<std::int64_t> ScannedReceipts::forget(const ForgottenRows& rows, const Principal& who,
                                             const Deadline& deadline) {
  std::int64_t touched = 0;
  Uuid after;
  for (;;) {
    PANDORA_TRY(page, suspects(rows, after, who, deadline));
    if (!page.ids.empty()) {
      PANDORA_TRY(of_page, forget_in(page.ids, rows, deadline));
      touched += of_page;
    }
    if (!page.more) return touched;
  }
}

Result<std::vector<Uuid>> ScannedReceipts::naming(std::span<const Uuid> uids, const Principal& who,
                                                  const Deadline& deadline) {
  const ForgottenRows rows{{uids.begin(), uids.end()}, {}};
  std::vector<Uuid> found;
  Uuid after;
  for (;;) {
    PANDORA_TRY(page, suspects(rows, after, who, deadline));
    found.insert(found.end(), page.ids.begin(), page.ids.end());
    if (!page.more) return found;
  }
}

}  // namespace pandora
