// What is wrong with a stack's files although their schema is right: Compose files as they merge, `.env`, shell
// scripts, SQL, Prometheus' configuration, and clients of the stores in Python or JSON.
//
// Rules stand in one table, each a small function; docs/lint.md is its page, and a test compares the two. A rule sees
// only what it is given: nothing is asked of Docker or of a disk here. Findings come by file, line and rule.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compose/compose_model.h"

namespace pandora {

enum class Severity { kWarning, kError };
std::string_view to_string(Severity severity);

struct LintFinding {
  std::string rule;
  Severity severity = Severity::kWarning;
  Place place;
  std::string path;  // within the file: a JSON pointer, or the line that is meant
  std::string message, why, fix;
};

enum class FileKind { kCompose, kEnvironment, kShell, kSql, kPython, kJson, kPrometheus };
// By its name, and where that says nothing by its text; none: nothing that is known here.
std::optional<FileKind> file_kind(const SourceFile& file);

struct LintText {
  SourceFile file;
  FileKind kind;
};
struct FileFacts {
  unsigned mode = 0;  // permission bits
  unsigned user = 0;
};
struct LintInput {
  std::optional<ComposeModel> compose;
  std::string refusal;            // what Compose itself says of the files; empty: it takes them, or was not asked
  bool project_is_named = false;  // by COMPOSE_PROJECT_NAME
  std::vector<LintText> texts;    // all others
  // Of a file of this machine; none: it is not there.
  std::function<std::optional<FileFacts>(const std::string& path)> facts;
};

class Findings;
struct LintRule {
  std::string_view id;
  Severity severity;
  std::string_view why;  // what happens
  std::string_view fix;  // what to do instead
  void (*find)(const LintInput& input, Findings& findings);
};
std::vector<LintRule> lint_rules();

inline constexpr std::size_t kMaxLintFindings = 10'000;
std::vector<LintFinding> lint(const LintInput& input);

}  // namespace pandora
