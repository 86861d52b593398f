#include "metrics/metrics.h"

#include <mutex>
#include <set>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace pandora {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

// From a tenth of a millisecond, as a phase or a search takes, to minutes, as a model does.
const Buckets kTimes = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                        0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    120};
// Those that OpenTelemetry's conventions for generative AI give.
const Buckets kModelTimes = {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
const Buckets kFirstChunkTimes = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
const Buckets kTokens = {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};

// The first so many different names, the rest together.
class BoundedNames {
 public:
  std::string bounded(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (names_.contains(name)) return std::string(name);
    if (names_.size() >= kMaxLabelValues) return std::string(kOtherLabel);
    return *names_.emplace(name).first;
  }

 private:
  std::mutex mutex_;
  std::set<std::string, std::less<>> names_;
};

// Methods are the client's own words.
std::string method_label(std::string_view method) {
  for (const char* known : {"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})
    if (method == known) return known;
  return std::string(kOtherLabel);
}

}  // namespace

struct Metrics::Families {
  template <class T>
  static Family<T>& family(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::detail::Builder<T>().Name(name).Help(help).Register(registry);
  }
  template <class T>
  Family<T>& make(const char* name, const char* help) {
    return family<T>(registry, name, help);
  }

  prometheus::Registry registry;
  Family<Counter>& requests = make<Counter>("pandora_http_requests_total", "Requests that were answered");
  Family<Histogram>& request_times = make<Histogram>("pandora_http_request_duration_seconds",
                                                     "From a request that is complete to the end of its answer");
  Family<Histogram>& turns =
      make<Histogram>("pandora_turn_duration_seconds", "Turns, from their message to their end, by how they ended");
  Family<Histogram>& phases = make<Histogram>("pandora_turn_phase_duration_seconds", "Phases of turns");
  Family<Counter>& recalls = make<Counter>("pandora_recalls_total", "Recalls, by how far the search got");
  Family<Histogram>& recall_times =
      make<Histogram>("pandora_recall_duration_seconds", "Recalls: embedding, search, ranking and all together");
  Family<Histogram>& syncs = make<Histogram>("pandora_journal_sync_duration_seconds",
                                             "From a turn that is handed to the journal until it is on disk");
  Family<Histogram>& model_times =
      make<Histogram>("gen_ai_client_operation_duration_seconds", "Calls of language models, as a whole");
  Family<Histogram>& first_chunks = make<Histogram>("gen_ai_client_operation_time_to_first_chunk_seconds",
                                                    "Calls of language models, until they began to speak");
  Family<Histogram>& tokens =
      make<Histogram>("gen_ai_client_token_usage", "Tokens of calls of language models, as the servers counted them");
  Family<Histogram>& tools = make<Histogram>("gen_ai_execute_tool_duration_seconds", "Calls of tools");
  Family<Histogram>& encoder_times =
      make<Histogram>("pandora_encoder_duration_seconds", "Calls of the sentence encoder");
  Family<Counter>& encoder_texts = make<Counter>("pandora_encoder_texts_total", "Texts that were encoded");
  Family<Counter>& encoder_failures =
      make<Counter>("pandora_encoder_failures_total", "Calls of the sentence encoder that failed");
  Family<Gauge>& up = make<Gauge>("pandora_up", "1 when it works, as seen by the last look at /health/ready");
  Family<Gauge>& probes =
      make<Gauge>("pandora_probe_seconds", "How long a dependency took to say so at the last look at /health/ready");
  Histogram& sync_times = syncs.Add({}, kTimes);
  BoundedNames models, tool_names, dependencies;

  mutable std::mutex sources_mutex;
  std::uint64_t last_source = 0;
  std::map<std::uint64_t, SampleSource> sources;
};

Metrics::Metrics(const std::string& version) : families_(std::make_unique<Families>()) {
  families_->make<Gauge>("pandora_build_info", "1, with the version").Add({{"version", version}}).Set(1);
  families_->up.Add({{"service", "gateway"}}).Set(1);
}
Metrics::~Metrics() = default;

void Metrics::http_request(std::string_view route, std::string_view method, int status, Duration took) {
  const std::string path(route);
  families_->requests.Add({{"route", path}, {"method", method_label(method)}, {"status", std::to_string(status)}})
      .Increment();
  families_->request_times.Add({{"route", path}}, kTimes).Observe(seconds(took));
}

void Metrics::turn(std::string_view ending, Duration took) {
  families_->turns.Add({{"ending", std::string(ending)}}, kTimes).Observe(seconds(took));
}

void Metrics::phase(std::string_view name, Duration took) {
  families_->phases.Add({{"phase", std::string(name)}}, kTimes).Observe(seconds(took));
}

void Metrics::recall(const RecallFigures& figures) {
  families_->recalls.Add({{"mode", std::string(figures.mode)}}).Increment();
  const auto stage = [&](const char* name, Duration took) {
    families_->recall_times.Add({{"stage", name}}, kTimes).Observe(seconds(took));
  };
  stage("embed", figures.embed);
  stage("search", figures.search);
  stage("rank", figures.rank);
  stage("all", figures.all);
}

void Metrics::journal_sync(Duration took) { families_->sync_times.Observe(seconds(took)); }

void Metrics::model_call(const ModelCallFigures& figures) {
  prometheus::Labels labels = {{"gen_ai_operation_name", "chat"},
                               {"gen_ai_request_model", families_->models.bounded(figures.model)}};
  if (figures.to_first_chunk > Duration(0))
    families_->first_chunks.Add(labels, kFirstChunkTimes).Observe(seconds(figures.to_first_chunk));
  const auto count = [&](const char* type, std::int64_t tokens) {
    prometheus::Labels typed = labels;
    typed["gen_ai_token_type"] = type;
    if (tokens > 0) families_->tokens.Add(typed, kTokens).Observe(static_cast<double>(tokens));
  };
  count("input", figures.tokens_in);
  count("output", figures.tokens_out);
  labels["error_type"] = figures.error;
  families_->model_times.Add(labels, kModelTimes).Observe(seconds(figures.took));
}

void Metrics::tool_call(std::string_view tool, Duration took, std::string_view error) {
  families_->tools
      .Add({{"gen_ai_tool_name", families_->tool_names.bounded(tool)}, {"error_type", std::string(error)}}, kModelTimes)
      .Observe(seconds(took));
}

void Metrics::encoded(std::string_view role, std::size_t texts, Duration took) {
  const prometheus::Labels labels = {{"role", std::string(role)}};
  families_->encoder_texts.Add(labels).Increment(static_cast<double>(texts));
  families_->encoder_times.Add(labels, kTimes).Observe(seconds(took));
}

void Metrics::encoder_failed(std::string_view role) {
  families_->encoder_failures.Add({{"role", std::string(role)}}).Increment();
}

void Metrics::probed(std::string_view dependency, bool is_up, Duration took) {
  const std::string name = families_->dependencies.bounded(dependency);
  families_->up.Add({{"service", name}}).Set(is_up ? 1 : 0);
  families_->probes.Add({{"service", name}}).Set(seconds(took));
}

std::unique_ptr<Metrics::Added> Metrics::add_source(SampleSource source) {
  const std::lock_guard lock(families_->sources_mutex);
  const std::uint64_t id = ++families_->last_source;
  families_->sources.emplace(id, std::move(source));
  return std::make_unique<Added>(*families_, id);
}

Metrics::Added::~Added() {
  const std::lock_guard lock(families_.sources_mutex);
  families_.sources.erase(id_);
}

std::string Metrics::text() const {
  std::vector<Sample> samples;
  {
    const std::lock_guard lock(families_->sources_mutex);
    for (const auto& [id, source] : families_->sources) source(samples);
  }
  std::map<std::string, prometheus::MetricFamily> looked_at;
  for (auto& sample : samples) {
    prometheus::MetricFamily& family = looked_at[sample.name];
    family.name = sample.name;
    family.help = sample.help;
    family.type = sample.type == SampleType::kCounter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    prometheus::ClientMetric metric;
    for (auto& [name, value] : sample.labels) metric.label.push_back({name, value});
    metric.counter.value = metric.gauge.value = sample.value;
    family.metric.push_back(std::move(metric));
  }
  auto families = families_->registry.Collect();
  for (auto& [name, family] : looked_at) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace pandora
