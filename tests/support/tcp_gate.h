// A gate between a client and a server on 127.0.0.1: passes everything on until it is told to hold it back,
// to be slow, or to cut.
#pragma once
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>

namespace pandora::testing {

class TcpGate {
 public:
  explicit TcpGate(std::uint16_t server);
  ~TcpGate();
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;
  std::uint16_t port() const { return port_; }

  void hold() { holds_ = true; }  // both ways; connections stay open, and new ones are accepted
  void release() { holds_ = false; }
  // Both ways, of each connection: at most so many bytes every few milliseconds; 0: as fast as they come.
  void trickle(std::size_t bytes) { most_ = bytes; }
  void cut();                                        // resets every connection
  void refuse(bool refuses) { refuses_ = refuses; }  // new ones are reset
  // The connections end after so many bytes more to the server, of all of them together; 0: never.
  void cut_after(std::int64_t bytes) { left_ = bytes; }
  std::int64_t passed() const { return passed_; }  // bytes to the server so far

 private:
  struct Pair {
    int near, far;
  };
  void accept();
  bool pass_on(int near, int far);
  const std::uint16_t server_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> holds_ = false, refuses_ = false, ends_ = false;
  std::atomic<std::size_t> most_ = 0;
  std::atomic<std::int64_t> left_ = 0, passed_ = 0;
  std::mutex mutex_;
  std::list<Pair> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace pandora::testing
