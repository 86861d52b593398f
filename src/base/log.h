// Structured logging, to stderr: one event, some fields, one line (text on a terminal, JSON with --log-format json).
//
// Secrets never reach it: the value of a field whose name says secret (password, secret, token, key, authorization,
// cookie, dsn), credentials in a URL, bearer tokens and API keys ("sk-…") are masked, whoever logs them. User text
// (messages, replies) is logged at debug only, never by default. Thread-safe. An event is a short constant; what varies
// is a field.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace pandora {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  std::string_view name;
  std::variant<std::string, std::int64_t, double, bool> value;
  LogField(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(v) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  LogField(std::string_view n, T v) : name(n) {
    if constexpr (std::is_same_v<T, bool>)
      value = v;
    else if constexpr (std::is_floating_point_v<T>)
      value = static_cast<double>(v);
    else
      value = static_cast<std::int64_t>(v);
  }
};
using LogFields = std::initializer_list<LogField>;

Result<LogLevel> parse_log_level(std::string_view text);
void set_log(LogLevel level, LogFormat format);  // once, at start; default: warnings, as text
void log(LogLevel level, std::string_view event, LogFields fields = {});
inline void log_debug(std::string_view event, LogFields fields = {}) { log(LogLevel::kDebug, event, fields); }
inline void log_info(std::string_view event, LogFields fields = {}) { log(LogLevel::kInfo, event, fields); }
inline void log_warn(std::string_view event, LogFields fields = {}) { log(LogLevel::kWarn, event, fields); }
inline void log_error(std::string_view event, LogFields fields = {}) { log(LogLevel::kError, event, fields); }
void log_error(std::string_view event, const Error& error);

// While it lives, every line that its thread logs names the request: {"request", id}, unless the line says one itself.
// Scopes nest; work that is handed to another thread takes the name along (`current_request`, as WorkPool does).
class LogScope {
 public:
  explicit LogScope(const std::string& request);  // outlives it
  explicit LogScope(std::string&&) = delete;
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  const std::string* const outer_;
};
const std::string& current_request();  // of this thread; empty: none

// Text with credentials in URLs ("://user:***@"), bearer tokens, keys ("sk-…") and key=value secrets masked. What `log`
// applies.
std::string mask_secrets(std::string_view text);
bool is_secret_name(std::string_view name);

}  // namespace pandora
