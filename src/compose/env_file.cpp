#include "compose/env_file.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

bool is_name(std::string_view text) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !text.empty() && !std::isdigit(static_cast<unsigned char>(text[0])) && std::ranges::all_of(text, fits);
}

std::string double_quoted(std::string_view text) {
  std::string value;
  for (std::size_t i = 1; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      value += text[i];
      continue;
    }
    const char next = text[++i];
    if (next == 'n')
      value += '\n';
    else if (next == '"' || next == '\\' || next == '$')
      value += next;
    else
      (value += '\\') += next;
  }
  return value;
}

std::string plain(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i)
    if (text[i] == '#' && (text[i - 1] == ' ' || text[i - 1] == '\t')) return std::string(trim(text.substr(0, i)));
  return std::string(trim(text));
}

EnvLine parse_line(std::string_view text) {
  EnvLine line{.text = std::string(text)};
  std::string_view rest = trim(text);
  if (rest.starts_with("export ")) rest = trim(rest.substr(7));
  const auto equals = rest.find('=');
  if (equals == std::string_view::npos) return line;
  const std::string_view name = trim(rest.substr(0, equals)), value = trim(rest.substr(equals + 1));
  if (!is_name(name)) return line;
  line.name = name;
  if (value.starts_with('\'')) {
    line.value = value.substr(1, value.find('\'', 1) - 1);
    line.literal = true;
  } else {
    line.value = value.starts_with('"') ? double_quoted(value) : value.starts_with('#') ? "" : plain(value);
  }
  return line;
}

}  // namespace

std::vector<EnvLine> parse_env(std::string_view text) {
  std::vector<EnvLine> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(parse_line(line));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::optional<std::string> env_value(const std::vector<EnvLine>& lines, std::string_view name) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line)
    if (line->name == name) return line->value;
  return std::nullopt;
}

Result<std::string> env_line(std::string_view name, std::string_view value) {
  const auto harmless = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("/._-:@,+~").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (std::ranges::all_of(value, harmless)) return fmt::format("{}={}", name, value);
  if (value.find_first_of("'\n\r") != std::string_view::npos)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} cannot stand in a .env file: {}", name, one_line(value)),
                "use a name without quotes and line breaks");
  return fmt::format("{}='{}'", name, value);
}

}  // namespace pandora
