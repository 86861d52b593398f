#include "store_embedded/sqlite_receipt_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "ports/turn_store.h"
#include "store_embedded/sqlite_rows.h"
#include "wire/receipt_codec.h"

namespace pandora {
namespace {

using sqlite_rows::sees_all;

Status put_one(Connection& connection, const RecallReceipt& receipt) {
  PANDORA_CHECK(
      connection.run("INSERT INTO recall_receipts (receipt_id, user_id, turn_uid, receipt) VALUES (?, ?, ?, ?)"
                     " ON CONFLICT (receipt_id) DO UPDATE SET turn_uid = excluded.turn_uid, receipt = excluded.receipt"
                     " WHERE user_id = excluded.user_id",
                     receipt.id, receipt.user.str(), receipt.turn, Statement::as_blob(encode_receipt(receipt))));
  if (connection.changes() == 1) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("{} belongs to another user", receipt.id.to_string()));
}

Status drop_oldest(Connection& connection, std::size_t most) {
  return connection.run(
      "DELETE FROM recall_receipts WHERE receipt_id IN"
      " (SELECT receipt_id FROM recall_receipts ORDER BY receipt_id DESC LIMIT -1 OFFSET ?)",
      most);
}

// true: it is another one now, or gone.
Result<bool> forget_one(Connection& connection, const Uuid& id, const ForgottenRows& rows) {
  Result<RecallReceipt> receipt = fail(ErrorCode::kNotFound, "");
  {
    PANDORA_TRY(row, connection.query("SELECT receipt FROM recall_receipts WHERE receipt_id = ?", id));
    PANDORA_TRY(there, row.next());
    if (!there) return false;
    receipt = decode_receipt(row.blob(0));
  }
  if (!receipt || goes_with(*receipt, rows)) {
    PANDORA_CHECK(connection.run("DELETE FROM recall_receipts WHERE receipt_id = ?", id));
    return true;
  }
  if (forget(*receipt, rows.uids) == 0) return false;
  PANDORA_CHECK(put_one(connection, *receipt));
  return true;
}

}  // namespace

Status SqliteReceiptStore::put(std::span<const RecallReceipt> receipts, const Principal& who,
                               const Deadline& deadline) {
  for (const auto& receipt : receipts) PANDORA_CHECK(check_receipt(receipt, who));
  return database_.write(
      [&](Connection& connection) -> Status {
        for (const auto& receipt : receipts) PANDORA_CHECK(put_one(connection, receipt));
        return drop_oldest(connection, most_);
      },
      deadline);
}

Result<RecallReceipt> SqliteReceiptStore::find(const Uuid& id, const Principal& who, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<RecallReceipt> {
        PANDORA_TRY(row, connection.query("SELECT receipt, user_id FROM recall_receipts WHERE receipt_id = ?", id));
        PANDORA_TRY(there, row.next());
        if (!there || !(sees_all(who) || row.text(1) == who.user.str()))
          return fail(ErrorCode::kNotFound, fmt::format("there is no receipt {}", id.to_string()),
                      "`pandora recalls list` shows those that are kept");
        return decode_receipt(row.blob(0));
      },
      deadline);
}

Result<std::vector<RecallReceipt>> SqliteReceiptStore::list(const ReceiptQuery& query, const Principal& who,
                                                            const Deadline& deadline) {
  std::string sql =
      "SELECT receipt FROM recall_receipts WHERE ";  // a literal for each shape, so that each has its index
  sql += sees_all(who) ? "?1 IS NOT NULL" : "user_id = ?1";
  sql += query.turn ? " AND turn_uid = ?2" : " AND ?2 IS NULL";
  sql += query.before ? " AND receipt_id < ?3" : " AND ?3 IS NULL";
  sql += " ORDER BY receipt_id DESC LIMIT ?4";
  return database_.read(
      [&](Connection& connection) -> Result<std::vector<RecallReceipt>> {
        std::vector<RecallReceipt> found;
        PANDORA_TRY(rows,
                    connection.query(sql, who.user.str(), query.turn, query.before, std::min(query.limit, kMaxPage)));
        for (;;) {
          PANDORA_TRY(more, rows.next());
          if (!more) return found;
          auto receipt = decode_receipt(rows.blob(0));
          if (receipt)
            found.push_back(*std::move(receipt));
          else
            log_warn("receipts.damaged", {{"error", receipt.error().to_line()}});
        }
      },
      deadline);
}

Status SqliteReceiptStore::scan(const Uuid& after, const Principal& who, const Look& look, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Status {
        PANDORA_TRY(receipts, connection.query("SELECT receipt_id, receipt FROM recall_receipts WHERE receipt_id > ?"
                                               " AND (? = 1 OR user_id = ?) ORDER BY receipt_id LIMIT ?",
                                               after, sees_all(who), who.user.str(), kScanned));
        for (;;) {
          PANDORA_TRY(more, receipts.next());
          if (!more) return {};
          PANDORA_TRY(id, receipts.uuid(0));
          look(id, receipts.blob(1));
        }
      },
      deadline);
}

Result<std::int64_t> SqliteReceiptStore::forget_in(std::span<const Uuid> ids, const ForgottenRows& rows,
                                                   const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<std::int64_t> {
        std::int64_t count = 0;
        for (const Uuid& id : ids) {
          PANDORA_TRY(changed, forget_one(connection, id, rows));
          count += changed ? 1 : 0;
        }
        return count;
      },
      deadline);
}

Result<ReceiptStatus> SqliteReceiptStore::status(const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<ReceiptStatus> {
        PANDORA_TRY(row, connection.query("SELECT count(*) FROM recall_receipts"));
        PANDORA_CHECK(row.next());
        return ReceiptStatus{row.integer(0), 0, 0, ""};
      },
      deadline);
}

}  // namespace pandora
