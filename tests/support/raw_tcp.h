// Peers that send exactly the bytes they are told, cut where they are told: for tests of whoever speaks with them.
//
// Every wait is bounded (kPatience) and ends as if the other side had gone.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace pandora::testing {

inline constexpr std::chrono::seconds kPatience{20};

class RawConnection {
 public:
  explicit RawConnection(int descriptor);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool send(std::string_view bytes);                 // false when the other side is gone
  bool send_sliced(std::string_view bytes);          // each byte a packet of its own
  std::string receive_until(std::string_view mark);  // with the mark; less when the other side ends
  std::string receive(std::size_t bytes);
  std::string receive_all();       // until the other side ends
  std::string receive_response();  // a head and as much body as its Content-Length says
  void end_sending();
  void reset();  // closes with RST
  int descriptor() const { return descriptor_; }

 private:
  bool fill();
  int descriptor_;
  std::string in_;
};

// Connects to 127.0.0.1. A `receive_buffer` (bytes, 0: the system's) makes a reader that is slow from the start.
std::unique_ptr<RawConnection> connect_raw(std::uint16_t port, int receive_buffer = 0);

// Listens on 127.0.0.1; each connection runs the script on a thread of its own.
class RawServer {
 public:
  using Script = std::function<void(RawConnection&, int which)>;  // which: 0 for the first connection, and so on
  explicit RawServer(Script script);
  ~RawServer();  // ends every connection
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return count_; }

 private:
  void run();
  Script script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> count_ = 0;
  std::mutex mutex_;
  std::list<RawConnection*> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// A port of 127.0.0.1 that nobody has, and that this process was not given before.
std::uint16_t free_port();
// Looks every millisecond until `holds`, bounded by kPatience; what it saw last.
bool eventually(const std::function<bool()>& holds);
// Lets this process open so many descriptors, when the system allows; how many it may.
std::size_t allow_descriptors(std::size_t wanted);

}  // namespace pandora::testing
