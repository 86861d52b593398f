#include "cli/commands/sqlite_command.h"

#include <algorithm>
#include <numeric>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/storage/data_paths.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "legacy/sqlite_import.h"

namespace pandora {
namespace {

// "+02:00", "-05:30", "Z".
Result<Duration> parse_zone(const std::string& text) {
  if (text.empty() || text == "Z" || text == "z") return Duration(0);
  // That time is the epoch there: as far from it here as the zone is from UTC.
  const auto at = parse_iso8601("1970-01-01T00:00:00" + text);
  constexpr Duration kMost = std::chrono::hours(18);
  if (!at || (text[0] != '+' && text[0] != '-') || std::abs(at->micros) > kMost.count())
    return fail(ErrorCode::kInvalidArgument, fmt::format("--zone: \"{}\" is no offset from UTC", text),
                "write it as +02:00");
  return Duration(-at->micros);
}

std::string rendered(const SqliteImportReport& report, const SqliteCommand& command) {
  std::string text;
  std::int64_t naive = 0;
  for (const auto& table : report.tables) {
    if (table.path.empty()) {
      text += fmt::format("{:9} no such file\n", table.table);
      continue;
    }
    naive += table.naive_times;
    text +=
        fmt::format("{:9} {} rows: {} {}, {} known already, {} quarantined", table.table, table.rows, table.imported,
                    command.dry_run ? "would be imported" : "imported", table.known, table.quarantined);
    if (table.differs > 0) text += fmt::format(", {} here already that say something else", table.differs);
    if (table.forgotten > 0) text += fmt::format(", {} that were forgotten here", table.forgotten);
    text += fmt::format("\n          {} read back and compared; sha256 of the file's {} of the store's {}: {}\n",
                        table.verified, table.source_sha256.substr(0, 16), table.stored_sha256.substr(0, 16),
                        table.source_sha256 == table.stored_sha256 ? "equal" : "DIFFERENT");
  }
  if (naive > 0)
    text += fmt::format("{} rows have a time without a zone, read as {} (--zone)\n", naive,
                        command.zone.empty() ? "UTC" : command.zone);
  if (report.quarantine_lines > 0)
    text += fmt::format("{} lines in {}: what is not here, and why\n", report.quarantine_lines, command.quarantine);
  return text;
}

int exit_code_of(const SqliteImportReport& report, bool dry_run) {
  const auto sum = [&](std::int64_t SqliteTableReport::* count) {
    return std::accumulate(report.tables.begin(), report.tables.end(), std::int64_t{0},
                           [&](std::int64_t all, const SqliteTableReport& table) { return all + table.*count; });
  };
  if (!report.whole(dry_run)) return error_info(ErrorCode::kDataCorrupt).exit_code;
  if (sum(&SqliteTableReport::quarantined) > 0) return error_info(ErrorCode::kInvalidArgument).exit_code;
  return sum(&SqliteTableReport::differs) > 0 ? error_info(ErrorCode::kConflict).exit_code : 0;
}

}  // namespace

void add_sqlite_command(CLI::App& import, SqliteCommand& command) {
  command.parsed = import.add_subcommand(
      "sqlite",
      "turn_index.db, research_index.db and source_reliability.db; never changed; run again after an interruption");
  command.parsed->add_option("paths", command.paths, "the folder that has them, or files")->required();
  command.parsed->add_flag("--dry-run", command.dry_run, "keep nothing: count, and say what cannot be kept");
  command.parsed->add_option("--zone", command.zone, "of times that name none, such as +02:00 (UTC)");
  command.parsed->add_option("--quarantine", command.quarantine,
                             "rows that cannot be kept, as JSON lines (<data>/import-quarantine.jsonl)");
}

int import_sqlite_files(const Config& config, Service& service, const UserId& user, const SqliteCommand& command,
                        bool json) {
  SqliteCommand given = command;
  const auto zone = parse_zone(command.zone);
  if (!zone) return report(zone.error());
  const auto paths = data_paths(config);
  if (!paths) return report(paths.error());
  if (given.quarantine.empty()) given.quarantine = paths->root + "/import-quarantine.jsonl";
  catch_interrupts();
  Result<SqliteImportReport> done = SqliteImportReport();
  {
    ProgressObserver progress;
    done = import_sqlite(service, {given.paths, user, given.dry_run, *zone, paths->root, given.quarantine}, progress,
                         [&](std::string_view line) { progress.show(line); });
  }
  if (!done) return report(done.error());
  Json result = to_json(*done);
  result["quarantine"] = given.quarantine;
  result["dry_run"] = given.dry_run;
  print_out(json ? result.dump(2) + "\n" : rendered(*done, given));
  return exit_code_of(*done, given.dry_run);
}

}  // namespace pandora
