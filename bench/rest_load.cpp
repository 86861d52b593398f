// `pandora vectors` over REST with keep-alive, from the other end of a socket: what a search, a filter, an upsert and a
// bulk load cost. Starts nothing: rest_load PORT [points]. Bodies are made before the clock runs.
#include <algorithm>
#include <atomic>
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
    for (std::size_t i = 0; i < kCentres * kSize; ++i) centres_.push_back(normal_(random_));
  }
  std::string vector() {
    const float* centre = &centres_[random_() % kCentres * kSize];
    std::vector<float> values;
    double square = 0;
    for (std::size_t i = 0; i < kSize; ++i) {
      values.push_back(centre[i] + 0.8F * normal_(random_));
      square += static_cast<double>(values.back()) * values.back();
    }
    std::string out = "[";
    char digits[32];
    for (const float value : values) {
      std::snprintf(digits, sizeof digits, "%.7g,", static_cast<double>(value) / std::sqrt(square));
      out += digits;
    }
    out.back() = ']';
    return out;
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<float> normal_;
  std::vector<float> centres_;
};

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

void show(const char* what, const Figures& figures) {
  std::printf("%-44s p50 %7.3f ms   p99 %7.3f ms   %8.0f a second\n", what, figures.p50, figures.p99,
              figures.each_second);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: rest_load PORT [points]\n"), 2;
  const int port = std::atoi(argv[1]);
  const std::size_t points = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100'000;
  Source source;
  Connection control(port);
  (void)control.ask(request("DELETE", "/collections/bench", ""));
  control.ask(request("PUT", "/collections/bench", R"({"vectors":{"size":384,"distance":"Cosine"}})"));
  control.ask(
      request("PUT", "/collections/bench/index?wait=true", R"({"field_name":"part","field_schema":"keyword"})"));

  std::vector<std::string> searches, filtered, upserts;
  for (int i = 0; i < 500; ++i) {
    const std::string vector = source.vector();
    searches.push_back(request("POST", "/collections/bench/points/query",
                               "{\"query\":" + vector + ",\"limit\":10,\"with_payload\":true}"));
    filtered.push_back(request(
        "POST", "/collections/bench/points/query",
        "{\"query\":" + vector +
            ",\"limit\":10,\"with_payload\":true,\"filter\":{\"must\":[{\"key\":\"part\",\"match\":{\"value\":\"p" +
            std::to_string(i % 100) + "\"}}]}}"));
    upserts.push_back(request("PUT", "/collections/bench/points?wait=true",
                              "{\"points\":[{\"id\":" + std::to_string(points + static_cast<std::size_t>(i)) +
                                  ",\"vector\":" + vector + ",\"payload\":{\"part\":\"new\"}}]}"));
  }

  double loading = 0;
  for (std::size_t first = 0; first < points; first += 20 * kBatch) {
    std::vector<std::string> bodies;  // a few at a time: all of them would not fit
    for (std::size_t from = first; from < std::min(points, first + 20 * kBatch); from += kBatch) {
      std::string body = "{\"points\":[";
      for (std::size_t i = from; i < std::min(points, from + kBatch); ++i)
        body += (i > from ? ",{\"id\":" : "{\"id\":") + std::to_string(i) + ",\"vector\":" + source.vector() +
                ",\"payload\":{\"part\":\"p" + std::to_string(i % 100) +
                "\",\"text\":\"a sentence of the usual length that somebody said\"}}";
      bodies.push_back(request("PUT", "/collections/bench/points?wait=true", body + "]}"));
    }
    std::atomic<std::size_t> next = 0;
    const auto begin = Clock::now();
    std::vector<std::thread> threads;
    for (int c = 0; c < 2; ++c)
      threads.emplace_back([&] {
        Connection connection(port);
        for (std::size_t i; (i = next++) < bodies.size();) connection.ask(bodies[i]);
      });
    for (auto& thread : threads) thread.join();
    loading += seconds_since(begin);
  }
  std::printf("%-44s %.0f points a second\n", "bulk, two connections, wait=true",
              static_cast<double>(points) / loading);
  (void)measure(port, searches, 1, 1);
  show("search, one connection", measure(port, searches, 1, 5));
  show("search, sixteen connections", measure(port, searches, 16, 5));
  show("search with a filter of 1 %, one connection", measure(port, filtered, 1, 3));
  show("durable upsert, one connection", measure(port, upserts, 1, 3));
  show("durable upsert, sixteen connections", measure(port, upserts, 16, 3));
  return 0;
}
