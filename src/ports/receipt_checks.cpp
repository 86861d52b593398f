#include <algorithm>

#include <fmt/format.h>

#include "ports/receipt_store.h"

namespace pandora {

bool holds_forgotten(std::string_view words, std::span<const std::string> texts) {
  return std::ranges::any_of(texts, [&](const std::string& text) {
    return !text.empty() && words.find(std::string_view(text).substr(0, kMaxForgottenPrefix)) != std::string_view::npos;
  });
}

bool goes_with(const RecallReceipt& receipt, const ForgottenRows& rows) {
  if (!receipt.turn) return holds_forgotten(receipt.question, rows.texts);
  return std::ranges::find(rows.uids, *receipt.turn) != rows.uids.end();
}

Status check_receipt(const RecallReceipt& receipt, const Principal& who) {
  if (receipt.id.is_nil()) return fail(ErrorCode::kInvalidArgument, "a receipt without an id");
  if (receipt.user.empty()) return fail(ErrorCode::kInvalidArgument, "a receipt without a user");
  if (who.may_see(receipt.user)) return {};
  return fail(ErrorCode::kPermissionDenied, fmt::format("this receipt belongs to {}", receipt.user.str()));
}

}  // namespace pandora
