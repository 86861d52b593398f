#include "store_server/postgres_receipt_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "ports/turn_store.h"
#include "store_server/postgres_rows.h"
#include "wire/receipt_codec.h"

namespace pandora {
namespace {

using postgres_rows::sees_all;

constexpr int kScanned = 256;  // receipts of one read, when all are looked through

std::string_view bytes_of(const Uuid& uid) {
  return {reinterpret_cast<const char*>(uid.bytes.data()), uid.bytes.size()};
}

Status put_one(PostgresConnection& connection, const RecallReceipt& receipt) {
  const std::string bytes = encode_receipt(receipt);
  PANDORA_TRY(rows,
              connection.query(
                  "INSERT INTO pandora.recall_receipts (receipt_id, user_id, turn_uid, receipt) VALUES ($1, $2, $3, $4)"
                  " ON CONFLICT (receipt_id) DO UPDATE SET turn_uid = excluded.turn_uid, receipt = excluded.receipt"
                  " WHERE recall_receipts.user_id = excluded.user_id",
                  receipt.id, receipt.user.str(), receipt.turn, PostgresBytes{bytes}));
  return postgres_rows::check_put(rows, receipt.id);
}

// true: it is another one now, or gone.
Result<bool> forget_in(PostgresConnection& connection, const Uuid& id, const ForgottenRows& rows) {
  PANDORA_TRY(row,
              connection.query("SELECT receipt FROM pandora.recall_receipts WHERE receipt_id = $1 FOR UPDATE", id));
  if (row.empty()) return false;
  auto receipt = decode_receipt(row.bytes(0, 0));
  if (!receipt || goes_with(*receipt, rows)) {
    PANDORA_CHECK(
        postgres_rows::done(connection.query("DELETE FROM pandora.recall_receipts WHERE receipt_id = $1", id)));
    return true;
  }
  if (forget(*receipt, rows.uids) == 0) return false;
  PANDORA_CHECK(put_one(connection, *receipt));
  return true;
}

}  // namespace

Status PostgresReceiptStore::put(std::span<const RecallReceipt> receipts, const Principal& who,
                                 const Deadline& deadline) {
  for (const auto& receipt : receipts) PANDORA_CHECK(check_receipt(receipt, who));
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        for (const auto& receipt : receipts) PANDORA_CHECK(put_one(connection, receipt));
        return postgres_rows::done(connection.query(
            "DELETE FROM pandora.recall_receipts WHERE receipt_id <= (SELECT receipt_id FROM pandora.recall_receipts"
            " ORDER BY receipt_id DESC OFFSET $1::bigint LIMIT 1)",
            most_));
      },
      deadline);
}

Result<RecallReceipt> PostgresReceiptStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  PANDORA_TRY(
      row,
      pool_.query("SELECT receipt FROM pandora.recall_receipts WHERE receipt_id = $1 AND ($2::bool OR user_id = $3)",
                  deadline, id, sees_all(who), who.user.str()));
  if (row.empty())
    return fail(ErrorCode::kNotFound, fmt::format("there is no receipt {}", id.to_string()),
                "`pandora recalls list` shows those that are kept");
  return decode_receipt(row.bytes(0, 0));
}

Result<std::vector<RecallReceipt>> PostgresReceiptStore::list(const ReceiptQuery& query, const Principal& who,
                                                              const Deadline& deadline) {
  std::string sql =
      "SELECT receipt FROM pandora.recall_receipts WHERE ";  // a text for each shape, so that each has its index
  sql += sees_all(who) ? "$1::text IS NOT NULL" : "user_id = $1";
  sql += query.turn ? " AND turn_uid = $2" : " AND $2::uuid IS NULL";
  sql += query.before ? " AND receipt_id < $3" : " AND $3::uuid IS NULL";
  sql += " ORDER BY receipt_id DESC LIMIT $4::bigint";
  PANDORA_TRY(rows,
              pool_.query(sql, deadline, who.user.str(), query.turn, query.before, std::min(query.limit, kMaxPage)));
  std::vector<RecallReceipt> found;
  for (int i = 0; i < rows.size(); ++i) {
    auto receipt = decode_receipt(rows.bytes(i, 0));
    if (receipt)
      found.push_back(*std::move(receipt));
    else
      log_warn("receipts.damaged", {{"error", receipt.error().to_line()}});
  }
  return found;
}

// Looked for in the bytes, without decoding: ids stand in them as they are, and a question as its text.
Result<PostgresReceiptStore::Page> PostgresReceiptStore::suspects(const ForgottenRows& rows, Uuid& after,
                                                                  const Principal& who, const Deadline& deadline) {
  Page page;
  PANDORA_TRY(receipts, pool_.query("SELECT receipt_id, receipt FROM pandora.recall_receipts WHERE receipt_id > $1"
                                    " AND ($2::bool OR user_id = $3) ORDER BY receipt_id LIMIT $4::bigint",
                                    deadline, after, sees_all(who), who.user.str(), kScanned));
  page.more = receipts.size() == kScanned;
  for (int i = 0; i < receipts.size(); ++i) {
    PANDORA_TRY(id, receipts.uuid(i, 0));
    after = id;
    const std::string bytes = receipts.bytes(i, 1);
    const auto names = [&](const Uuid& uid) { return bytes.find(bytes_of(uid)) != std::string::npos; };
    if (std::ranges::any_of(rows.uids, names) || holds_forgotten(bytes, rows.texts)) page.ids.push_back(id);
  }
  return page;
}

Result<std::int64_t> PostgresReceiptStore::forget(const ForgottenRows& rows, const Principal& who,
                                                  const Deadline& deadline) {
  std::int64_t touched = 0;
  Uuid after;
  for (;;) {
    PANDORA_TRY(page, suspects(rows, after, who, deadline));
    if (!page.ids.empty()) {
      PANDORA_TRY(of_page, pool_.write(
                               [&](PostgresConnection& connection) -> Result<std::int64_t> {
                                 std::int64_t count = 0;
                                 for (const Uuid& id : page.ids) {
                                   PANDORA_TRY(changed, forget_in(connection, id, rows));
                                   count += changed ? 1 : 0;
                                 }
                                 return count;
                               },
                               deadline));
      touched += of_page;
    }
    if (!page.more) return touched;
  }
}

Result<std::vector<Uuid>> PostgresReceiptStore::naming(std::span<const Uuid> uids, const Principal& who,
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

Result<ReceiptStatus> PostgresReceiptStore::status(const Deadline& deadline) {
  PANDORA_TRY(row, pool_.query("SELECT count(*) FROM pandora.recall_receipts", deadline));
  return ReceiptStatus{row.integer(0, 0), 0, 0, ""};
}

}  // namespace pandora
