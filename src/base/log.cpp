#include "base/log.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr std::string_view kMask = "***";

struct Logger {
  std::shared_ptr<spdlog::logger> sink = spdlog::stderr_logger_mt("pandora");
  LogLevel level = LogLevel::kWarn;
  LogFormat format = LogFormat::kText;
  Logger() {
    sink->set_pattern("%v");
    sink->set_level(spdlog::level::trace);
    sink->flush_on(spdlog::level::trace);
  }
};
Logger& logger() {
  static Logger instance;
  return instance;
}

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : sanitize_utf8(text)) {
    if (c == '"' || c == '\\')
      result += '\\', result += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      result += c;
  }
  return result + "\"";
}

std::string value_text(const LogField& field, LogFormat format) {
  if (const auto* text = std::get_if<std::string>(&field.value)) {
    const std::string shown = is_secret_name(field.name) ? std::string(kMask) : mask_secrets(*text);
    const bool plain = format == LogFormat::kText && !shown.empty() && std::ranges::all_of(shown, [](unsigned char c) {
                         return c > 0x20 && c != '"' && c != '=' && c != 0x7F;
                       });
    return plain ? shown : quoted(shown);
  }
  if (is_secret_name(field.name)) return quoted(kMask);
  if (const auto* flag = std::get_if<bool>(&field.value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&field.value)) return fmt::format("{}", *integer);
  const double number = std::get<double>(field.value);
  return std::isfinite(number) ? fmt::format("{}", number) : quoted(fmt::format("{}", number));  // JSON has no NaN
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::size_t find_ignoring_case(std::string_view text, std::string_view what, std::size_t from) {
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), what.begin(), what.end(),
                                 [](char a, char b) { return lower(a) == b; });
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

bool ends_secret(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '"' || c == '\'' || c == '&' || c == ',' ||
         c == ';' || c == '}';
}

// "scheme://user:secret@host" → "scheme://user:***@host"
std::string mask_urls(std::string text) {
  for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    std::size_t end = at + 3;
    while (end < text.size() && !ends_secret(text[end]) && text[end] != '/') ++end;
    const std::size_t host = text.rfind('@', end);
    const std::size_t colon = text.find(':', at + 3);
    if (host == std::string::npos || host < at + 3 || host >= end) continue;
    if (colon < host) text.replace(colon + 1, host - colon - 1, kMask);
  }
  return text;
}

// "Bearer xyz" → "Bearer ***"
std::string mask_bearer(std::string text) {
  constexpr std::string_view kBearer = "bearer ";
  for (std::size_t at = find_ignoring_case(text, kBearer, 0); at != std::string::npos;
       at = find_ignoring_case(text, kBearer, at + kBearer.size())) {
    std::size_t end = at + kBearer.size();
    while (end < text.size() && !ends_secret(text[end])) ++end;
    text.replace(at + kBearer.size(), end - at - kBearer.size(), kMask);
  }
  return text;
}

// "password=xyz", "api_key: xyz" → "password=***"
std::string mask_assignments(std::string text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '=' && text[at] != ':') continue;
    std::size_t begin = at;
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(text[begin - 1])) != 0 || text[begin - 1] == '_' ||
                         text[begin - 1] == '-'))
      --begin;
    if (begin == at || !is_secret_name(std::string_view(text).substr(begin, at - begin))) continue;
    std::size_t value = at + 1;
    while (value < text.size() && (text[value] == ' ' || text[value] == '"' || text[value] == '\'')) ++value;
    std::size_t end = value;
    // "Authorization: Basic xyz" has a scheme before the secret: all of the line goes.
    const bool header = find_ignoring_case(std::string_view(text).substr(begin, at - begin), "authorization", 0) !=
                        std::string_view::npos;
    const auto ends = [&](char c) { return header ? c == '\n' || c == '"' || c == '\'' : ends_secret(c); };
    while (end < text.size() && !ends(text[end])) ++end;
    if (end > value) text.replace(value, end - value, kMask);
  }
  return text;
}

// "sk-pandora-xyz" → "sk-***": keys of ours and of model servers, which stand in messages without a name before them.
std::string mask_keys(std::string text) {
  constexpr std::string_view kBegin = "sk-";
  constexpr std::size_t kShortest = 16;  // words are shorter
  const auto belongs = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at + kBegin.size())) {
    if (at > 0 && belongs(text[at - 1])) continue;
    std::size_t end = at + kBegin.size();
    while (end < text.size() && belongs(text[end])) ++end;
    if (end - at - kBegin.size() >= kShortest) text.replace(at + kBegin.size(), end - at - kBegin.size(), kMask);
  }
  return text;
}

const std::string kNoRequest;
thread_local const std::string* the_request = &kNoRequest;

}  // namespace

LogScope::LogScope(const std::string& request) : outer_(the_request) { the_request = &request; }
LogScope::~LogScope() { the_request = outer_; }
const std::string& current_request() { return *the_request; }

bool is_secret_name(std::string_view name) {
  std::string low(name);
  std::ranges::transform(low, low.begin(), lower);
  constexpr std::array<std::string_view, 10> kWords = {"password", "passwd",  "secret",        "token",  "api_key",
                                                       "apikey",   "api-key", "authorization", "cookie", "dsn"};
  const bool counts =
      low.starts_with("tokens") || low.ends_with("tokens") || low.find("token_budget") != std::string::npos;
  return !counts &&
         std::ranges::any_of(kWords, [&](std::string_view word) { return low.find(word) != std::string::npos; });
}

std::string mask_secrets(std::string_view text) {
  return mask_keys(mask_assignments(mask_bearer(mask_urls(std::string(text)))));
}

Result<LogLevel> parse_log_level(std::string_view text) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i)
    if (kLevelNames[i] == text) return static_cast<LogLevel>(i);
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no log level", text),
              "use debug, info, warn or error");
}

void set_log(LogLevel level, LogFormat format) {
  logger().level = level;
  logger().format = format;
}

void log(LogLevel level, std::string_view event, LogFields fields) {
  Logger& out = logger();
  if (level < out.level) return;
  const std::string time = to_iso8601(SystemClock().now());
  const std::string_view name = kLevelNames[static_cast<std::size_t>(level)];
  const bool is_text = out.format == LogFormat::kText;
  std::string line = is_text ? fmt::format("{} {} {}", time, name, event)
                             : fmt::format(R"({{"time":"{}","level":"{}","event":{})", time, name, quoted(event));
  const auto add = [&](const LogField& field) {
    line += is_text ? fmt::format(" {}={}", field.name, value_text(field, out.format))
                    : fmt::format(",{}:{}", quoted(field.name), value_text(field, out.format));
  };
  for (const auto& field : fields) add(field);
  constexpr std::string_view kRequest = "request";
  const bool is_named = std::ranges::any_of(fields, [&](const LogField& field) { return field.name == kRequest; });
  if (!is_named && !current_request().empty()) add({kRequest, current_request()});
  if (!is_text) line += "}";
  out.sink->info(line);
}

void log_error(std::string_view event, const Error& error) {
  log(LogLevel::kError, event, {{"code", error_info(error.code).name}, {"error", error.to_line()}});
}

}  // namespace pandora
