// What `pandora serve` adds to a model server's answer: pass-through (memory off), and a turn with memory, beside
// asking the server directly, interleaved in one run. The server answers at once, in this process; Pandora is a process
// of its own. PANDORA_BENCH_PROGRAM names it (default: build/pandora), PANDORA_BENCH_DIR a directory for its data
// (default: here).
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_system.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "wire/json_reader.h"

extern char** environ;

namespace {
using namespace pandora;

constexpr int kRounds = 3;
constexpr auto kTime = std::chrono::seconds(2);  // of each measurement
constexpr const char* kAnswer =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Peanuts."},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}})";
constexpr const char* kQuestion =
    R"({"model":"m","messages":[{"role":"user","content":"Which nuts should I avoid?"}]})";

class ModelServer final : public HttpRouter, public HttpHandler {
 public:
  Result<HttpRoute> route(const HttpRequest&) override { return HttpRoute{this, RunOn::kLoop, 1 << 20}; }
  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
    const bool list = request.method == "GET";
    writer->respond(
        {200, {{"Content-Type", "application/json"}}, list ? R"({"object":"list","data":[{"id":"m"}]})" : kAnswer});
  }
};

// One caller: asks again as soon as it is answered, until it is told to stop.
class Caller final : public HttpCallSink {
 public:
  Caller(HttpClient& client, HttpCallRequest request, std::atomic<bool>& stop)
      : client_(client), request_(std::move(request)), stop_(stop) {}
  void begin() {
    client_.after(Duration(0), [this] { ask(); });  // on the thread of all that follows
  }
  void on_head(const ResponseHead& head) override { failures += head.status != 200; }
  Flow on_body(std::string_view) override { return Flow::kMore; }
  void on_done() override {
    micros.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began_).count());
    next();
  }
  void on_error(Error) override {
    ++failures;
    next();
  }
  std::vector<double> micros;
  int failures = 0;
  std::promise<void> ended;

 private:
  void ask() {
    began_ = std::chrono::steady_clock::now();
    call_ = client_.start(request_, Deadline::never(), *this);
  }
  void next() {
    if (stop_) return ended.set_value();
    client_.after(Duration(0), [this] { ask(); });  // not within a call of its own sink
  }
  HttpClient& client_;
  const HttpCallRequest request_;
  std::atomic<bool>& stop_;
  std::chrono::steady_clock::time_point began_;
  std::unique_ptr<HttpCall> call_;
};

struct Figures {
  double per_second = 0, p50 = 0, p95 = 0;
  int failures = 0;
};
Figures measure(HttpClient& client, const HttpCallRequest& request, int connections) {
  std::atomic<bool> stop = false;
  std::vector<std::unique_ptr<Caller>> callers;
  for (int i = 0; i < connections; ++i) callers.push_back(std::make_unique<Caller>(client, request, stop));
  const auto began = std::chrono::steady_clock::now();
  for (auto& caller : callers) caller->begin();
  std::this_thread::sleep_for(kTime);
  stop = true;
  for (auto& caller : callers) caller->ended.get_future().wait();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::vector<double> all;
  Figures figures;
  for (auto& caller : callers) {
    all.insert(all.end(), caller->micros.begin(), caller->micros.end());
    figures.failures += caller->failures;
  }
  std::ranges::sort(all);
  if (all.empty()) return figures;
  figures.per_second = static_cast<double>(all.size()) / seconds;
  figures.p50 = all[all.size() / 2];
  figures.p95 = all[all.size() * 95 / 100];
  return figures;
}

// `pandora serve` in front of the server; its URL.
class Served {
 public:
  Served(const std::string& program, const std::string& data, const std::string& model_url) {
    std::array<int, 2> out{};
    if (::pipe(out.data()) != 0) return;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_addclose(&actions, out[0]);
    const std::vector<std::string> words = {
        program, "serve",          "--json", "--log-level",           "error", "--data", data,
        "--set", "gateway.port=0", "--set",  "model.url=" + model_url};
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    (void)::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    std::string line;
    for (char byte = 0; ::read(out[0], &byte, 1) == 1 && byte != '\n';) line += byte;
    ::close(out[0]);
    const Json said = Json::parse(line, nullptr, false);
    if (said.is_object()) url = said.value("url", "");
  }
  ~Served() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
  }
  std::string url;

 private:
  pid_t process_ = -1;
};

std::string environment_or(const char* name, const char* otherwise) {
  const char* given = std::getenv(name);
  return given ? given : otherwise;
}

}  // namespace

int main() {
  const SystemClock clock;
  SystemRandom random;
  IoThreads server_threads(clock), client_threads(clock);
  ModelServer router;
  const auto server = HttpServer::listen({}, server_threads, router, random);
  const auto client = HttpClient::create({}, client_threads);
  const std::string data = join_path(environment_or("PANDORA_BENCH_DIR", "."), "gateway_bench.tmp");
  const auto files = make_posix_file_system();
  (void)files->remove_tree(data);
  if (!server || !client) return 1;
  const Served served(environment_or("PANDORA_BENCH_PROGRAM", "build/pandora"), data, (*server)->url());
  if (served.url.empty()) {
    fmt::print(stderr, "gateway_bench: pandora serve did not start\n");
    return 1;
  }
  const auto asking = [](const std::string& url, const char* memory) {
    HttpCallRequest request{
        "POST", url + "/v1/chat/completions", {{"Content-Type", "application/json"}}, kQuestion, {}};
    if (*memory) request.headers.add("Pandora-Memory", memory);
    return request;
  };
  struct Way {
    const char* name;
    HttpCallRequest request;
  };
  const std::vector<Way> ways = {{"direct", asking((*server)->url(), "")},
                                 {"passed through", asking(served.url, "off")},
                                 {"a turn, memory read", asking(served.url, "read")}};
  fmt::print("{:22} {:>11} {:>12} {:>10} {:>10} {:>9}\n", "", "connections", "requests/s", "p50 us", "p95 us",
             "failures");
  for (const int connections : {1, 64})
    for (int round = 0; round < kRounds; ++round)
      for (const auto& way : ways) {
        const Figures figures = measure(**client, way.request, connections);
        fmt::print("{:22} {:>11} {:>12.0f} {:>10.0f} {:>10.0f} {:>9}\n", way.name, connections, figures.per_second,
                   figures.p50, figures.p95, figures.failures);
        std::fflush(stdout);
      }
  (void)files->remove_tree(data);
  return 0;
}
