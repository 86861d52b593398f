// The graphics cards of this machine, as nvidia-smi tells of them in its form for programs (CSV). Thread-safe.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ports/process_runner.h"

namespace pandora {

struct Gpu {
  int index = 0;
  std::string name;
  std::int64_t total_mib = 0, used_mib = 0;
  std::int64_t free_mib() const { return total_mib - used_mib; }
};
struct GpuHolder {
  int pid = 0;
  std::string name;
  std::int64_t used_mib = 0;
};
struct GpuReport {
  std::vector<Gpu> cards;
  std::vector<GpuHolder> holders;  // most memory first
};

// Lines of `--query-gpu=index,name,memory.total,memory.used` and `--query-compute-apps=pid,process_name,used_memory`,
// both with `--format=csv,noheader,nounits`. kDataCorrupt names the line. Pure.
Result<std::vector<Gpu>> parse_gpus(std::string_view text);
Result<std::vector<GpuHolder>> parse_gpu_holders(std::string_view text);

// kNotFound: there is no nvidia-smi; kUnavailable: it fails, or sees no card.
Result<GpuReport> ask_gpus(ProcessRunner& runner, const Deadline& deadline);
// The first of those cards (none: of all) that has less than that share free, or is not there; by its number. Pure.
std::optional<int> full_card(const GpuReport& report, const std::vector<int>& cards, double share);
// "3.2 of 23.6 GB are free; python (pid 4711) holds 20.1 GB"; with its number, when there are several.
std::string describe(const GpuReport& report, int card);

}  // namespace pandora
