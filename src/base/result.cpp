#include "base/result.h"

#include <array>

#include "base/text.h"

namespace pandora {
namespace {

using enum ErrorCode;
constexpr std::array<ErrorInfo, kErrorCodeCount> kTable = {{
    // code, name, retryable, HTTP status, OpenAI type, exit code
    {kInvalidArgument, "invalid_argument", false, 400, "invalid_request_error", 2},
    {kUnauthenticated, "unauthenticated", false, 401, "authentication_error", 13},
    {kPermissionDenied, "permission_denied", false, 403, "permission_error", 5},
    {kNotFound, "not_found", false, 404, "not_found_error", 3},
    {kConflict, "conflict", false, 409, "conflict_error", 4},
    {kTooLarge, "too_large", false, 413, "invalid_request_error", 6},
    {kResourceExhausted, "resource_exhausted", true, 429, "rate_limit_error", 7},
    {kUnavailable, "unavailable", true, 503, "server_error", 8},
    {kDeadlineExceeded, "deadline_exceeded", true, 504, "timeout_error", 9},
    {kCancelled, "cancelled", true, 499, "cancelled_error", 130},
    {kStorageFull, "storage_full", true, 507, "server_error", 10},
    {kDataCorrupt, "data_corrupt", false, 500, "server_error", 11},
    {kIncompatible, "incompatible", false, 500, "server_error", 12},
    {kInternal, "internal", false, 500, "server_error", 1},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i)
    if (static_cast<std::size_t>(kTable[i].code) != i) return false;
  return true;
}
static_assert(in_order(), "the table is indexed by the code");

}  // namespace

const ErrorInfo& error_info(ErrorCode code) { return kTable[static_cast<std::size_t>(code)]; }

ErrorCode error_code_named(std::string_view name) {
  for (const ErrorInfo& info : kTable)
    if (info.name == name) return info.code;
  return kInternal;
}

Error Error::with_context(std::string_view context) && {
  message = std::string(context) + ": " + message;
  return std::move(*this);
}

Error Error::with_remedy(std::string_view text) && {
  remedy = text;
  return std::move(*this);
}

std::string Error::to_line() const { return one_line(remedy.empty() ? message : message + "; " + remedy); }

}  // namespace pandora
