#include "host/gpu.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kShownHolders = 3;
constexpr double kMibPerGb = 1024;

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(',', at), line.size());
    fields.push_back(trim(line.substr(at, end - at)));
    at = end + 1;
  }
  return fields;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T, class Take>
Result<std::vector<T>> parse_lines(std::string_view text, std::size_t fewest, const Take& take) {
  std::vector<T> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = trim(text.substr(at, end - at));
    at = end + 1;
    if (line.empty()) continue;
    const auto fields = fields_of(line);
    std::optional<T> one;
    if (fields.size() >= fewest) one = take(fields);
    if (!one)
      return fail(ErrorCode::kDataCorrupt, fmt::format("nvidia-smi says \"{}\"", one_line(ellipsize(line, 100))));
    all.push_back(*std::move(one));
  }
  return all;
}

// What stands between the first field and the last ones: a name may hold commas.
std::string middle(const std::vector<std::string_view>& fields, std::size_t behind) {
  std::string text;
  for (std::size_t i = 1; i + behind < fields.size(); ++i) text += fmt::format("{}{}", i > 1 ? ", " : "", fields[i]);
  return text;
}

}  // namespace

Result<std::vector<Gpu>> parse_gpus(std::string_view text) {
  return parse_lines<Gpu>(text, 4, [](const auto& fields) -> std::optional<Gpu> {
    const auto index = number(fields[0]), total = number(fields[fields.size() - 2]), used = number(fields.back());
    if (!index || !total || !used) return std::nullopt;
    return Gpu{static_cast<int>(*index), middle(fields, 2), *total, *used};
  });
}

Result<std::vector<GpuHolder>> parse_gpu_holders(std::string_view text) {
  auto holders = parse_lines<GpuHolder>(text, 3, [](const auto& fields) -> std::optional<GpuHolder> {
    const auto pid = number(fields[0]);
    if (!pid) return std::nullopt;
    // In a container or under WSL the memory of one process is "[N/A]".
    return GpuHolder{static_cast<int>(*pid), middle(fields, 1), number(fields.back()).value_or(0)};
  });
  if (holders) std::ranges::stable_sort(*holders, std::ranges::greater(), &GpuHolder::used_mib);
  return holders;
}

Result<GpuReport> ask_gpus(ProcessRunner& runner, const Deadline& deadline) {
  const auto ask = [&](const char* query) -> Result<std::string> {
    PANDORA_TRY(output, runner.run({{"nvidia-smi", query, "--format=csv,noheader,nounits"}, {}, "", ""}, deadline));
    if (output.status.code == 0) return output.out;
    const std::string said = output.out.empty() ? output.err : output.out;  // it complains on its output
    return fail(ErrorCode::kUnavailable,
                fmt::format("nvidia-smi ends with {}: {}", output.status.code, one_line(ellipsize(trim(said), 200))));
  };
  GpuReport report;
  PANDORA_TRY(cards, ask("--query-gpu=index,name,memory.total,memory.used"));
  PANDORA_TRY(parsed, parse_gpus(cards));
  if (parsed.empty()) return fail(ErrorCode::kUnavailable, "nvidia-smi sees no card");
  report.cards = std::move(parsed);
  PANDORA_TRY(holders, ask("--query-compute-apps=pid,process_name,used_memory"));
  PANDORA_TRY(held, parse_gpu_holders(holders));
  report.holders = std::move(held);
  return report;
}

std::optional<int> full_card(const GpuReport& report, const std::vector<int>& cards, double share) {
  std::vector<int> looked_at = cards;
  if (looked_at.empty())
    for (const auto& card : report.cards) looked_at.push_back(card.index);
  for (const int index : looked_at) {
    const auto card = std::ranges::find(report.cards, index, &Gpu::index);
    if (card == report.cards.end() ||
        static_cast<double>(card->free_mib()) < share * static_cast<double>(card->total_mib))
      return index;
  }
  return std::nullopt;
}

std::string describe(const GpuReport& report, int card) {
  const auto found = std::ranges::find(report.cards, card, &Gpu::index);
  if (found == report.cards.end())
    return fmt::format("there is no card {}, of {} that are here", card, report.cards.size());
  std::string text = fmt::format(
      "{}{:.1f} of {:.1f} GB are free", report.cards.size() > 1 ? fmt::format("of card {} ", card) : "",
      static_cast<double>(found->free_mib()) / kMibPerGb, static_cast<double>(found->total_mib) / kMibPerGb);
  for (std::size_t i = 0; i < std::min(report.holders.size(), kShownHolders); ++i) {
    const GpuHolder& holder = report.holders[i];
    text += fmt::format("{} {} (pid {}) holds {:.1f} GB", i == 0 ? ";" : ",", holder.name, holder.pid,
                        static_cast<double>(holder.used_mib) / kMibPerGb);
  }
  return text;
}

}  // namespace pandora
