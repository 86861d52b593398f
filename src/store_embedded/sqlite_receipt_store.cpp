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

constexpr std::size_t kScanned = 256;  // receipts of one read, when all are looked through

std::string_view bytes_of(const Uuid& uid) {
  return {reinterpret_cast<const char*>(uid.bytes.data()), uid.bytes.size()};
}

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
Result<bool> forget_in(Connection& connection, const Uuid& id, const ForgottenRows& rows) {
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

// Looked for in the bytes, without decoding: ids stand in them as they are, and a question as its text.
Result<SqliteReceiptStore::Page> SqliteReceiptStore::suspects(const ForgottenRows& rows, Uuid& after,
                                                              const Principal& who, const Deadline& deadline) {
  return database_.read(
      [&](Connection& connection) -> Result<Page> {
        Page page;
        PANDORA_TRY(receipts, connection.query("SELECT receipt_id, receipt FROM recall_receipts WHERE receipt_id > ?"
                                               " AND (? = 1 OR user_id = ?) ORDER BY receipt_id LIMIT ?",
                                               after, sees_all(who), who.user.str(), kScanned));
        for (std::size_t count = 0;; ++count) {
          PANDORA_TRY(more, receipts.next());
          page.more = count == kScanned;
          if (!more) return page;
          PANDORA_TRY(id, receipts.uuid(0));
          after = id;
          const std::string_view bytes = receipts.blob(1);
          const auto names = [&](const Uuid& uid) { return bytes.find(bytes_of(uid)) != std::string_view::npos; };
          if (std::ranges::any_of(rows.uids, names) || holds_forgotten(bytes, rows.texts)) page.ids.push_back(id);
        }
      },
      deadline);
}

Result<std::int64_t> SqliteReceiptStore::forget(const ForgottenRows& rows, const Principal& who,
                                                const Deadline& deadline) {
  std::int64_t touched = 0;
  Uuid after;
  for (;;) {
    PANDORA_TRY(page, suspects(rows, after, who, deadline));
    if (!page.ids.empty()) {
      PANDORA_TRY(of_page, database_.write_for(
                               [&](Connection& connection) -> Result<std::int64_t> {
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

Result<std::vector<Uuid>> SqliteReceiptStore::naming(std::span<const Uuid> uids, const Principal& who,
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
