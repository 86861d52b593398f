#include "base/config.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdlib>
#include <set>
#include <stdexcept>

#include <fmt/format.h>
// Compiled here, header-only, so that its assertions can be errors: some malformed tables reach them ("[\n a").
#undef TOML_HEADER_ONLY
#define TOML_HEADER_ONLY 1
#undef TOML_SHARED_LIB
#define TOML_EXCEPTIONS 1
#define TOML_ASSERT(condition) ((condition) ? void() : throw std::logic_error("it is malformed"))
#define TOML_ASSERT_ASSUME(condition) TOML_ASSERT(condition)
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wterminate"  // in its noexcept functions an assertion still ends the program
#endif
#include <toml++/toml.h>
#pragma GCC diagnostic pop

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxConfigBytes = 1024 * 1024;
constexpr std::size_t kMaxSecretFileBytes = 64 * 1024;

// The name that stands where the pattern "family.*.rest" has its star; none: it is another key.
std::optional<std::string_view> name_in(std::string_view pattern, std::string_view key) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos || key.size() < pattern.size()) return std::nullopt;
  const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
  if (!key.starts_with(before) || !key.ends_with(after)) return std::nullopt;
  const std::string_view name = key.substr(star, key.size() - before.size() - after.size());
  const bool fits = name.size() <= kMaxTableName && std::ranges::all_of(name, [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                    });
  return fits ? std::optional(name) : std::nullopt;
}

const Setting* find_setting(std::string_view key) {
  const auto table = settings();
  const auto found = std::ranges::find_if(
      table, [&](const Setting& setting) { return setting.key == key || name_in(setting.key, key); });
  return found == table.end() ? nullptr : &*found;
}

std::string named_key(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  return fmt::format("{}{}{}", pattern.substr(0, star), name, pattern.substr(star + 1));
}

tl::unexpected<Error> unknown_key(std::string_view key, std::string_view place) {
  const auto table = settings();
  const auto nearest = std::ranges::min_element(table, {}, [&](const Setting& s) { return edit_distance(key, s.key); });
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: no setting \"{}\"", place, one_line(ellipsize(key, 100))),
              fmt::format("did you mean \"{}\"? `pandora config` lists all", nearest->key));
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  return std::nullopt;
}

Status check_value(const Setting& setting, std::string_view key, const std::string& value, std::string_view place) {
  const auto wrong = [&](std::string_view expected) {
    const std::string shown = setting.secret ? "***" : one_line(ellipsize(value, 100));
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {} is \"{}\"", place, key, shown),
                fmt::format("it must be {}", expected));
  };
  std::optional<double> number;
  switch (setting.kind) {
    case SettingKind::kInteger:
      if (const auto integer = parse_number<std::int64_t>(value)) number = static_cast<double>(*integer);
      break;
    case SettingKind::kNumber:
      number = parse_number<double>(value);
      break;
    case SettingKind::kBool:
      return parse_bool(value) ? Status() : Status(wrong("true or false"));
    case SettingKind::kUrl:
      return value.empty() || value.find("://") != std::string::npos
                 ? Status()
                 : Status(wrong("a URL such as http://127.0.0.1:8000"));
    case SettingKind::kString:
    case SettingKind::kPath:
      return value.find('\0') == std::string::npos ? Status() : Status(wrong("without a NUL byte"));
  }
  const bool bounded = setting.min != 0 || setting.max != 0;
  if (!number) return wrong(setting.kind == SettingKind::kInteger ? "a whole number" : "a number");
  if (bounded && !(*number >= setting.min && *number <= setting.max))  // NaN is out of bounds too
    return wrong(fmt::format("between {} and {}", setting.min, setting.max));
  return {};
}

// toml++ 3.3 has undefined behaviour at some letters up to U+FEFF where it looks for white space. So it sees none of
// them: a letter of the basic plane goes to the private plane 15 before, and comes back from there in what was parsed.
std::string to_private_plane(std::string_view text) {
  std::string moved;
  moved.reserve(text.size());
  const auto low = [&](std::size_t i) { return static_cast<unsigned>(text[i]) & 0x3F; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned lead = static_cast<unsigned char>(text[i]);
    unsigned letter = 0;
    if (lead >= 0xC0 && lead < 0xE0) {
      letter = (lead & 0x1F) << 6 | low(i + 1);
      i += 1;
    } else if (lead >= 0xE0 && lead < 0xF0) {
      letter = (lead & 0x0F) << 12 | low(i + 1) << 6 | low(i + 2);
      i += 2;
    } else {
      moved += text[i];  // ASCII, or a byte of a letter above the basic plane
      continue;
    }
    for (const unsigned byte : {0xF3u, 0xB0 | letter >> 12, 0x80 | (letter >> 6 & 0x3F), 0x80 | (letter & 0x3F)})
      moved += static_cast<char>(byte);
  }
  return moved;
}

std::string from_private_plane(std::string_view moved) {
  std::string text;
  text.reserve(moved.size());
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(moved[i]); };
  for (std::size_t i = 0; i < moved.size(); ++i) {
    if (byte(i) != 0xF3 || byte(i + 1) < 0xB0) {
      text += moved[i];
      continue;
    }
    const unsigned letter = (byte(i + 1) & 0x0Fu) << 12 | (byte(i + 2) & 0x3Fu) << 6 | (byte(i + 3) & 0x3Fu);
    i += 3;
    if (letter >= 0x800) text += static_cast<char>(0xE0 | letter >> 12);
    text += static_cast<char>(letter >= 0x800 ? 0x80 | (letter >> 6 & 0x3F) : 0xC0 | letter >> 6);
    text += static_cast<char>(0x80 | (letter & 0x3F));
  }
  return text;
}

bool has_private_plane(std::string_view text) {  // as letters or as escapes
  if (text.find("\\U000F") != text.npos || text.find("\\U000f") != text.npos) return true;
  const auto is_letter = [&](std::size_t i) { return static_cast<unsigned char>(text[i + 1]) >= 0xB0; };
  for (std::size_t i = 0; (i = text.find('\xF3', i)) != text.npos; ++i)
    if (is_letter(i)) return true;
  return false;
}

Result<toml::table> parse_toml(std::string_view text, const std::string& file) {
  if (!is_valid_utf8(text)) return fail(ErrorCode::kInvalidArgument, fmt::format("{}: it is not UTF-8", file));
  if (has_private_plane(text))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: it has a private-use letter, U+F0000 to U+FFFFF", file),
                "take the letter out");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  try {
    return toml::parse(to_private_plane(text), std::string_view(file));
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}: {}", file, error.source().begin.line, from_private_plane(error.description())));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", file, error.what()));
  }
}

struct FileValue {
  std::string value;
  std::string origin;
};

Result<std::string> toml_text(const toml::node& node, std::string_view key, std::string_view place) {
  if (const auto* text = node.as_string()) return from_private_plane(text->get());
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {} must be a string, a number or true/false", place, key));
}

std::string place_of(const toml::node& node, const std::string& file) {
  return fmt::format("{}:{}", file, node.source().begin.line);
}

// "[roles.voice]" is a table in a table; the key is the path.
Status read_table(const toml::table& table, const std::string& path, const std::string& file,
                  std::map<std::string, FileValue>& values) {
  constexpr int kMaxDots = 2;
  for (const auto& [name, value] : table) {
    const std::string key = from_private_plane(fmt::format("{}.{}", path, name.str()));
    if (value.is_table() && !find_setting(key) && std::ranges::count(key, '.') < kMaxDots) {
      PANDORA_CHECK(read_table(*value.as_table(), key, file, values));
      continue;
    }
    if (!find_setting(key)) return unknown_key(key, place_of(value, file));
    PANDORA_TRY(as_text, toml_text(value, key, place_of(value, file)));
    values[key] = {as_text, place_of(value, file)};
  }
  return {};
}

Result<std::map<std::string, FileValue>> read_toml(const ConfigInputs& inputs, FileSystem& files) {
  std::map<std::string, FileValue> values;
  if (inputs.file.empty()) return values;
  auto text = files.read_file(inputs.file, kMaxConfigBytes);
  if (!text && text.error().code == ErrorCode::kNotFound && !inputs.file_required) return values;
  if (!text) return fail(std::move(text).error());
  PANDORA_TRY(parsed, parse_toml(*text, inputs.file));
  for (const auto& [section, node] : parsed) {
    const std::string name = from_private_plane(section.str());
    if (!node.is_table()) return unknown_key(name, place_of(node, inputs.file));
    PANDORA_CHECK(read_table(*node.as_table(), name, inputs.file, values));
  }
  return values;
}

using Variables = std::function<std::optional<std::string>(const std::string&)>;

// NAME, or the content of the file that NAME_FILE names; none: neither is set.
Result<std::optional<EffectiveValue>> from_variables(const Setting& setting, const std::string& key,
                                                     const Variables& variables, SettingSource source,
                                                     SettingSource file_source, FileSystem& files) {
  const std::string name(setting.environment), name_file = name + "_FILE";
  if (!variables || name.empty()) return std::nullopt;
  const auto direct = variables(name);
  auto by_file = variables(name_file);
  if (by_file && by_file->empty()) by_file.reset();  // whoever inherits one takes it away so
  if (direct && by_file)
    return fail(ErrorCode::kInvalidArgument, fmt::format("both {} and {} are set", name, name_file),
                "unset one of them");
  if (direct) return EffectiveValue{&setting, key, *direct, source, name};
  if (!by_file) return std::nullopt;
  auto content = files.read_file(*by_file, kMaxSecretFileBytes);
  if (!content) return fail(std::move(content.error()).with_context(name_file));
  while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
  return EffectiveValue{&setting, key, *content, file_source, fmt::format("{}={}", name_file, *by_file)};
}

Result<EffectiveValue> resolve(const Setting& setting, const ConfigInputs& inputs,
                               const std::map<std::string, FileValue>& from_file, FileSystem& files, std::string key) {
  using enum SettingSource;
  if (const auto flag = inputs.flags.find(key); flag != inputs.flags.end())
    return EffectiveValue{&setting, key, flag->second, kFlag, "flag"};
  PANDORA_TRY(own, from_variables(setting, key, inputs.environment, kEnvironment, kEnvironmentFile, files));
  if (own) return *std::move(own);
  PANDORA_TRY(instance, from_variables(setting, key, inputs.instance, kInstance, kInstanceFile, files));
  if (instance) return *std::move(instance);
  if (const auto found = from_file.find(key); found != from_file.end())
    return EffectiveValue{&setting, key, found->second.value, kFile, found->second.origin};
  return EffectiveValue{&setting, key, std::string(setting.default_value), kDefault, ""};
}

// Those that the file or a flag has a setting of.
Result<std::set<std::string>> names_of_tables(std::string_view family, const ConfigInputs& inputs,
                                              const std::map<std::string, FileValue>& from_file) {
  std::set<std::string> names;
  const auto look = [&](const std::string& key) {
    for (const Setting& setting : settings())
      if (const auto name = name_in(setting.key, key); name && setting.key.starts_with(family)) names.emplace(*name);
  };
  for (const auto& [key, value] : inputs.flags) look(key);
  for (const auto& [key, value] : from_file) look(key);
  if (names.size() <= kMaxTables) return names;
  return fail(ErrorCode::kTooLarge, fmt::format("{} tables of {}, at most {}", names.size(), family, kMaxTables));
}

}  // namespace

std::string_view to_string(SettingSource source) {
  switch (source) {
    case SettingSource::kFlag:
      return "flag";
    case SettingSource::kEnvironment:
      return "environment";
    case SettingSource::kEnvironmentFile:
      return "environment file";
    case SettingSource::kInstance:
      return "instance";
    case SettingSource::kInstanceFile:
      return "instance file";
    case SettingSource::kFile:
      return "file";
    case SettingSource::kDefault:
      return "default";
  }
  return "";
}

Result<Config> Config::load(const ConfigInputs& inputs, FileSystem& files) {
  for (const auto& [key, value] : inputs.flags)
    if (!find_setting(key)) return unknown_key(key, "flag");
  PANDORA_TRY(from_file, read_toml(inputs, files));
  Config config;
  const auto add = [&](const Setting& setting, const std::string& key) -> Status {
    PANDORA_TRY(value, resolve(setting, inputs, from_file, files, key));
    PANDORA_CHECK(check_value(setting, key, value.value, value.origin.empty() ? "default" : value.origin));
    config.values_.push_back(std::move(value));
    return {};
  };
  for (const Setting& setting : settings()) {
    if (setting.key.find('*') == std::string_view::npos) {
      PANDORA_CHECK(add(setting, std::string(setting.key)));
      continue;
    }
    PANDORA_TRY(names, names_of_tables(setting.key.substr(0, setting.key.find('.')), inputs, from_file));
    for (const auto& name : names) PANDORA_CHECK(add(setting, named_key(setting.key, name)));
  }
  return config;
}

std::vector<std::string> Config::tables(std::string_view family) const {
  std::set<std::string> names;
  for (const auto& value : values_)
    if (const auto name = name_in(value.setting->key, value.key);
        name && value.key.starts_with(family) && value.key[family.size()] == '.')
      names.emplace(*name);
  return {names.begin(), names.end()};
}

const EffectiveValue& Config::at(std::string_view key) const {
  const auto found = std::ranges::find_if(values_, [&](const EffectiveValue& value) { return value.key == key; });
  if (found == values_.end()) std::abort();  // the table lacks a key that the program asks for
  return *found;
}

const std::string& Config::string(std::string_view key) const { return at(key).value; }
std::int64_t Config::integer(std::string_view key) const { return parse_number<std::int64_t>(at(key).value).value(); }
double Config::number(std::string_view key) const { return parse_number<double>(at(key).value).value(); }
bool Config::boolean(std::string_view key) const { return parse_bool(at(key).value).value(); }

}  // namespace pandora
