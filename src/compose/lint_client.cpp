// Rules about what speaks to the stores: SQL schemas, clients in Python, bodies of requests in JSON.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "compose/lint_rules.h"

namespace pandora {
namespace {

void each_statement(const LintInput& input,
                    const std::function<void(const TextLine& line, const std::string& small)>& visit) {
  each_line(input, FileKind::kSql, [&](const TextLine& line) { visit(line, lower(collapse_space(line.text))); });
}

bool creates_table(const std::string& small) { return small.starts_with("create table "); }

// The name after "create table" and "if not exists".
std::string table_name(const std::string& small) {
  std::string rest = small.substr(std::string_view("create table ").size());
  if (rest.starts_with("if not exists ")) rest = rest.substr(std::string_view("if not exists ").size());
  return rest.substr(0, rest.find_first_of(" ("));
}

// What stands between the outermost commas of its brackets.
std::vector<std::string> columns(const std::string& small) {
  std::vector<std::string> found;
  int depth = 0;
  for (const char c : small) {
    const bool inside = depth > 0;
    if (c == ')' && --depth == 0) break;
    if (inside && depth == 1 && c == ',')
      found.emplace_back();
    else if (inside)
      found.back() += c;
    if (c == '(' && ++depth == 1 && found.empty()) found.emplace_back();
  }
  for (auto& column : found) column = std::string(trim(column));
  return found;
}

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

void find_unqualified_tables(const LintInput& input, Findings& findings) {
  for (const auto& text : input.texts)
    if (text.kind == FileKind::kSql && mentions(lower(text.file.text), "search_path")) return;
  each_statement(input, [&](const TextLine& line, const std::string& small) {
    if (creates_table(small) && !mentions(table_name(small), "."))
      findings.add(line.place, table_name(small),
                   fmt::format("{} is made in whatever schema comes first", table_name(small)));
  });
}

void find_statements_once(const LintInput& input, Findings& findings) {
  each_statement(input, [&](const TextLine& line, const std::string& small) {
    const bool creates =
        creates_table(small) || small.starts_with("create index ") || small.starts_with("create unique index ");
    if (creates && !mentions(small, "if not exists"))
      findings.add(line.place, std::string(ellipsize(small, 60)), "it fails when it is run again");
  });
}

void find_numbers_needed_early(const LintInput& input, Findings& findings) {
  each_statement(input, [&](const TextLine& line, const std::string& small) {
    if (creates_table(small) && mentions(small, "turn_number serial") && mentions(small, "turn_dir text not null"))
      findings.add(line.place, "turn_dir",
                   "turn_dir must be there, but its name needs the number that the insert gives");
  });
}

void each_column(
    const LintInput& input,
    const std::function<void(const TextLine& line, const std::string& table, const std::string& column)>& visit) {
  each_statement(input, [&](const TextLine& line, const std::string& small) {
    if (creates_table(small))
      for (const auto& column : columns(small)) visit(line, table_name(small), column);
  });
}

void find_references_without_rule(const LintInput& input, Findings& findings) {
  each_column(input, [&](const TextLine& line, const std::string& table, const std::string& column) {
    if (mentions(column, "references ") && !mentions(column, "on delete"))
      findings.add(line.place, table + "." + first_word(column),
                   fmt::format("{}.{} has no rule for deletion", table, first_word(column)));
  });
}

void find_fulltext_expressions(const LintInput& input, Findings& findings) {
  each_statement(input, [&](const TextLine& line, const std::string& small) {
    if (small.starts_with("create index ") && mentions(small, "to_tsvector("))
      findings.add(line.place, std::string(ellipsize(small, 60)),
                   "the index is on an expression that every query must repeat");
  });
}

void find_nullable_times(const LintInput& input, Findings& findings) {
  each_column(input, [&](const TextLine& line, const std::string& table, const std::string& column) {
    const bool time = mentions(column, "timestamp") && mentions(column, "default");
    if (time && !mentions(column, "not null"))
      findings.add(line.place, table + "." + first_word(column),
                   fmt::format("{}.{} may be null although it has a default", table, first_word(column)));
  });
}

void find_unchecked_ranges(const LintInput& input, Findings& findings) {
  each_column(input, [&](const TextLine& line, const std::string& table, const std::string& column) {
    if ((has_word(column, "float") || has_word(column, "double") || has_word(column, "real")) &&
        !mentions(column, "check"))
      findings.add(line.place, table + "." + first_word(column),
                   fmt::format("{}.{} takes any number", table, first_word(column)));
  });
}

void find_missing_indexes(const LintInput& input, Findings& findings) {
  std::string indexes;
  each_statement(input, [&](const TextLine&, const std::string& small) {
    if (small.starts_with("create index ") || small.starts_with("create unique index ")) indexes += small + "\n";
  });
  each_column(input, [&](const TextLine& line, const std::string& table, const std::string& column) {
    const std::string name = first_word(column);
    const bool searched =
        name == "expires_at" || name == "keywords" || (mentions(column, "references ") && name != "constraint");
    if (searched && !has_word(indexes, name) && !mentions(column, "primary key"))
      findings.add(line.place, table + "." + name, fmt::format("{}.{} is searched by, and has no index", table, name));
  });
}

void find_removed_calls(const LintInput& input, Findings& findings) {
  each_line(input, FileKind::kPython, [&](const TextLine& line) {
    for (const std::string_view call : {"client.search(", "client.recommend(", "client.search_batch("})
      if (mentions(line.text, call))
        findings.add(line.place, line.text, fmt::format("{}…) is not in today's client", call));
  });
}

void find_plain_filters(const LintInput& input, Findings& findings) {
  each_line(input, FileKind::kPython, [&](const TextLine& line) {
    const auto at = line.text.find("query_filter={");
    if (at != std::string::npos && !mentions(line.text, "\"must\"") && !mentions(line.text, "\"should\""))
      findings.add(line.place, line.text, "this is no filter");
  });
}

void each_json(const LintInput& input, const std::function<void(const LintText& text, const Json& value)>& visit) {
  for (const auto& text : input.texts) {
    if (text.kind != FileKind::kJson) continue;
    visit(text, Json::parse(text.file.text, nullptr, false));
  }
}

void find_payload_schemas(const LintInput& input, Findings& findings) {
  each_json(input, [&](const LintText& text, const Json& value) {
    if (!member(value, "payload_schema").is_null() && !member(value, "vectors").is_null())
      findings.add({text.file.path, 0, 0}, "/payload_schema", "creating a collection takes no payload_schema");
  });
}

void find_unnamed_models(const LintInput& input, Findings& findings) {
  each_json(input, [&](const LintText& text, const Json& value) {
    const bool collection =
        !member(value, "collection_name").is_null() && !member(member(value, "vectors"), "size").is_null();
    if (collection && !mentions(lower(text.file.text), "model"))
      findings.add({text.file.path, 0, 0}, "/vectors/size",
                   "the dimension is fixed, the model that makes the vectors is not");
  });
}

constexpr LintRule kRules[] = {
    {"sql-schema", Severity::kWarning, "tables that are named pandora.x elsewhere are made in public",
     "CREATE TABLE pandora.turns, or SET search_path", find_unqualified_tables},
    {"sql-once", Severity::kWarning, "the schema can be applied once only, and half of it after a failure",
     "versioned migrations, each in one transaction", find_statements_once},
    {"sql-number-early", Severity::kError, "the directory is named by a number that is known only after the insert",
     "take the number, make the directory, insert; gaps are fine, duplicates are not", find_numbers_needed_early},
    {"sql-reference", Severity::kError, "forgetting a turn fails, or leaves what refers to it",
     "ON DELETE SET NULL, and an index on it", find_references_without_rule},
    {"sql-fulltext", Severity::kWarning, "a query that does not repeat the expression reads the whole table",
     "a generated tsvector column, indexed", find_fulltext_expressions},
    {"sql-null-time", Severity::kWarning, "an explicit null sorts and compares as nobody expects", "NOT NULL",
     find_nullable_times},
    {"sql-range", Severity::kWarning, "a quality of 7 or NaN is kept", "CHECK (quality BETWEEN 0 AND 1)",
     find_unchecked_ranges},
    {"sql-index", Severity::kWarning, "the query reads the whole table",
     "a partial index on expires_at, GIN on JSONB, one on every foreign key", find_missing_indexes},
    {"client-removed", Severity::kError, "removed from Qdrant's Python client in 1.16",
     "query_points(…), or POST /collections/{c}/points/query", find_removed_calls},
    {"client-filter", Severity::kError, "the server answers 400",
     "{\"must\": [{\"key\": …, \"match\": {\"value\": …}}]}", find_plain_filters},
    {"payload-schema", Severity::kError, "Qdrant has no such key: no field is indexed",
     "one PUT /collections/{c}/index a field, before the points", find_payload_schemas},
    {"model-not-recorded", Severity::kWarning,
     "vectors of two models meet in one collection, and search finds nonsense",
     "record model and dimension; another model gets a collection of its own, and an alias switches",
     find_unnamed_models},
};

}  // namespace

std::span<const LintRule> client_rules() { return kRules; }

}  // namespace pandora
