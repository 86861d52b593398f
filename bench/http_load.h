// Load on an HTTP server over keep-alive connections, each asking again as soon as it is answered: one thread, epoll,
// no allocation on the way, so that what is measured is the server.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace pandora {

struct LoadFigures {
  double per_second = 0;
  std::size_t answers = 0, failures = 0;
  // Microseconds: to the end of an answer, to the first byte of its body, and how old a chunk that says when it was
  // sent (kSentMark) is when it comes.
  std::vector<double> whole, first, age;
};
double percentile(std::vector<double>& values, double share);  // sorts them; 0 of none

inline constexpr const char* kEachItsOwn = "########";
// Within a chunk, before the nanoseconds of the monotonic clock at which it was sent.
inline constexpr const char* kSentMark = "\"content\":\"@";
std::int64_t monotonic_nanos();

// `request`: all its bytes; kEachItsOwn in it becomes a number that no other has. Failures are answers with
// another status than 200, and connections that end.
LoadFigures put_load(std::uint16_t port, const std::string& request, int connections, std::chrono::milliseconds time);

// Connections whose answers have begun and do not go on; they close with this object.
class OpenStreams {
 public:
  OpenStreams(std::uint16_t port, const std::string& request, int count);  // returns when a chunk of each has come
  ~OpenStreams();
  OpenStreams(const OpenStreams&) = delete;
  OpenStreams& operator=(const OpenStreams&) = delete;
  std::size_t begun = 0;

 private:
  std::vector<int> sockets_;
};

}  // namespace pandora
