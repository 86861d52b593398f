// Inside net: one request and its answer, between whoever answers and the connection that sends.
//
// Thread-safe. The answerer's side may be on any thread; the connection's side (`take`, `sent`, `end`) is the loop's.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "net/event_loop.h"
#include "net/http_server.h"

namespace pandora {

// The connection, as the exchange sees it.
class ExchangeOutlet : public Deferred {
 public:
  virtual void flush() = 0;  // on the loop: there is something to take
  void on_deferred() final { flush(); }
};

struct ExchangeTraits {
  std::string request_id;
  bool is_head = false;  // answers without their bodies
  int minor_version = 1;
  Persistence persistence = Persistence::kKeepAlive;
  std::size_t high_water = 0, max_unsent = 0;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(ExchangeTraits traits, const std::shared_ptr<EventLoop>& loop, std::weak_ptr<ExchangeOutlet> outlet)
      : traits_(std::move(traits)), loop_(loop), outlet_(std::move(outlet)) {}

  // ── the answerer's ──
  void respond(HttpResponse response);
  void start(int status, const HttpHeaders& headers);
  WriteState write(std::string_view bytes);
  void finish();
  void abandon();  // the writer was dropped
  bool gone() const;
  void when_gone(std::function<void()> call);
  void when_writable(std::function<void()> call);
  Status wait_writable(const Deadline& deadline);

  // ── the connection's ──
  enum class Progress { kOpen, kFinished, kBroken };
  Progress take(std::string& into);     // moves what is to be sent
  void sent(std::size_t still_unsent);  // of what was taken
  void leave();                         // the client left
  void end();                           // the answer is through, or the connection closed: no call comes after this
  void close_after();                   // the connection ends with this answer
  Persistence persistence() const;

 private:
  enum class Stage { kWaiting, kStreaming, kFinished, kBroken };
  enum class Framing { kNone, kLength, kChunked, kUntilClose };
  void write_head(int status, const HttpHeaders& headers, Framing framing, std::size_t length);
  enum class Wake { kSoon, kNow };
  void wake(Wake when = Wake::kSoon);  // without the lock
  std::size_t unsent() const { return out_.size() + taken_; }

  ExchangeTraits traits_;
  const std::weak_ptr<EventLoop> loop_;
  const std::weak_ptr<ExchangeOutlet> outlet_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string out_;
  std::size_t taken_ = 0;
  std::uint64_t left_ = 0;  // of a stream with Content-Length
  Stage stage_ = Stage::kWaiting;
  Framing framing_ = Framing::kNone;
  bool gone_ = false, ended_ = false, paused_ = false, wake_posted_ = false, wrote_ = false;
  std::function<void()> when_gone_, when_writable_;
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(Timestamp now);

}  // namespace pandora
