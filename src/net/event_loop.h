// Inside net: one thread that waits for descriptors. Boost.Asio stands behind it, in event_loop.cpp alone.
//
// Waiting is for readiness, not for completion: a connection that waits holds no buffer, and reads go into one scratch
// buffer that all connections of a thread share. That is what makes a thousand idle streams cheap. Everything but
// `post` and `is_current` is for the loop's own thread.
#pragma once
#include <functional>
#include <memory>
#include <span>

#include "base/clock.h"
#include "net/socket_address.h"

namespace pandora {

inline constexpr std::size_t kScratchBytes = 64 * 1024;
inline constexpr Duration kSweepInterval = std::chrono::milliseconds(25);  // how late a limit of time may strike

// Told that a descriptor is ready. A wait keeps it alive.
class ReadyHandler {
 public:
  virtual ~ReadyHandler() = default;
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;
};

// Owns a non-blocking descriptor. Destroying it closes the descriptor; waits then end without a call.
class WatchedDescriptor {
 public:
  virtual ~WatchedDescriptor() = default;
  virtual int descriptor() const = 0;
  // One call each; asking again while a wait is under way changes nothing. Also called when the other side is gone.
  virtual void wait_readable(std::shared_ptr<ReadyHandler> handler) = 0;
  virtual void wait_writable(std::shared_ptr<ReadyHandler> handler) = 0;
};

// Has something to do once, at the end of what the loop's thread does now: many small writes become one.
class Deferred {
 public:
  virtual ~Deferred() = default;
  virtual void on_deferred() = 0;

 private:
  friend class AsioEventLoop;
  bool is_deferred_ = false;
};

// Looked at every kSweepInterval while it is enrolled: deadlines cost a comparison, not a timer each.
class Swept {
 public:
  virtual ~Swept() = default;
  virtual void on_sweep(SteadyTime now) = 0;  // of the injected clock; may enroll and dismiss

 private:
  friend class AsioEventLoop;
  std::size_t place_ = SIZE_MAX;
};

class EventLoop {
 public:
  static std::shared_ptr<EventLoop> create(const Clock& clock);
  virtual ~EventLoop() = default;
  virtual void run() = 0;                             // until stop
  virtual void stop() = 0;                            // from any thread; what is posted later is dropped
  virtual void post(std::function<void()> work) = 0;  // from any thread; in order
  // At the end of the call under way; asking again before that changes nothing.
  virtual void defer(const std::shared_ptr<Deferred>& deferred) = 0;
  virtual bool is_current() const = 0;
  virtual const Clock& clock() const = 0;

  // Takes the descriptor; null, and the descriptor closed, when the system refuses to watch it.
  virtual std::unique_ptr<WatchedDescriptor> watch(int descriptor) = 0;
  virtual void enroll(Swept& swept) = 0;
  virtual void dismiss(Swept& swept) = 0;  // also when it is not enrolled
  virtual std::span<char> scratch() = 0;   // valid until the next read on this thread
};

}  // namespace pandora
