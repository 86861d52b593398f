// `pandora vectors` over REST with keep-alive, from the other end of a socket: what a search, a filter, an upsert and a
// bulk load cost, beside bare syncs of a file in DIRECTORY, in rounds that take turns. Starts nothing:
// rest_load PORT POINTS DIRECTORY [load], where `load` only loads. Bodies are made before the clock runs.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kSize = 384, kCentres = 200, kBatch = 500;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Connection {
 public:
  explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      std::perror("connect"), std::exit(1);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The body of the answer; ends the program when it is no 200.
  std::string_view ask(std::string_view request) {
    for (std::size_t sent = 0; sent < request.size();) {
      const auto n = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) std::perror("send"), std::exit(1);
      sent += static_cast<std::size_t>(n);
    }
    in_.clear();
    for (;;) {
      char buffer[65536];
      const auto n = ::recv(socket_, buffer, sizeof buffer, 0);
      if (n <= 0) std::fprintf(stderr, "the server closed the connection\n"), std::exit(1);
      in_.append(buffer, static_cast<std::size_t>(n));
      const std::size_t head = in_.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      const std::size_t at = in_.find("Content-Length: ");
      if (at > head) std::fprintf(stderr, "no Content-Length\n"), std::exit(1);
      const std::size_t length = std::strtoul(in_.c_str() + at + 16, nullptr, 10);
      if (in_.size() < head + 4 + length) continue;
      const std::string_view body = std::string_view(in_).substr(head + 4);
      if (!std::string_view(in_).substr(9).starts_with("200"))
        std::fprintf(stderr, "%.300s\n", in_.c_str()), std::exit(1);
      return body;
    }
  }

 private:
  int socket_;
  std::string in_;
};

std::string request(const char* method, const std::string& path, const std::string& body) {
  return std::string(method) + " " + path +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Vectors around some centres, as embeddings of texts lie.
class Source {
 public:
  Source() : random_(20261125) {
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < kCentres * kSize; ++i) centres_.push_back(normal(random_));
    for (std::size_t i = 0; i < kNoise; ++i) noise_.push_back(0.8F * normal(random_));
  }
  std::vector<float> vector() {
    const float* centre = &centres_[random_() % kCentres * kSize];
    std::vector<float> values;
    double square = 0;
    for (std::size_t i = 0; i < kSize; ++i) {
      values.push_back(centre[i] + noise_[random_() % kNoise]);
      square += static_cast<double>(values.back()) * values.back();
    }
    for (float& value : values) value = static_cast<float>(value / std::sqrt(square));
    return values;
  }

 private:
  static constexpr std::size_t kNoise = 1 << 20;
  std::mt19937 random_;
  std::vector<float> centres_, noise_;
};

std::string text_of(const std::vector<float>& vector) {
  std::string out = "[";
  char digits[32];
  for (const float value : vector) {
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;  // the shortest that is this float
    out.append(digits, end) += ',';
  }
  out.back() = ']';
  return out;
}

struct Figures {
  double p50, p99, each_second;
};

Figures measure(int port, const std::vector<std::string>& requests, int connections, double seconds) {
  std::vector<std::vector<double>> times(static_cast<std::size_t>(connections));
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (int c = 0; c < connections; ++c)
    threads.emplace_back([&, c] {
      Connection connection(port);
      for (std::size_t i = static_cast<std::size_t>(c) * 97; seconds_since(begin) < seconds; ++i) {
        const auto one = Clock::now();
        connection.ask(requests[i % requests.size()]);
        times[static_cast<std::size_t>(c)].push_back(seconds_since(one));
      }
    });
  for (auto& thread : threads) thread.join();
  const double took = seconds_since(begin);
  std::vector<double> all;
  for (const auto& one : times) all.insert(all.end(), one.begin(), one.end());
  std::ranges::sort(all);
  return {all[all.size() / 2] * 1e3, all[all.size() * 99 / 100] * 1e3, static_cast<double>(all.size()) / took};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Medians of rounds.
struct Line {
  const char* what;
  std::vector<double> p50 = {}, p99 = {}, each_second = {};
  void add(const Figures& figures) {
    p50.push_back(figures.p50);
    p99.push_back(figures.p99);
    each_second.push_back(figures.each_second);
  }
  void show() const {
    std::printf("%-44s p50 %7.3f ms   p99 %7.3f ms   %8.0f a second\n", what, median(p50), median(p99),
                median(each_second));
    std::fflush(stdout);
  }
};

enum class Log { kUsedAgain, kGrows };  // a file that grows costs the file system a record of its own

double bare_sync(const std::string& directory, Log log) {
  constexpr std::size_t kSyncs = 300, kBytes = 4096;
  const std::string path = directory + "/sync";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  const std::string bytes(kBytes, 'x');
  const auto write = [&](std::size_t i) {
    if (::pwrite(file, bytes.data(), kBytes, static_cast<off_t>(i * kBytes)) != static_cast<ssize_t>(kBytes))
      std::perror("write"), std::exit(1);
  };
  if (log == Log::kUsedAgain)
    for (std::size_t i = 0; i < kSyncs; ++i) write(i);
  ::fsync(file);
  std::vector<double> times;
  for (std::size_t i = 0; i < kSyncs; ++i) {
    const auto begin = Clock::now();
    write(i);
    ::fdatasync(file);
    times.push_back(seconds_since(begin) * 1e3);
  }
  ::close(file);
  ::unlink(path.c_str());
  return median(times);
}

class Bench {
 public:
  Bench(int port, std::size_t points, std::string directory)
      : port_(port), points_(points), directory_(std::move(directory)) {}

  void create() {
    Connection control(port_);
    (void)control.ask(request("DELETE", "/collections/bench", ""));
    control.ask(request("PUT", "/collections/bench", R"({"vectors":{"size":384,"distance":"Cosine"}})"));
    control.ask(
        request("PUT", "/collections/bench/index?wait=true", R"({"field_name":"part","field_schema":"keyword"})"));
  }

  // Points [first, first + count) by two connections, wait=true; so many a second.
  double load(std::size_t first, std::size_t count) {
    double seconds = 0;
    for (std::size_t from = first; from < first + count; from += kBodies * kBatch) {
      std::vector<std::string> bodies;  // a few at a time: all of them would not fit
      for (std::size_t at = from; at < std::min(first + count, from + kBodies * kBatch); at += kBatch)
        bodies.push_back(body(at, std::min(first + count, at + kBatch)));
      std::atomic<std::size_t> next = 0;
      const auto begin = Clock::now();
      std::vector<std::thread> threads;
      for (int c = 0; c < 2; ++c)
        threads.emplace_back([&] {
          Connection connection(port_);
          for (std::size_t i; (i = next++) < bodies.size();) connection.ask(bodies[i]);
        });
      for (auto& thread : threads) thread.join();
      seconds += seconds_since(begin);
    }
    return static_cast<double>(count) / seconds;
  }

  void make_requests() {
    for (std::size_t i = 0; i < kRequests; ++i) {
      queries_.push_back(source_.vector());
      const std::string vector = text_of(queries_.back());
      searches_.push_back(request("POST", "/collections/bench/points/query",
                                  "{\"query\":" + vector + ",\"limit\":10,\"with_payload\":true}"));
      filtered_.push_back(request(
          "POST", "/collections/bench/points/query",
          "{\"query\":" + vector +
              ",\"limit\":10,\"with_payload\":true,\"filter\":{\"must\":[{\"key\":\"part\",\"match\":{\"value\":\"p" +
              std::to_string(i % 100) + "\"}}]}}"));
      upserts_.push_back(request("PUT", "/collections/bench/points?wait=true",
                                 "{\"points\":[{\"id\":" + std::to_string(10 * points_ + i) + ",\"vector\":" + vector +
                                     ",\"payload\":{\"part\":\"new\"}}]}"));
    }
  }

  // Of the true ten.
  double recall() const {
    Connection connection(port_);
    std::size_t found = 0;
    for (std::size_t q = 0; q < kJudged; ++q) {
      std::vector<std::pair<float, std::size_t>> all;
      for (std::size_t i = 0; i < points_; ++i) {
        float dot = 0;
        for (std::size_t j = 0; j < kSize; ++j) dot += kept_[i * kSize + j] * queries_[q][j];
        all.emplace_back(-dot, i);
      }
      std::ranges::partial_sort(all, all.begin() + 10);
      const std::string answer(connection.ask(searches_[q]));
      for (std::size_t i = 0; i < 10; ++i)
        found += answer.find("\"id\":" + std::to_string(all[i].second) + ",") != std::string::npos ? 1 : 0;
    }
    return static_cast<double>(found) / (10 * kJudged);
  }

  void run() {
    std::printf("%-44s %.0f points a second\n", "bulk, two connections, wait=true", load(0, points_));
    std::fflush(stdout);
    make_requests();
    std::printf("%-44s %.4f\n", "recall@10", recall());
    Line one{"search, one connection"}, many{"search, sixteen connections"}, few{"search with a filter of 1 %"},
        put{"durable upsert, one connection"}, puts{"durable upsert, sixteen connections"},
        trip{"a bare round trip (/healthz)"};
    std::vector<double> syncs, appends;
    const std::vector<std::string> pings{request("GET", "/healthz", "")};
    (void)measure(port_, searches_, 1, 1);
    for (int round = 0; round < kRounds; ++round) {
      one.add(measure(port_, searches_, 1, 2));
      many.add(measure(port_, searches_, 16, 2));
      few.add(measure(port_, filtered_, 1, 1));
      syncs.push_back(bare_sync(directory_, Log::kUsedAgain));
      appends.push_back(bare_sync(directory_, Log::kGrows));
      trip.add(measure(port_, pings, 1, 0.5));
      put.add(measure(port_, upserts_, 1, 1));
      puts.add(measure(port_, upserts_, 16, 1));
    }
    for (const Line& line : {one, many, few, put, puts, trip}) line.show();
    std::printf("%-44s p50 %7.3f ms\n", "a bare sync, file used again", median(syncs));
    std::printf("%-44s p50 %7.3f ms\n", "a bare append and sync", median(appends));
    std::printf("%-44s p50 %7.3f ms\n", "an upsert, beyond round trip and sync",
                median(put.p50) - median(trip.p50) - median(syncs));
    meanwhile(median(one.p50));
  }

 private:
  // What a search costs while points come as fast as they are taken.
  void meanwhile(double quiet) {
    std::vector<std::string> bodies;
    for (std::size_t at = points_; at < points_ + kMeanwhile; at += kBatch) bodies.push_back(body(at, at + kBatch));
    std::atomic<bool> loading = true;
    std::vector<double> times;
    std::thread searching([&] {
      Connection connection(port_);
      for (std::size_t i = 0; loading; ++i) {
        const auto begin = Clock::now();
        connection.ask(searches_[i % searches_.size()]);
        times.push_back(seconds_since(begin) * 1e3);
      }
    });
    std::atomic<std::size_t> next = 0;
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int c = 0; c < 2; ++c)
      threads.emplace_back([&] {
        Connection connection(port_);
        for (std::size_t i; (i = next++) < bodies.size();) connection.ask(bodies[i]);
      });
    for (auto& thread : threads) thread.join();
    const double each_second = static_cast<double>(kMeanwhile) / seconds_since(begin);
    loading = false;
    searching.join();
    std::ranges::sort(times);
    const double p50 = times[times.size() / 2], p99 = times[times.size() * 99 / 100];
    std::printf("%-44s %.0f points a second\n", "bulk while one connection searches", each_second);
    std::printf("%-44s p50 %7.3f ms   p99 %7.3f ms   %.1f and %.1f times the quiet p50\n", "search meanwhile", p50, p99,
                p50 / quiet, p99 / quiet);
  }

  std::string body(std::size_t first, std::size_t end) {
    std::string out = "{\"points\":[";
    for (std::size_t i = first; i < end; ++i) {
      const std::vector<float> vector = source_.vector();
      if (i < points_ && points_ <= kKept) kept_.insert(kept_.end(), vector.begin(), vector.end());
      out += (i > first ? ",{\"id\":" : "{\"id\":") + std::to_string(i) + ",\"vector\":" + text_of(vector) +
             ",\"payload\":{\"part\":\"p" + std::to_string(i % 100) +
             "\",\"text\":\"a sentence of the usual length that somebody said\"}}";
    }
    return request("PUT", "/collections/bench/points?wait=true", out + "]}");
  }

  static constexpr std::size_t kBodies = 40, kRequests = 500, kJudged = 50, kMeanwhile = 60'000, kKept = 200'000;
  static constexpr int kRounds = 3;
  const int port_;
  const std::size_t points_;
  const std::string directory_;
  Source source_;
  std::vector<float> kept_;
  std::vector<std::vector<float>> queries_;
  std::vector<std::string> searches_, filtered_, upserts_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return std::fprintf(stderr, "usage: rest_load PORT POINTS DIRECTORY [load]\n"), 2;
  const std::size_t points = std::strtoul(argv[2], nullptr, 10);
  Bench bench(std::atoi(argv[1]), points, argv[3]);
  bench.create();
  if (argc == 4)
    bench.run();
  else
    std::printf("%-44s %.0f points a second\n", "bulk, two connections, wait=true", bench.load(0, points));
  return 0;
}
