#include "legacy/sqlite_import.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"
#include "legacy/legacy_rows.h"

namespace pandora {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatchRows = 100;  // of a call: progress, and Ctrl-C, come in between
constexpr std::size_t kBatchBytes = 4u << 20;

// Beside its name until it is whole.
class Quarantine {
 public:
  explicit Quarantine(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
  ~Quarantine() {
    if (file_ >= 0) ::close(file_), ::unlink(part_.c_str());
  }
  Quarantine(const Quarantine&) = delete;
  Quarantine& operator=(const Quarantine&) = delete;

  Status open() {
    constexpr unsigned kOwnerOnly = 0600;
    file_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly);
    return file_ < 0 ? failed() : Status();
  }
  // `kept`: the row is, and this value of it is not.
  Status add(const std::string& table, std::int64_t row, const std::vector<std::string>& columns,
             const SqliteRow& values, const ColumnFault& fault, bool kept) {
    Json all = Json::object();
    for (std::size_t i = 0; i < columns.size(); ++i) all[columns[i]] = to_json(values[i]);
    const std::string line = dump_json({{"table", table},
                                        {"row", row},
                                        {"column", fault.column},
                                        {"value", all.value(fault.column, Json())},
                                        {"reason", fault.reason},
                                        {"row_kept", kept},
                                        {"values", all}}) +
                             "\n";
    ++lines_;
    for (std::size_t at = 0; at < line.size();) {
      const ssize_t written = ::write(file_, line.data() + at, line.size() - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failed();
      at += static_cast<std::size_t>(written);
    }
    return {};
  }
  Status finish() {
    if (::fsync(file_) != 0 || ::rename(part_.c_str(), path_.c_str()) != 0) return failed();
    ::close(std::exchange(file_, -1));
    return {};
  }
  std::int64_t lines() const { return lines_; }

 private:
  Status failed() const {
    return fail(errno == ENOSPC || errno == EDQUOT ? ErrorCode::kStorageFull : ErrorCode::kPermissionDenied,
                fmt::format("cannot write {}: {}", path_, std::strerror(errno)), "name another place by --quarantine");
  }
  const std::string path_, part_;
  int file_ = -1;
  std::int64_t lines_ = 0;
};

// Of any number of lines, in their order.
class RunningHash {
 public:
  void add(const std::string& line) { hash_ = sha256_hex(hash_ + line); }
  const std::string& value() const { return hash_; }

 private:
  std::string hash_ = sha256_hex("");
};

struct OpenTable {
  const LegacyTable* table = nullptr;
  std::string path;
  std::unique_ptr<SqliteSnapshot> snapshot;
  std::vector<std::string> columns;
};

Result<OpenTable> open_table(const std::string& path, const std::string& scratch) {
  auto snapshot = SqliteSnapshot::open(path, scratch);
  if (!snapshot && snapshot.error().code == ErrorCode::kDataCorrupt)
    return fail(Error(snapshot.error()).with_remedy("recover it by sqlite3's .recover into another file"));
  if (!snapshot) return fail(snapshot.error());
  for (const auto& table : legacy_tables()) {
    PANDORA_TRY(columns, (*snapshot)->columns(table.name));
    if (columns.empty()) continue;
    for (const auto& name : table.required)
      if (std::ranges::find(columns, name) == columns.end())
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("table {} of {} has no column {}", table.name, path, name));
    return OpenTable{&table, path, *std::move(snapshot), std::move(columns)};
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} has none of the tables turns, research and sources", path));
}

struct Source {
  std::vector<OpenTable> tables;  // in the order of legacy_tables(); without a path when there is none
  std::string documents;
};

Result<Source> open_source(const SqliteImportOptions& options) {
  Source source;
  for (const auto& table : legacy_tables()) source.tables.push_back({&table, "", nullptr, {}});
  for (const auto& given : options.paths) {
    std::vector<std::string> files = {given};
    std::error_code ignored;
    if (fs::is_directory(given, ignored)) {
      files.clear();
      for (const auto& table : legacy_tables())
        if (fs::exists(given + "/" + table.file, ignored)) files.push_back(given + "/" + table.file);
      if (files.empty())
        return fail(ErrorCode::kNotFound, fmt::format("{} has none of {}, {} and {}", given, legacy_tables()[0].file,
                                                      legacy_tables()[1].file, legacy_tables()[2].file));
    }
    for (const auto& file : files) {
      PANDORA_TRY(opened, open_table(file, options.scratch));
      OpenTable& place = source.tables[static_cast<std::size_t>(opened.table - legacy_tables().data())];
      if (!place.path.empty())
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("{} and {} both have the table {}", place.path, file, opened.table->name),
                    "import one after the other");
      if (source.documents.empty()) source.documents = fs::path(file).parent_path().string();
      place = std::move(opened);
    }
  }
  if (source.documents.empty()) source.documents = ".";
  return source;
}

struct Waiting {  // a row on its way
  std::int64_t row;
  SqliteRow values;
  std::string line, form;
};

class TableImport {
 public:
  TableImport(Service& service, const SqliteImportOptions& options, CallObserver& observer,
              const ImportProgress& progress, OpenTable& source, LegacyRows& rows, Quarantine& quarantine)
      : service_(service),
        options_(options),
        observer_(observer),
        progress_(progress),
        source_(source),
        rows_(rows),
        quarantine_(quarantine) {
    report_.table = source.table->name;
    report_.path = source.path;
  }

  Result<SqliteTableReport> run() {
    rows_.begin(*source_.table);
    PANDORA_CHECK(walk(true));
    PANDORA_CHECK(call("drain", Json::object()).map([](auto&&) {}));
    rows_.begin(*source_.table);
    PANDORA_CHECK(walk(false));
    report_.source_sha256 = source_hash_.value();
    report_.stored_sha256 = stored_hash_.value();
    return report_;
  }

 private:
  // First to keep the rows, then to look at them again.
  Status walk(bool first) {
    std::int64_t row = 0;
    const auto take = [&](const SqliteRow& values) -> Status {
      if (observer_.cancelled()) return fail(ErrorCode::kCancelled, "interrupted", "run it again: it goes on");
      LegacyOutcome outcome = rows_.convert(*source_.table, source_.columns, values);
      ++row;
      if (first) PANDORA_CHECK(count(row, values, outcome));
      if (outcome.fault || (!first && left_out_.contains(row))) return {};
      bytes_ += outcome.line.size();
      std::string form = canonical_form(outcome.line);
      batch_.push_back({row, values, std::move(outcome.line), std::move(form)});
      if (batch_.size() < kBatchRows && bytes_ < kBatchBytes) return {};
      progress_(fmt::format("{}: {} rows {}", report_.table, row, first ? "read" : "compared"));
      return flush(first);
    };
    PANDORA_CHECK(source_.snapshot->rows(source_.table->name, {source_.table->key}, take));
    return flush(first);
  }

  Status count(std::int64_t row, const SqliteRow& values, const LegacyOutcome& outcome) {
    ++report_.rows;
    report_.naive_times += outcome.naive_time ? 1 : 0;
    if (outcome.fault) return refuse(row, values, *outcome.fault);
    for (const auto& note : outcome.notes) {
      ++report_.notes;
      PANDORA_CHECK(quarantine_.add(report_.table, row, source_.columns, values, note, true));
    }
    return {};
  }

  Status refuse(std::int64_t row, const SqliteRow& values, const ColumnFault& fault) {
    ++report_.quarantined;
    left_out_.insert(row);
    return quarantine_.add(report_.table, row, source_.columns, values, fault, false);
  }

  Status flush(bool first) {
    if (batch_.empty()) return {};
    std::vector<Waiting> batch = std::exchange(batch_, {});
    bytes_ = 0;
    return first ? keep(batch) : compare(batch);
  }

  // What the store has of each.
  Result<Json> stored(const std::vector<Waiting>& batch) {
    Json lines = Json::array();
    for (const auto& one : batch) lines.push_back(one.line);
    PANDORA_TRY(answer, call("import.stored", {{"lines", std::move(lines)}}));
    if (answer.value("stored", Json::array()).size() != batch.size())
      return fail(ErrorCode::kInternal, "the owner of the data directory gave another number of lines");
    return std::move(answer["stored"]);
  }

  Status keep(std::vector<Waiting>& batch) {
    PANDORA_TRY(before, stored(batch));
    std::vector<Waiting> absent;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (before[i].value("forgotten", false)) {
        ++report_.forgotten;
        left_out_.insert(batch[i].row);
      } else if (before[i].value("line", "").empty()) {
        absent.push_back(std::move(batch[i]));
      } else if (canonical_form(before[i].value("line", "")) == batch[i].form) {
        ++report_.known;
      } else {
        ++report_.differs;
        left_out_.insert(batch[i].row);
        PANDORA_CHECK(quarantine_.add(report_.table, batch[i].row, source_.columns, batch[i].values,
                                      {source_.table->key, "is here already, and says something else: left as it is"},
                                      false));
      }
    }
    if (options_.dry_run) {
      report_.imported += static_cast<std::int64_t>(absent.size());
      for (const auto& one : absent) left_out_.insert(one.row);  // there is nothing to compare them with
    }
    if (options_.dry_run || absent.empty()) return {};
    Json lines = Json::array();
    for (const auto& one : absent) lines.push_back(one.line);
    PANDORA_TRY(answer, call("import.turns", {{"lines", std::move(lines)}}));
    report_.imported += answer.value("imported", 0) + answer.value("others", 0);
    report_.known += answer.value("known", 0);  // acknowledged by an import that was ended before their rows stood
    for (const auto& error : answer["errors"]) {
      const auto at = static_cast<std::size_t>(error.value("line", 1) - 1);
      if (at >= absent.size()) return fail(ErrorCode::kInternal, "an error of a line that was not given");
      PANDORA_CHECK(refuse(absent[at].row, absent[at].values, {source_.table->key, error.value("error", "")}));
    }
    return {};
  }

  Status compare(const std::vector<Waiting>& batch) {
    PANDORA_TRY(there, stored(batch));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::string form = canonical_form(there[i].value("line", ""));
      source_hash_.add(batch[i].form);
      stored_hash_.add(form);
      report_.verified += form == batch[i].form ? 1 : 0;
    }
    return {};
  }

  Result<Json> call(const std::string& operation, const Json& arguments) {
    PANDORA_TRY(answer, service_.call({operation, options_.user, dump_json(arguments)}, observer_, Deadline::never()));
    return Json::parse(answer, nullptr, false);
  }

  Service& service_;
  const SqliteImportOptions& options_;
  CallObserver& observer_;
  const ImportProgress& progress_;
  OpenTable& source_;
  LegacyRows& rows_;
  Quarantine& quarantine_;
  SqliteTableReport report_;
  std::set<std::int64_t> left_out_;  // rows that need not be compared
  std::vector<Waiting> batch_;
  std::size_t bytes_ = 0;
  RunningHash source_hash_, stored_hash_;
};

}  // namespace

bool SqliteImportReport::whole(bool dry_run) const {
  return std::ranges::all_of(tables, [&](const SqliteTableReport& table) {
    const bool counted =
        table.imported + table.known + table.differs + table.forgotten + table.quarantined == table.rows;
    const std::int64_t kept = table.known + (dry_run ? 0 : table.imported);
    return counted && table.verified == kept && table.source_sha256 == table.stored_sha256;
  });
}

Json to_json(const SqliteImportReport& report) {
  Json tables = Json::array();
  for (const auto& table : report.tables)
    tables.push_back({{"table", table.table},
                      {"file", table.path},
                      {"rows", table.rows},
                      {"imported", table.imported},
                      {"known", table.known},
                      {"differs", table.differs},
                      {"forgotten", table.forgotten},
                      {"quarantined", table.quarantined},
                      {"notes", table.notes},
                      {"naive_times", table.naive_times},
                      {"verified", table.verified},
                      {"source_sha256", table.source_sha256},
                      {"stored_sha256", table.stored_sha256}});
  return {{"tables", std::move(tables)}, {"quarantine_lines", report.quarantine_lines}};
}

Result<SqliteImportReport> import_sqlite(Service& service, const SqliteImportOptions& options, CallObserver& observer,
                                         const ImportProgress& progress) {
  PANDORA_TRY(source, open_source(options));
  LegacyRows rows(options.user, source.documents, options.zone);
  Quarantine quarantine(options.quarantine);
  PANDORA_CHECK(quarantine.open());
  SqliteImportReport report;
  for (auto& table : source.tables) {
    if (table.path.empty()) {
      report.tables.push_back({.table = table.table->name, .path = "", .source_sha256 = "", .stored_sha256 = ""});
      continue;
    }
    auto done = TableImport(service, options, observer, progress, table, rows, quarantine).run();
    if (!done) return fail(Error(done.error()).with_context(table.path));
    report.tables.push_back(*std::move(done));
  }
  PANDORA_CHECK(quarantine.finish());
  report.quarantine_lines = quarantine.lines();
  return report;
}

}  // namespace pandora
