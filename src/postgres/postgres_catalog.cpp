#include "postgres/postgres_catalog.h"

#include <algorithm>
#include <iterator>

namespace pandora {
namespace {

// The order of columns is not looked at: a column that was added later stands at the end.
constexpr std::string_view kCatalog = R"(
WITH here AS (SELECT oid FROM pg_namespace WHERE nspname = $1)
SELECT 'table ' || relname || CASE WHEN relkind = 'p' THEN ' partitioned' ELSE '' END
       || CASE WHEN relpersistence <> 'p' THEN ' not logged' ELSE '' END || coalesce(' with ' || array_to_string(reloptions, ', '), '')
  FROM pg_class, here WHERE relnamespace = here.oid AND relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
       || CASE WHEN attcollation <> 0 AND collname <> 'default' THEN ' collate ' || collname ELSE '' END
       || CASE WHEN attnotnull THEN ' not null' ELSE '' END
       || CASE attidentity WHEN '' THEN '' ELSE ' identity ' || attidentity::text END
       || CASE attgenerated WHEN '' THEN '' ELSE ' generated' END
       || coalesce(' = ' || pg_get_expr(adbin, adrelid), '')
  FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN here ON relnamespace = here.oid
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  LEFT JOIN pg_collation ON pg_collation.oid = attcollation
  WHERE relkind IN ('r', 'p', 'f') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint ' || relname || ': ' || pg_get_constraintdef(pg_constraint.oid) || CASE WHEN convalidated THEN '' ELSE ' (not valid)' END
  FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid JOIN here ON relnamespace = here.oid
UNION ALL
SELECT 'index ' || pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' (not valid)' END
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN here ON relnamespace = here.oid
UNION ALL
SELECT 'sequence ' || sequencename || ' ' || data_type || ' from ' || min_value || ' to ' || max_value || ' by ' || increment_by
  FROM pg_sequences WHERE schemaname = $1
UNION ALL
SELECT 'view ' || relname || ': ' || pg_get_viewdef(pg_class.oid)
  FROM pg_class, here WHERE relnamespace = here.oid AND relkind IN ('v', 'm')
UNION ALL
SELECT 'function ' || pg_get_functiondef(pg_proc.oid)
  FROM pg_proc, here WHERE pronamespace = here.oid AND prokind IN ('f', 'p')
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(pg_trigger.oid)
  FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN here ON relnamespace = here.oid WHERE NOT tgisinternal)";

std::string without(std::string text, const std::string& name) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) text.erase(at, name.size());
  return text;
}

}  // namespace

Result<std::vector<std::string>> catalog_of(PostgresConnection& connection, std::string_view schema) {
  PANDORA_TRY(rows, connection.query(kCatalog, schema));
  std::vector<std::string> lines;
  for (int i = 0; i < rows.size(); ++i)
    lines.push_back(without(std::string(rows.text(i, 0)), std::string(schema) + "."));
  std::ranges::sort(lines);
  return lines;
}

std::vector<std::string> catalog_differences(const std::vector<std::string>& wanted,
                                             const std::vector<std::string>& found) {
  std::vector<std::string> differences;
  const auto add = [&](const char* what, const auto& from, const auto& other) {
    std::vector<std::string> only;
    std::ranges::set_difference(from, other, std::back_inserter(only));
    for (const std::string& line : only) differences.push_back(what + line);
  };
  add("missing: ", wanted, found);
  add("unexpected: ", found, wanted);
  return differences;
}

}  // namespace pandora
