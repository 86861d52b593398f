// Variables, durations and sizes of Compose files.
#include <cctype>
#include <cstdlib>

#include <fmt/format.h>

#include "base/text.h"
#include "compose/compose_model.h"

namespace pandora {
namespace {

constexpr int kMaxNestedDefaults = 8;

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The end of the braces that open at `open`; npos when they do not close.
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

Result<std::string> expand(std::string_view text, const Variables& variables, int depth);

// What stands between the braces: a name, an operator, and what it is about.
Result<std::string> expand_braces(std::string_view inner, const Variables& variables, int depth) {
  std::size_t end = 0;
  while (end < inner.size() && in_name(inner[end])) ++end;
  const std::string name(inner.substr(0, end));
  if (name.empty() || !starts_name(name[0]))
    return fail(ErrorCode::kInvalidArgument, fmt::format("${{{}}} names no variable", one_line(ellipsize(inner, 64))),
                "a dollar sign that is meant is written $$");
  std::string_view rest = inner.substr(end);
  const auto value = variables(name);
  const bool colon = rest.starts_with(':');
  if (colon) rest.remove_prefix(1);
  const bool there = value && (!colon || !value->empty());
  if (rest.empty() && !colon) return value.value_or("");
  const char what = rest.empty() ? '\0' : rest[0];
  const std::string_view about = rest.substr(rest.empty() ? 0 : 1);
  if (what == '-') return there ? Result<std::string>(*value) : expand(about, variables, depth + 1);
  if (what == '+') return there ? expand(about, variables, depth + 1) : Result<std::string>(std::string());
  if (what == '?' && there) return *value;
  if (what == '?')
    return fail(ErrorCode::kInvalidArgument, fmt::format("the variable {} must be set: {}", name, about),
                "set it in .env, or run `pandora init`");
  return fail(ErrorCode::kInvalidArgument, fmt::format("${{{}}} cannot be read", one_line(ellipsize(inner, 64))));
}

Result<std::string> expand(std::string_view text, const Variables& variables, int depth) {
  if (depth > kMaxNestedDefaults)
    return fail(ErrorCode::kTooLarge, fmt::format("more than {} defaults inside each other", kMaxNestedDefaults));
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '{' && !starts_name(next))) {
      out += text[i];
    } else if (next == '$') {
      out += "$$";
      ++i;
    } else if (next == '{') {
      const auto end = closing(text, i + 1);
      if (end == std::string_view::npos)
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("{} does not close", one_line(ellipsize(text.substr(i), 64))));
      PANDORA_TRY(value, expand_braces(text.substr(i + 2, end - i - 2), variables, depth));
      out += value;
      i = end;
    } else {
      std::size_t end = i + 1;
      while (end < text.size() && in_name(text[end])) ++end;
      out += variables(std::string(text.substr(i + 1, end - i - 1))).value_or("");
      i = end - 1;
    }
  }
  return out;
}

}  // namespace

Result<std::string> interpolate(std::string_view text, const Variables& variables) {
  return expand(text, variables, 0);
}

std::optional<double> duration_seconds(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  double seconds = 0;
  const char* at = text.c_str();
  if (*at == '\0') return std::nullopt;
  while (*at != '\0') {
    char* end = nullptr;
    const double amount = std::strtod(at, &end);
    if (end == at || !(std::isdigit(static_cast<unsigned char>(*at)) || *at == '.')) return std::nullopt;
    const std::string_view unit(end);
    const std::pair<std::string_view, double> kUnits[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9},
                                                          {"h", 3600},  {"m", 60},    {"s", 1}};
    std::size_t taken = 0;
    for (const auto& [name, scale] : kUnits)
      if (taken == 0 && unit.starts_with(name)) seconds += amount * scale, taken = name.size();
    if (taken == 0) return std::nullopt;
    at = end + taken;
  }
  return seconds;
}

std::optional<double> size_bytes(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  char* end = nullptr;
  const double amount = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return std::nullopt;
  std::string unit;
  for (; *end != '\0'; ++end) unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*end)));
  const double kilo = 1024;
  if (unit.empty() || unit == "b") return amount;
  if (unit == "k" || unit == "kb") return amount * kilo;
  if (unit == "m" || unit == "mb") return amount * kilo * kilo;
  if (unit == "g" || unit == "gb") return amount * kilo * kilo * kilo;
  return std::nullopt;
}

}  // namespace pandora
