// What `pandora serve` costs beside nginx, a plain reverse proxy: asking a model server directly, through nginx and
// through Pandora with memory off, interleaved in one run, medians of rounds; then turns with memory, 1,000 idle
// streams, and the time to start. Load (http_load.h) and model server (stand_in_model.h) are made so that they are not
// the limit.
//
// gateway_bench [pass] [streams] [turns] [idle] [start]: these parts alone. PANDORA_BENCH_PROGRAM names the program
// (default: build/pandora), PANDORA_BENCH_DIR a directory for its data (default: here), PANDORA_BENCH_NGINX nginx
// (default: from the path), PANDORA_BENCH_ROUNDS how often each is measured (default: 5), PANDORA_BENCH_TURNS a data
// directory of user "bench" over which the turns are asked (one that recall_bench made; default: an empty one).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file_system.h"
#include "child_process.h"
#include "http_load.h"
#include "stand_in_model.h"
#include "steps.h"
#include "wire/json_reader.h"

namespace {
using namespace pandora;
using std::chrono::milliseconds;

constexpr milliseconds kTime{1000};  // of each measurement
constexpr int kConnections = 64;
constexpr int kIdleStreams = 1000;
constexpr const char* kConversation =
    R"("messages":[{"role":"system","content":"You help with food. Answer in two sentences."},{"role":"user","content":"I had peanuts in March and they gave me a rash."},{"role":"assistant","content":"I am sorry to hear that. I will keep it in mind."},{"role":"user","content":"Which nuts should I avoid?"}],"temperature":0.2,"max_tokens":200,"user":"bench")";

const std::string& directory() {
  static const std::string path =
      std::filesystem::absolute(environment_or("PANDORA_BENCH_DIR", ".")) / "gateway_bench.tmp";
  return path;
}
int rounds() { return std::max(1, std::atoi(environment_or("PANDORA_BENCH_ROUNDS", "5").c_str())); }

std::string request(const char* model, bool streams, const char* memory, const std::string& conversation) {
  const std::string body = fmt::format(R"({{"model":"{}",{},"stream":{}}})", model, conversation, streams);
  return fmt::format(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nContent-Type: "
      "application/json\r\nUser-Agent: bench\r\nAuthorization: Bearer none\r\nPandora-Memory: {}\r\nContent-Length: "
      "{}\r\n\r\n{}",
      memory, body.size(), body);
}

double median(std::vector<double> values) { return percentile(values, 0.5); }

// ── who is asked ──

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  (void)::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

struct Served {
  std::unique_ptr<ChildProcess> process;
  std::uint16_t port = 0;
  double start_millis = 0;  // from the program's start to the line that says where it listens
};

Served serve(std::uint16_t model, const std::string& data = "data", const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {environment_or("PANDORA_BENCH_PROGRAM", "build/pandora"),
                                    "serve",
                                    "--json",
                                    "--log-level",
                                    "error",
                                    "--data",
                                    data.starts_with('/') ? data : join_path(directory(), data),
                                    "--set",
                                    "gateway.port=0",
                                    "--set",
                                    fmt::format("model.url=http://127.0.0.1:{}", model)};
  words.insert(words.end(), more.begin(), more.end());
  Served served;
  const std::int64_t began = monotonic_nanos();
  served.process = std::make_unique<ChildProcess>(words);
  const Json said = Json::parse(served.process->read_line(), nullptr, false);
  served.start_millis = static_cast<double>(monotonic_nanos() - began) / 1e6;
  const std::string url = said.is_object() ? said.value("url", "") : "";
  if (const std::size_t colon = url.rfind(':'); colon != std::string::npos)
    served.port = static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1)));
  return served;
}

struct Nginx {
  std::unique_ptr<ChildProcess> process;
  std::uint16_t port = free_port();
};
// A worker for each core and kept connections on both sides; nothing is logged or held back.
Nginx start_nginx(FileSystem& files, std::uint16_t model) {
  Nginx nginx;
  const std::string place = join_path(directory(), "nginx"), file = join_path(place, "nginx.conf");
  (void)files.create_directories(place);
  std::string temporary;
  for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
    temporary += fmt::format("  {}_temp_path {};\n", what, join_path(place, what));
  const std::string text = fmt::format(
      "{}daemon off;\nworker_processes auto;\npid {}/pid;\nerror_log stderr error;\nevents {{ worker_connections 4096; "
      "}}\n"
      "http {{\n{}  access_log off;\n  keepalive_requests 100000000;\n"
      "  upstream model {{ server 127.0.0.1:{}; keepalive 256; keepalive_requests 100000000; }}\n"
      "  server {{\n    listen 127.0.0.1:{};\n    location / {{\n      proxy_pass http://model;\n"
      "      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      proxy_buffering off;\n    }}\n  "
      "}}\n}}\n",
      ::geteuid() == 0 ? "user root;\n" : "", place, temporary, model, nginx.port);
  (void)files.write_atomic(file, text, Durability::kDeferred);
  nginx.process = std::make_unique<ChildProcess>(std::vector<std::string>{
      environment_or("PANDORA_BENCH_NGINX", "nginx"), "-p", place, "-e", "stderr", "-c", file});
  return nginx;
}

struct Way {
  std::string name;
  std::uint16_t port = 0;
  const ChildProcess* process = nullptr;  // whose processor time counts
};

// ── figures ──

struct Series {  // of one way, an entry a round
  std::vector<double> rate, whole, whole_95, first, first_95, age, age_99, processor, failures;
};
using Figures = std::map<std::string, Series>;

void measure(const std::vector<Way>& ways, const std::string& what, int connections, milliseconds time,
             Figures& figures) {
  for (const auto& way : ways) {
    const auto before = way.process ? way.process->processor_time() : std::chrono::nanoseconds(0);
    LoadFigures load = put_load(way.port, what, connections, time);
    Series& series = figures[way.name];
    series.rate.push_back(load.per_second);
    series.whole.push_back(percentile(load.whole, 0.5));
    series.whole_95.push_back(percentile(load.whole, 0.95));
    series.first.push_back(percentile(load.first, 0.5));
    series.first_95.push_back(percentile(load.first, 0.95));
    series.age.push_back(percentile(load.age, 0.5));
    series.age_99.push_back(percentile(load.age, 0.99));
    series.failures.push_back(static_cast<double>(load.failures));
    if (way.process && load.answers > 0)
      series.processor.push_back(
          std::chrono::duration<double, std::micro>(way.process->processor_time() - before).count() /
          static_cast<double>(load.answers));
  }
}

// What a way adds to asking directly: the median of the rounds' differences.
double added(const Figures& figures, const std::string& way, std::vector<double> Series::* which) {
  const auto& ours = figures.at(way).*which;
  const auto& direct = figures.at("direct").*which;
  std::vector<double> differences;
  for (std::size_t i = 0; i < ours.size(); ++i) differences.push_back(ours[i] - direct[i]);
  return median(differences);
}

double failures(const Figures& figures) {
  double sum = 0;
  for (const auto& [name, series] : figures)
    for (const double some : series.failures) sum += some;
  return sum;
}

void row(const char* what, const std::string& direct, const std::string& nginx, const std::string& pandora,
         const std::string& ratio, const char* wanted) {
  fmt::print("{:52} {:>9} {:>9} {:>9} {:>7}  {}\n", what, direct, nginx, pandora, ratio, wanted);
  std::fflush(stdout);
}
void headline() { row("", "direct", "nginx", "pandora", "ratio", "wanted"); }
std::string number(double value, int digits = 0) { return fmt::format("{:.{}f}", value, digits); }

// ── the parts ──

void pass(const std::vector<Way>& ways) {
  const std::string whole = request(kWhole, false, "off", kConversation);
  const std::string quick = request(kQuick, true, "off", kConversation);
  Figures many, one, first;
  for (const auto& way : ways) (void)put_load(way.port, whole, kConnections, milliseconds(300));
  for (int i = 0; i < rounds(); ++i) {
    measure(ways, whole, kConnections, kTime, many);
    measure(ways, whole, 1, kTime, one);
    measure(ways, quick, 1, kTime, first);
  }
  const double nginx = median(many["nginx"].rate), pandora = median(many["pandora"].rate);
  row("64 connections: requests/s", number(median(many["direct"].rate)), number(nginx), number(pandora),
      number(pandora / nginx, 2), ">= 0.5");
  const double theirs = median(many["nginx"].processor), ours = median(many["pandora"].processor);
  row("64 connections: processor time a request, us", "", number(theirs, 1), number(ours, 1), number(ours / theirs, 2),
      "<= 3");
  const double their_time = added(one, "nginx", &Series::whole), our_time = added(one, "pandora", &Series::whole);
  row("1 connection: added, us", "+" + number(median(one["direct"].whole)), number(their_time), number(our_time),
      number(our_time / their_time, 2), "<= 3");
  const double their_first = added(first, "nginx", &Series::first), our_first = added(first, "pandora", &Series::first);
  row("1 connection: added to the first token, us", "+" + number(median(first["direct"].first)), number(their_first),
      number(our_first), number(our_first / their_first, 2), "<= 3");
  row("failures", "", "", number(failures(many) + failures(one) + failures(first)), "", "0");
}

void streams(const std::vector<Way>& ways) {
  const std::string paced = request(kPaced, true, "off", kConversation);
  Figures figures;
  for (int i = 0; i < rounds(); ++i) measure(ways, paced, kConnections, 2 * kTime, figures);
  const double direct = median(figures["direct"].rate), nginx = median(figures["nginx"].rate),
               pandora = median(figures["pandora"].rate);
  row("64 streams, 10 ms between chunks: streams/s", number(direct, 1), number(nginx, 1), number(pandora, 1),
      number(pandora / direct, 3), ">= 0.98 of direct");
  row("first chunk later than direct, ms", "", number(added(figures, "nginx", &Series::first) / 1000, 3),
      number(added(figures, "pandora", &Series::first) / 1000, 3), "", "<= 1");
  row("a chunk's way, p50, us", number(median(figures["direct"].age)), number(median(figures["nginx"].age)),
      number(median(figures["pandora"].age)), "", "no timer");
  row("a chunk's way, p99, us", number(median(figures["direct"].age_99)), number(median(figures["nginx"].age_99)),
      number(median(figures["pandora"].age_99)), "", "no timer");
  row("failures", "", "", number(failures(figures)), "", "0");
}

void turns(std::uint16_t model, const Served& served) {
  const std::vector<Way> ways = {{"direct", model, nullptr}, {"pandora", served.port, served.process.get()}};
  struct Kind {
    const char* memory;
    int connections;
  };
  for (const auto& [memory, connections] : {Kind{"read", 1}, {"read", kConnections}, {"on", 1}, {"on", kConnections}}) {
    const std::string quick =
        request(kQuick, true, memory,
                R"("messages":[{"role":"user","content":"Which nuts should I avoid?"}],"user":"someone-########")");
    Figures figures;
    (void)put_load(served.port, quick, connections, milliseconds(300));
    for (int i = 0; i < rounds(); ++i) measure(ways, quick, connections, kTime, figures);
    const Series& ours = figures["pandora"];
    const std::string name =
        fmt::format("memory {}, {} connection{}: ", memory, connections, connections > 1 ? "s" : "");
    row((name + "turns/s").c_str(), "", "", number(median(ours.rate)), "", "");
    row((name + "first token p50, ms").c_str(), number(median(figures["direct"].first) / 1000, 2), "",
        number(median(ours.first) / 1000, 2), "", connections == 1 ? "+4 with AMX" : "");
    row((name + "first token p95, ms").c_str(), number(median(figures["direct"].first_95) / 1000, 2), "",
        number(median(ours.first_95) / 1000, 2), "", connections == 1 ? "+8 with AMX" : "");
    row((name + "failures").c_str(), "", "", number(failures(figures)), "", "0");
  }
}

void idle(const Served& served) {
  (void)put_load(served.port, request(kWhole, false, "off", kConversation), kConnections, kTime);
  for (const char* memory : {"off", "read"}) {
    const std::size_t before = served.process->resident_bytes();
    const OpenStreams open(served.port, request(kSilent, true, memory, kConversation), kIdleStreams);
    const std::size_t with = served.process->resident_bytes();
    const std::string name = fmt::format("{} idle streams, memory {}: ", open.begun, memory);
    row((name + "KB each").c_str(), "", "",
        number(static_cast<double>(with - std::min(with, before)) / 1024 /
                   std::max<double>(1, static_cast<double>(open.begun)),
               1),
        "", "<= 24");
    row((name + "MB in all").c_str(), "", "", number(static_cast<double>(with) / 1e6, 1), "", "<= 64, without encoder");
  }
}

void start(FileSystem& files, std::uint16_t model) {
  std::vector<double> empty, again;
  for (int i = 0; i < rounds(); ++i) {
    (void)files.remove_tree(join_path(directory(), "data"));
    empty.push_back(serve(model).start_millis);
    again.push_back(serve(model).start_millis);
  }
  row("start to listening with an empty store, ms", "", "", number(median(empty), 1), "", "<= 50");
  row("start to listening once more, ms", "", "", number(median(again), 1), "", "<= 50");
}

}  // namespace

int main(int count, char** words) {
  std::set<std::string> parts(words + 1, words + count);
  if (parts.empty()) parts = {"pass", "streams", "turns", "idle", "start"};
  const std::uint16_t model = start_stand_in_model();
  const auto files = make_posix_file_system();
  (void)files->remove_tree(directory());
  if (model == 0 || !files->create_directories(directory())) return 1;
  headline();
  if (parts.contains("start")) start(*files, model);
  if (parts.contains("idle")) {
    const Served served = serve(model, "hashing", {"--set", "encoder.model=hashing"});
    idle(served);
  }
  if (parts.contains("pass") || parts.contains("streams")) {
    const Served served = serve(model);
    const Nginx nginx = start_nginx(*files, model);
    const std::string probe = request(kWhole, false, "off", kConversation);
    for (int i = 0; i < 100 && put_load(nginx.port, probe, 1, milliseconds(1)).answers == 0; ++i)
      std::this_thread::sleep_for(milliseconds(20));
    if (served.port == 0 || put_load(nginx.port, probe, 1, milliseconds(1)).answers == 0) {
      fmt::print(stderr, "gateway_bench: {} did not start\n", served.port == 0 ? "pandora serve" : "nginx");
      return 1;
    }
    const std::vector<Way> ways = {{"direct", model, nullptr},
                                   {"nginx", nginx.port, nginx.process.get()},
                                   {"pandora", served.port, served.process.get()}};
    if (parts.contains("pass")) pass(ways);
    if (parts.contains("streams")) streams(ways);
  }
  if (parts.contains("turns")) {
    const std::string kept = environment_or("PANDORA_BENCH_TURNS", "");
    turns(model, kept.empty() ? serve(model) : serve(model, kept, {"--user", "bench"}));
  }
  (void)files->remove_tree(directory());
  return 0;
}
