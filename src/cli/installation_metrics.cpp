#include "cli/installation_metrics.h"

#include "metrics/process_samples.h"
#include "sql/migrations.h"

namespace pandora {
namespace {

constexpr Duration kLookPatience = std::chrono::seconds(1);

Duration micros(std::int64_t count) { return Duration(std::chrono::microseconds(count)); }

// A row's detail begins with the status of the tool's call; of calls that were dropped it begins with their number.
std::string_view error_type(const Observation& tool) {
  if (tool.ok) return "";
  const std::string_view detail = tool.detail;
  const std::string_view status = detail.substr(0, detail.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"));
  return status.empty() ? "dropped" : status;
}

}  // namespace

void count_turn(Metrics& metrics, const TurnReport& report) {
  metrics.turn(to_string(report.ending), report.took);
  for (const auto& row : report.observations) {
    if (row.kind == ObservationKind::kPhase) metrics.phase(row.name, micros(row.micros));
    if (row.kind == ObservationKind::kTool) metrics.tool_call(row.name, micros(row.micros), error_type(row));
  }
  if (!report.receipt) return;
  const RecallTimings& took = report.receipt->micros;
  metrics.recall({to_string(report.receipt->mode), micros(took.embed), micros(took.search), micros(took.rank),
                  micros(took.total)});
}

void add_store_samples(const Stores& stores, TurnSaver& saver, const std::string& root, std::vector<Sample>& samples) {
  const SystemClock clock;
  const Deadline deadline = Deadline::after(clock, kLookPatience);
  const auto add = [&](const char* name, const char* help, SampleType type, auto value,
                       std::map<std::string, std::string> labels = {}) {
    samples.push_back({name, help, type, std::move(labels), static_cast<double>(value)});
  };
  using enum SampleType;
  const SaverStatus saving = saver.status();
  add("pandora_journal_pending_turns", "Acknowledged turns that have no row yet", kGauge, saving.pending);
  add("pandora_outbox_entries", "Files and points that are still to follow", kGauge, saving.outbox);
  add("pandora_saving_fails", "1 when the last step of saving failed", kGauge, saving.last_error.empty() ? 0 : 1);
  if (const auto turns = stores.turns.count(Principal::system(), deadline))
    add("pandora_turns", "Turns that are kept", kGauge, *turns);
  if (const auto receipts = stores.receipts.status(deadline)) {
    add("pandora_receipts", "Receipts of recalls that are kept", kGauge, receipts->kept);
    add("pandora_receipts_lost_total", "Receipts that could not be written", kCounter, receipts->lost);
  }
  if (const auto collections = stores.vectors.collections(deadline))
    for (const auto& collection : *collections)
      if (const auto points = stores.vectors.count(collection.name, {}, Principal::system(), deadline))
        add("pandora_points", "Points that can be searched", kGauge, *points, {{"collection", collection.name}});
  for (const char* schema : {"sqlite", "vectors"})
    if (const auto known = embedded_migrations(schema); !known.empty())
      add("pandora_schema_version", "Version of a database's schema", kGauge, known.back().version,
          {{"database", schema}});
  add_process_samples(samples);
  add_disk_samples(root, "data", samples);
}

}  // namespace pandora
