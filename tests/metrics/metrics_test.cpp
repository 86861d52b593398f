// What is counted: values move when they must, and no label grows without end.
#include "metrics/metrics.h"

#include <thread>

#include <gmock/gmock.h>

#include "contract/expect.h"
#include "embed/embedders.h"
#include "metrics/measured_embedder.h"
#include "metrics/process_samples.h"

namespace pandora {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

// The value of a line that begins so; -1: there is none.
double value(const std::string& text, const std::string& line) {
  const std::size_t at = text.find("\n" + line + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + line.size() + 2));
}
std::size_t lines_with(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Metrics, CountsRequestsByRouteMethodAndStatus) {
  Metrics metrics("1.2.3");
  const std::string ok = R"(pandora_http_requests_total{method="GET",route="/v1/models",status="200"})";
  EXPECT_EQ(value(metrics.text(), ok), -1);
  metrics.http_request("/v1/models", "GET", 200, milliseconds(3));
  metrics.http_request("/v1/models", "GET", 200, milliseconds(3));
  metrics.http_request("/v1/models", "BREW", 405, milliseconds(0));
  const std::string text = metrics.text();
  EXPECT_EQ(value(text, ok), 2);
  EXPECT_EQ(value(text, R"(pandora_http_requests_total{method="other",route="/v1/models",status="405"})"), 1);
  EXPECT_EQ(value(text, R"(pandora_http_request_duration_seconds_count{route="/v1/models"})"), 3);
  EXPECT_EQ(value(text, R"(pandora_http_request_duration_seconds_bucket{route="/v1/models",le="0.0025"})"), 1);
  EXPECT_EQ(value(text, R"(pandora_http_request_duration_seconds_bucket{route="/v1/models",le="0.005"})"), 3);
  EXPECT_EQ(value(text, R"(pandora_build_info{version="1.2.3"})"), 1);
}

TEST(Metrics, AModelCallIsTimedToItsFirstChunkAndItsTokensAreCounted) {
  Metrics metrics("1");
  metrics.model_call({"m", milliseconds(700), milliseconds(90), 100, 7, ""});
  metrics.model_call({"m", milliseconds(5), Duration(0), 0, 0, "unavailable"});
  const std::string text = metrics.text(), of = R"({gen_ai_operation_name="chat",gen_ai_request_model="m")";
  EXPECT_EQ(value(text, "gen_ai_client_operation_time_to_first_chunk_seconds_count" + of + "}"), 1);
  EXPECT_EQ(value(text, "gen_ai_client_token_usage_sum" + of + R"(,gen_ai_token_type="input"})"), 100);
  EXPECT_EQ(value(text, "gen_ai_client_token_usage_sum" + of + R"(,gen_ai_token_type="output"})"), 7);
  EXPECT_EQ(lines_with(text, R"(gen_ai_client_operation_duration_seconds_count{error_type="unavailable")"), 1u);
  EXPECT_EQ(lines_with(text, R"(gen_ai_client_operation_duration_seconds_count{error_type="",)"), 1u);
}

TEST(Metrics, NoLabelGrowsWithoutEnd) {
  Metrics metrics("1");
  for (std::size_t i = 0; i < kMaxLabelValues + 1; ++i) {
    metrics.tool_call("tool" + std::to_string(i), milliseconds(1), "");
    metrics.model_call({"model" + std::to_string(i), milliseconds(1), milliseconds(1), 1, 1, ""});
    metrics.probed("dependency" + std::to_string(i), true, milliseconds(1));
  }
  const std::string text = metrics.text();
  EXPECT_EQ(lines_with(text, "gen_ai_execute_tool_duration_seconds_count{"), kMaxLabelValues + 1);
  EXPECT_EQ(lines_with(text, "gen_ai_client_operation_duration_seconds_count{"), kMaxLabelValues + 1);
  EXPECT_EQ(lines_with(text, "pandora_probe_seconds{"), kMaxLabelValues + 1);
  EXPECT_THAT(text, HasSubstr(R"(gen_ai_tool_name="other")"));
  EXPECT_THAT(text, HasSubstr("tool99"));
  EXPECT_THAT(text, Not(HasSubstr("tool100")));
}

TEST(Metrics, ASourceIsAskedWhileItIsThere) {
  Metrics metrics("1");
  int value_now = 1;
  auto added = metrics.add_source([&](std::vector<Sample>& samples) {
    samples.push_back({"test_things", "Things", SampleType::kGauge, {{"kind", "a\"b"}}, double(value_now)});
    samples.push_back({"test_things", "Things", SampleType::kGauge, {{"kind", "c"}}, 7});
    samples.push_back({"test_total", "All", SampleType::kCounter, {}, 3});
  });
  std::string text = metrics.text();
  EXPECT_EQ(value(text, R"(test_things{kind="a\"b"})"), 1);
  EXPECT_EQ(lines_with(text, "# TYPE test_things gauge"), 1u);
  EXPECT_EQ(lines_with(text, "# TYPE test_total counter"), 1u);
  value_now = 2;
  EXPECT_EQ(value(metrics.text(), R"(test_things{kind="a\"b"})"), 2);
  added.reset();
  EXPECT_THAT(metrics.text(), Not(HasSubstr("test_things")));
}

TEST(Metrics, ManyThreadsCountTogether) {
  Metrics metrics("1");
  constexpr int kThreads = 8, kEach = 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&metrics] {
      for (int j = 0; j < kEach; ++j) {
        metrics.http_request("/a", "GET", 200, milliseconds(1));
        metrics.journal_sync(milliseconds(2));
        if (j % 100 == 0) (void)metrics.text();
      }
    });
  for (auto& thread : threads) thread.join();
  const std::string text = metrics.text();
  EXPECT_EQ(value(text, R"(pandora_http_requests_total{method="GET",route="/a",status="200"})"), kThreads * kEach);
  EXPECT_EQ(value(text, "pandora_journal_sync_duration_seconds_count"), kThreads * kEach);
}

TEST(Metrics, TheEncoderIsCountedAndItsFailuresApart) {
  const SystemClock clock;
  Metrics metrics("1");
  const auto embedder = measured(make_hashing_embedder(), metrics, clock);
  const std::vector<std::string_view> texts = {"a cat", "a dog"};
  must(embedder->embed(texts, TextRole::kPassage, kNever));
  EXPECT_FALSE(embedder->embed(texts, TextRole::kQuestion, past()));
  const std::string text = metrics.text();
  EXPECT_EQ(value(text, R"(pandora_encoder_texts_total{role="passage"})"), 2);
  EXPECT_EQ(value(text, R"(pandora_encoder_duration_seconds_count{role="passage"})"), 1);
  EXPECT_EQ(value(text, R"(pandora_encoder_failures_total{role="question"})"), 1);
}

TEST(ProcessSamples, AreThoseOfThisProcess) {
  std::vector<Sample> samples;
  add_process_samples(samples);
  add_disk_samples("/", "data", samples);
  add_disk_samples("/no/such/directory", "data", samples);
  std::map<std::string, double> found;
  for (const auto& sample : samples) found[sample.name] = sample.value;
  EXPECT_EQ(found.size(), 8u);
  EXPECT_GT(found["process_resident_memory_bytes"], 1 << 20);
  EXPECT_GT(found["process_virtual_memory_bytes"], found["process_resident_memory_bytes"]);
  EXPECT_EQ(found["process_threads"], 1);
  EXPECT_GE(found["process_open_fds"], 3);
  EXPECT_LT(found["process_open_fds"], found["process_max_fds"]);
  const double now = static_cast<double>(SystemClock().now().micros) / 1e6;
  EXPECT_NEAR(found["process_start_time_seconds"], now, 600);
  EXPECT_GT(found["pandora_disk_free_bytes"], 0);
}

}  // namespace
}  // namespace pandora
