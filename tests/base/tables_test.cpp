// The pages docs/errors.md and docs/configuration.md say what the code's tables say, row by row.
#include <algorithm>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/config.h"
#include "base/result.h"

namespace pandora {
namespace {

// The table rows of a page.
std::set<std::string> rows(const std::string& page, const std::string& first_cell) {
  std::ifstream file(std::string(PANDORA_DOCS) + "/" + page);
  std::set<std::string> found;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(first_cell)) found.insert(line);
  return found;
}

TEST(ErrorTable, IsThePageRowByRow) {
  const auto page = rows("errors.md", "| `");
  EXPECT_EQ(page.size(), static_cast<std::size_t>(kErrorCodeCount));
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorInfo& row = error_info(static_cast<ErrorCode>(i));
    const std::string begin = fmt::format("| `{}` |", row.name);
    const std::string end = fmt::format("| {} | {} | `{}` | {} |", row.retryable ? "yes" : "no", row.http_status,
                                        row.openai_type, row.exit_code);
    EXPECT_TRUE(std::any_of(page.begin(), page.end(),
                            [&](const std::string& line) { return line.starts_with(begin) && line.ends_with(end); }))
        << begin << " … " << end;
  }
}

TEST(SettingsTable, IsThePageRowByRow) {
  std::set<std::string> code;
  for (const Setting& s : settings()) {
    const bool bounded = s.min != 0 || s.max != 0;
    code.insert(fmt::format(
        "| `{}` | {} | {} | {} | {} | {} |", s.key, s.environment.empty() ? "" : fmt::format("`{}`", s.environment),
        s.default_value.empty() ? "empty" : fmt::format("`{}`", s.default_value),
        bounded ? fmt::format("{:.0f} to {:.0f}", s.min, s.max) : "", s.secret ? "yes" : "no", s.help));
  }
  EXPECT_EQ(rows("configuration.md", "| `"), code);
}

}  // namespace
}  // namespace pandora
