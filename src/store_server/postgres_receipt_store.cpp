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
Result<bool> forget_one(PostgresConnection& connection, const Uuid& id, const ForgottenRows& rows) {
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

Status PostgresReceiptStore::scan(const Uuid& after, const Principal& who, const Look& look, const Deadline& deadline) {
  PANDORA_TRY(receipts, pool_.query("SELECT receipt_id, receipt FROM pandora.recall_receipts WHERE receipt_id > $1"
                                    " AND ($2::bool OR user_id = $3) ORDER BY receipt_id LIMIT $4::bigint",
                                    deadline, after, sees_all(who), who.user.str(), kScanned));
  for (int i = 0; i < receipts.size(); ++i) {
    PANDORA_TRY(id, receipts.uuid(i, 0));
    look(id, receipts.bytes(i, 1));
  }
  return {};
}

Result<std::int64_t> PostgresReceiptStore::forget_in(std::span<const Uuid> ids, const ForgottenRows& rows,
                                                     const Deadline& deadline) {
  return pool_.write(
      [&](PostgresConnection& connection) -> Result<std::int64_t> {
        std::int64_t count = 0;
        for (const Uuid& id : ids) {
          PANDORA_TRY(changed, forget_one(connection, id, rows));
          count += changed ? 1 : 0;
        }
        return count;
      },
      deadline);
}

Result<ReceiptStatus> PostgresReceiptStore::status(const Deadline& deadline) {
  PANDORA_TRY(row, pool_.query("SELECT count(*) FROM pandora.recall_receipts", deadline));
  return ReceiptStatus{row.integer(0, 0), 0, 0, ""};
}

}  // namespace pandora
