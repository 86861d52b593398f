#include "cli/commands/db_command.h"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/storage/postgres_settings.h"
#include "cli/terminal/output.h"
#include "postgres/postgres_pool.h"
#include "postgres/postgres_schema.h"
#include "store_server/postgres_text_search.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr Duration kConnect = std::chrono::seconds(10);
constexpr Duration kLockPatience = std::chrono::minutes(10);

using Answer = Result<Json>;

Answer status(PostgresSchema& schema, const PostgresConnection& connection) {
  PANDORA_TRY(found, schema.status());
  Json applied = Json::array(), pending = Json::array();
  for (const auto& version : found.applied)
    applied.push_back({{"version", version.migration.version},
                       {"name", version.migration.name},
                       {"applied_at", version.applied_at},
                       {"checksum", version.migration.checksum}});
  for (const auto& migration : found.pending)
    pending.push_back({{"version", migration.version}, {"name", migration.name}});
  return Json{{"place", connection.place()},
              {"server_version", connection.server_version()},
              {"read_only", connection.is_read_only()},
              {"pooled", connection.is_pooled()},
              {"applied", applied},
              {"pending", pending},
              {"fault", found.fault ? Json(found.fault->to_line()) : Json()},
              {"strangers", found.strangers},
              {"specification_tables", found.specification},
              {"migration_lock", found.holder}};
}

std::string render_status(const Json& found) {
  const int version = found["server_version"];
  std::string text =
      fmt::format("PostgreSQL {}.{} at {}{}{}\n", version / 10'000, version % 10'000, found["place"].get<std::string>(),
                  found["pooled"] ? ", through a pooler" : "", found["read_only"] ? ", read-only" : "");
  for (const auto& one : found["applied"])
    text += fmt::format("{:4} {}  applied {}\n", one["version"].get<int>(), one["name"].get<std::string>(),
                        one["applied_at"].get<std::string>());
  for (const auto& one : found["pending"])
    text += fmt::format("{:4} {}  to be applied: `pandora db migrate`\n", one["version"].get<int>(),
                        one["name"].get<std::string>());
  if (found["fault"].is_string()) text += found["fault"].get<std::string>() + "\n";
  if (!found["specification_tables"].empty())
    text += fmt::format("the schema public has tables of the specification's own DDL, which stay as they are: {}\n",
                        fmt::join(found["specification_tables"].get<std::vector<std::string>>(), ", "));
  if (const std::string holder = found["migration_lock"]; !holder.empty())
    text += fmt::format("a migration runs: {}\n", holder);
  return text;
}

Answer migrate(PostgresSchema& schema) {
  PANDORA_TRY(done, schema.migrate(kLockPatience, [](const std::string& holder) {
    print_error(fmt::format("waiting for another migration: {}\n", holder));
  }));
  return Json{{"applied", done}};
}

// Turns of before there were words have none: only this program's analyser can give them.
Answer migrate_and_fill(const Config& config, PostgresSchema& schema) {
  PANDORA_TRY(done, migrate(schema));
  PostgresPool pool(postgres_options(config));
  PostgresTextSearch texts(pool);
  PANDORA_TRY(filled,
              texts.fill([](std::int64_t count) { print_error(fmt::format("{} turns got their words\n", count)); },
                         Deadline::never()));
  if (filled > 0) done["turns_with_words"] = filled;
  return done;
}

Answer plan(PostgresSchema& schema) {
  PANDORA_TRY(planned, schema.plan());
  Json all = Json::array();
  for (const auto& one : planned)
    all.push_back({{"version", one.migration.version},
                   {"name", one.migration.name},
                   {"milliseconds", static_cast<double>(one.took.count()) / 1e3},
                   {"sql", one.migration.sql}});
  return Json{{"plan", all}};
}

std::string render_plan(const Json& found) {
  if (found["plan"].empty()) return "nothing is to be applied\n";
  std::string text;
  for (const auto& one : found["plan"])
    text += fmt::format("-- {} took {:.1f} ms here, and was rolled back\n{}\n", one["name"].get<std::string>(),
                        one["milliseconds"].get<double>(), one["sql"].get<std::string>());
  return text;
}

Answer verify(PostgresSchema& schema) {
  PANDORA_TRY(found, schema.verify());
  return Json{{"clean", found.empty()}, {"differences", found}};
}

std::string render_verify(const Json& found) {
  if (found["clean"]) return "the schema is as its versions make it\n";
  std::string text;
  for (const auto& line : found["differences"]) text += line.get<std::string>() + "\n";
  return text;
}

using Operation = std::function<Answer(PostgresSchema&, const PostgresConnection&)>;
using Render = std::function<std::string(const Json&)>;

int run(const Config& config, bool json, const Operation& operation, const Render& render) {
  const SystemClock clock;
  const PostgresOptions options = postgres_options(config);
  PostgresPulse pulse(options);  // what has no limit of time ends when the server does
  auto connection = PostgresConnection::open(options, Deadline::after(clock, kConnect), &pulse);
  if (!connection) return report(connection.error());
  (*connection)->set_deadline(Deadline::never());
  PostgresSchema schema(**connection, clock);
  const Answer answer = operation(schema, **connection);
  if (!answer) return report(answer.error());
  print_out(json ? answer->dump(2) + "\n" : render(*answer));
  return answer->value("clean", true) ? 0 : error_info(ErrorCode::kConflict).exit_code;
}

}  // namespace

void add_db_commands(CLI::App& app, DbCommand& command) {
  CLI::App* db = app.add_subcommand("db", "the schema on PostgreSQL (DATABASE_URL, POSTGRES_*)")->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Operation operation, Render render) {
    CLI::App* added = db->add_subcommand(name, help);
    added->callback([&command, operation = std::move(operation), render = std::move(render)] {
      command.run = [=](const Config& config, bool json) { return run(config, json, operation, render); };
    });
    return added;
  };
  add("status", "its versions, what is to be applied, and who migrates now", status, render_status);
  db->add_subcommand("migrate", "apply what is to be applied")->callback([&command] {
    command.run = [](const Config& config, bool json) {
      const auto work = [&](PostgresSchema& schema, const auto&) { return migrate_and_fill(config, schema); };
      return run(config, json, work, [](const Json& found) {
        const int count = found["applied"];
        return count == 0 ? std::string("nothing was to be applied\n") : fmt::format("{} applied\n", count);
      });
    };
  });
  add(
      "plan", "what would be applied: run on the server, and rolled back",
      [](PostgresSchema& schema, const auto&) { return plan(schema); }, render_plan);
  add(
      "verify", "compare the schema with what its versions make",
      [](PostgresSchema& schema, const auto&) { return verify(schema); }, render_verify);
  const auto at = std::make_shared<int>(0);
  add(
      "baseline", "adopt a schema that was made by other means, once it is proven the same",
      [at](PostgresSchema& schema, const auto&) -> Answer {
        PANDORA_TRY(version, schema.baseline(*at));
        return Json{{"version", version}};
      },
      [](const Json& found) { return fmt::format("it is version {}\n", found["version"].get<int>()); })
      ->add_option("--at", *at, "the version it must be (the highest that fits)");
}

}  // namespace pandora
