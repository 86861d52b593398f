// What stands in a schema, one line an object: to be compared with another.
#pragma once
#include <string>
#include <vector>

#include "postgres/postgres_connection.h"

namespace pandora {

// Sorted. Tables, columns, constraints, indexes (also whether they are valid), sequences, views, functions, triggers;
// the schema's own name is left out of all of them.
Result<std::vector<std::string>> catalog_of(PostgresConnection& connection, std::string_view schema);
// "missing: …" and "unexpected: …".
std::vector<std::string> catalog_differences(const std::vector<std::string>& wanted,
                                             const std::vector<std::string>& found);

}  // namespace pandora
