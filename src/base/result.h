// Results and the closed table of errors.
//
// Every call that can fail returns Result<T>. There is one closed set of codes; each answers four questions, in one
// table (`error_info`): may the same call be retried, which HTTP status and OpenAI error type a client sees, and with
// which exit code the command line ends. Errors are returned, gain context on the way (`with_context`), and are logged
// once, at the edge. Exceptions of dependencies are translated in the one .cpp that owns the dependency.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace pandora {

enum class ErrorCode {
  kInvalidArgument,    // the request itself is wrong; the caller must change it
  kUnauthenticated,    // no or wrong credentials
  kPermissionDenied,   // known, but not allowed; also an unreadable or read-only file
  kNotFound,           // what was named does not exist (for this user)
  kConflict,           // somebody else changed or owns it: version mismatch, data directory in use
  kTooLarge,           // a named maximum was exceeded
  kResourceExhausted,  // a rate or a queue is full; later it may not be
  kUnavailable,        // a dependency does not answer
  kDeadlineExceeded,   // the deadline passed before the work was done
  kCancelled,          // the caller went away or asked to stop
  kStorageFull,        // no space or no inodes left
  kDataCorrupt,        // stored data fails its checksum or does not parse
  kIncompatible,       // written by another version or model: schema, format, encoder weights
  kInternal,           // a bug of ours
};
inline constexpr int kErrorCodeCount = 14;

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;  // stable, lower_snake; in JSON and logs
  bool retryable;         // may the very same call succeed later?
  int http_status;
  std::string_view openai_type;  // "type" of OpenAI's error object
  int exit_code;                 // of the command line; 0 is success
};
// The row of the table for a code. Total: every code has one.
const ErrorInfo& error_info(ErrorCode code);
// The code of that name; kInternal for a name that is none.
ErrorCode error_code_named(std::string_view name);

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one clear sentence without a final stop; never a secret
  std::string remedy;   // what the user can do about it, possibly empty

  // The same error, its message prefixed by what was being done: "opening journal: ".
  Error with_context(std::string_view context) &&;
  Error with_remedy(std::string_view text) &&;
  // "message; remedy" on one line, control characters replaced.
  std::string to_line() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// `return fail(ErrorCode::kNotFound, "no turn 12");`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string remedy = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(remedy)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace pandora

// PANDORA_TRY(name, expression): declares `name` with the value, or returns the error. A statement, not an expression.
#define PANDORA_CONCAT_(a, b) a##b
#define PANDORA_CONCAT(a, b) PANDORA_CONCAT_(a, b)
#define PANDORA_TRY(name, ...)                                                                                    \
  auto PANDORA_CONCAT(try_, __LINE__) = __VA_ARGS__;                                                              \
  if (!PANDORA_CONCAT(try_, __LINE__)) return ::pandora::fail(std::move(PANDORA_CONCAT(try_, __LINE__)).error()); \
  auto name = *std::move(PANDORA_CONCAT(try_, __LINE__))
// PANDORA_CHECK(expression): returns the error of a Status, or goes on.
#define PANDORA_CHECK(...)                                                          \
  do {                                                                              \
    auto PANDORA_CONCAT(status_, __LINE__) = __VA_ARGS__;                           \
    if (!PANDORA_CONCAT(status_, __LINE__))                                         \
      return ::pandora::fail(std::move(PANDORA_CONCAT(status_, __LINE__)).error()); \
  } while (0)
