// Frames over a Unix socket: how a second command reaches the process that owns a data directory.
//
// A frame is its length (4 bytes, little endian) and as many bytes, at most kMaxFrameBytes. The socket's file has mode
// 0600 and only the same user (or root) is served. A path of any length works. One thread a connection, at most
// kMaxLocalConnections; one more is closed at once. Nothing here knows what a frame means.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::uint32_t kMaxFrameBytes = 64u << 20;
inline constexpr int kMaxLocalConnections = 64;
inline constexpr Duration kMaxUnread = std::chrono::seconds(60), kMaxUnreadAtEnd = std::chrono::seconds(5);

// One end of a connection. `send` and `receive` may be used by one thread each at the same time.
class LocalConnection {
 public:
  explicit LocalConnection(int descriptor) : descriptor_(descriptor) {}
  ~LocalConnection();
  LocalConnection(const LocalConnection&) = delete;
  LocalConnection& operator=(const LocalConnection&) = delete;

  // kCancelled: the other end closed, or has read nothing for kMaxUnread (kMaxUnreadAtEnd after `stop_receiving`).
  Status send(std::string_view frame);
  // kCancelled: the other end closed between two frames; kTooLarge; kDeadlineExceeded; kUnavailable.
  Result<std::string> receive(const Deadline& deadline);
  bool has_input(Duration wait) const;  // is there something to receive, or has the other end closed?
  bool peer_left() const;               // has the other end closed? Never blocks
  void stop_receiving();                // wakes a blocked receive; what is under way can still be sent

 private:
  Status read_exactly(char* into, std::size_t size, const Deadline& deadline, bool at_start);
  int descriptor_;
  std::atomic<bool> stopped_ = false;
};

// kNotFound: nobody listens there (no socket, or a stale one).
Result<std::unique_ptr<LocalConnection>> connect_local(const std::string& path);

class LocalServer {
 public:
  // The handler runs on the connection's own thread until it returns. A stale socket file is replaced: whoever calls
  // this must hold the lock of the directory.
  using Handler = std::function<void(LocalConnection&)>;
  static Result<std::unique_ptr<LocalServer>> listen(const std::string& path, Handler handler);
  // Takes no more connections, lets handlers finish and answer what they have received, then removes the socket file.
  virtual ~LocalServer() = default;
};

}  // namespace pandora
