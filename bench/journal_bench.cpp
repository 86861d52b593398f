// How long an acknowledgement takes beside a bare append and fdatasync of the same bytes, in the same run and
// directory; and what sixteen writers gain by sharing a sync. PANDORA_BENCH_DIR names the directory (default: here).
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "steps.h"
#include "turns/journal.h"

namespace {
using namespace pandora;

constexpr std::size_t kRecordBytes = 8 * 1024;

std::string directory() { return join_path(environment_or("PANDORA_BENCH_DIR", "."), "journal_bench.tmp"); }
FileSystem& files() {
  static const auto system = make_posix_file_system();
  return *system;
}

void bare(benchmark::State& state) {
  (void)files().remove_tree(directory());
  (void)files().create_directories(directory());
  auto file = files().open(directory() + "/bare.log", OpenMode::kCreateNew);
  const std::string record = encode_journal_record(std::string(kRecordBytes, 'x'), 1);
  for (auto _ : state)
    if (!file || !(*file)->append(record) || !(*file)->sync()) return state.SkipWithError("the disk refuses");
  (void)files().remove_tree(directory());
}

std::unique_ptr<Journal> shared_journal;
void open_journal(const benchmark::State&) {
  (void)files().remove_tree(directory());
  auto journal = Journal::open(
      files(), directory(), std::size_t{1} << 30, [](auto) { return Status(); },
      [](auto&, auto&, auto) { return Status(); });
  if (journal) shared_journal = *std::move(journal);
}
void close_journal(const benchmark::State&) {
  shared_journal.reset();
  (void)files().remove_tree(directory());
}
void acknowledged(benchmark::State& state) {
  const std::string payload(kRecordBytes, 'x');
  for (auto _ : state)
    if (!shared_journal || !shared_journal->append(payload)) return state.SkipWithError("the journal refuses");
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(bare)->UseRealTime()->Repetitions(5)->ReportAggregatesOnly();
BENCHMARK(acknowledged)
    ->UseRealTime()
    ->Repetitions(5)
    ->ReportAggregatesOnly()
    ->Setup(open_journal)
    ->Teardown(close_journal);
BENCHMARK(acknowledged)
    ->UseRealTime()
    ->Threads(16)
    ->Repetitions(5)
    ->ReportAggregatesOnly()
    ->Setup(open_journal)
    ->Teardown(close_journal);

}  // namespace

BENCHMARK_MAIN();
