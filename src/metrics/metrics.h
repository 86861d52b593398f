// What an operator sees of this process: counters, histograms and gauges, as text in Prometheus' format.
//
// Names are those of docs/metrics.md; what OpenTelemetry has a name for (calls of models and tools) has that one. Every
// label's values are a closed set or bounded: past kMaxLabelValues it is "other". Nothing that anybody said is ever in
// a label. Thread-safe; an observation costs well below a microsecond or two.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace pandora {

inline constexpr std::size_t kMaxLabelValues = 100;
inline constexpr std::string_view kOtherLabel = "other";

// What is not counted as it happens but looked at when somebody asks.
enum class SampleType { kCounter, kGauge };
struct Sample {
  std::string name, help;
  SampleType type = SampleType::kGauge;
  std::map<std::string, std::string> labels;
  double value = 0;
};
using SampleSource = std::function<void(std::vector<Sample>&)>;

struct ModelCallFigures {
  std::string model;  // as it was asked for, or as the server calls it
  Duration took{0};
  Duration to_first_chunk{0};  // 0: there was none
  std::int64_t tokens_in = 0, tokens_out = 0;
  std::string error;  // an error code's name; empty: none
};
struct RecallFigures {
  std::string_view mode;  // "hybrid", "lexical", "recent", "none"
  Duration embed{0}, search{0}, rank{0}, all{0};
};

class Metrics {
 public:
  explicit Metrics(const std::string& version);
  ~Metrics();

  // `route`: the path as its table has it, "/v1/turns/{number}"; never the client's own.
  void http_request(std::string_view route, std::string_view method, int status, Duration took);
  void turn(std::string_view ending, Duration took);
  void phase(std::string_view name, Duration took);
  void recall(const RecallFigures& figures);
  void journal_sync(Duration took);
  void model_call(const ModelCallFigures& figures);
  void tool_call(std::string_view tool, Duration took, std::string_view error);
  void encoded(std::string_view role, std::size_t texts, Duration took);
  void encoder_failed(std::string_view role);
  void probed(std::string_view dependency, bool is_up, Duration took);

  // Asked by `text`, on its thread, until what is given back goes: what the source uses outlives that.
  class Added;
  [[nodiscard]] std::unique_ptr<Added> add_source(SampleSource source);

  std::string text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

// Ends a source when destroyed; after that it is not asked, nor is it being asked.
class Metrics::Added {
 public:
  Added(Families& families, std::uint64_t id) : families_(families), id_(id) {}
  ~Added();
  Added(const Added&) = delete;
  Added& operator=(const Added&) = delete;

 private:
  Families& families_;
  const std::uint64_t id_;
};

}  // namespace pandora
