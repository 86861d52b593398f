// Files of NAME=value lines, as Compose reads its `.env`.
//
// A value may stand in single quotes (taken as it is) or double quotes (\n, \", \\ and \$ are known); without quotes it
// ends at " #" or the end of the line. `export ` before a name is passed over. What is no such line is kept as a line
// that says nothing. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pandora {

struct EnvLine {
  std::string text;      // as it stands, without its end
  std::string name;      // empty: a comment, a blank line, or nothing that can be read
  std::string value;     // unquoted, not interpolated
  bool literal = false;  // in single quotes: no ${…} is meant
};
std::vector<EnvLine> parse_env(std::string_view text);
// The last value of that name.
std::optional<std::string> env_value(const std::vector<EnvLine>& lines, std::string_view name);
// "NAME=value", quoted when it must be. kInvalidArgument: a line break, or a quote that no reader takes.
Result<std::string> env_line(std::string_view name, std::string_view value);

}  // namespace pandora
