// Inside net: one client's connection, as a state machine on its loop's thread.
//
// Handshake → head → body → handling → (head of the next request, or lingering until the client has read the refusal) →
// closed. Between requests and while a stream is idle it holds no buffer.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/ids.h"
#include "net/event_loop.h"
#include "net/exchange.h"
#include "net/http1.h"
#include "net/http_server.h"
#include "net/origin_check.h"
#include "net/transport.h"
#include "net/work_pool.h"

namespace pandora {

// What all connections of a server share.
struct ServerCore {
  ServerCore(const HttpServerOptions& options, HttpRouter& route, const Clock& a_clock, Random& random)
      : limits(options.limits),
        error_form(options.error_form),
        router(route),
        clock(a_clock),
        ids(a_clock, random),
        pool(std::make_unique<WorkPool>(options.limits.pool_threads, options.limits.queue)) {}
  const HttpServerLimits limits;
  const HttpErrorForm error_form;
  OriginPolicy policy;
  HttpRouter& router;
  const Clock& clock;
  UuidV7Generator ids;
  std::shared_ptr<TlsContext> tls;  // null: plain
  std::atomic<bool> draining = false;
  std::atomic<std::size_t> connections = 0, in_flight = 0, buffered = 0;
  std::atomic<std::uint64_t> accepted = 0, requests = 0, refused = 0, cut_off = 0;
  std::unique_ptr<WorkPool> pool;  // ended by the server, never by a writer that is dropped last on one of its threads
};

class ServerConnection;
// The connections of one loop; for its thread only.
using ConnectionSet = std::unordered_set<std::shared_ptr<ServerConnection>>;

class ServerConnection final : public ReadyHandler,
                               public Swept,
                               public ExchangeOutlet,
                               public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(std::shared_ptr<ServerCore> core, std::shared_ptr<EventLoop> loop, ConnectionSet& siblings,
                   std::unique_ptr<WatchedDescriptor> socket, std::string peer);
  ~ServerConnection() override;
  void begin();
  void drain();  // now when it is idle, otherwise after the answer under way
  void cut();    // now

  void on_readable() override;
  void on_writable() override;
  void on_sweep(SteadyTime now) override;
  void flush() override;

 private:
  enum class State { kHandshake, kHead, kBody, kHandling, kLingering, kClosed };
  void shake_hands();
  void read_input();
  void wait_for_input();
  void take_input(std::string_view bytes);
  std::size_t process(std::string_view bytes);
  bool begin_head(std::string_view head);
  bool take_body(std::string_view bytes, std::size_t& used);
  void dispatch();
  void input_ended(IoState how);
  void refuse(const HttpRefusal& refusal, Persistence after = Persistence::kClose);
  void refuse(HttpResponse response, int status, std::string_view why, Persistence after);
  void send_pending();
  void complete();
  void linger();
  void limit(Duration from_now) { deadline_ = loop_->clock().steady() + from_now; }

  std::shared_ptr<ServerCore> core_;
  EventLoop* loop_;  // the loop outlives its connections
  std::weak_ptr<EventLoop> shared_loop_;
  ConnectionSet& siblings_;
  std::unique_ptr<WatchedDescriptor> socket_;
  std::unique_ptr<Transport> transport_;
  const std::string peer_;

  State state_ = State::kHandshake;
  SteadyTime deadline_{}, stall_deadline_{};
  std::string in_;        // read and not yet used
  std::size_t seen_ = 0;  // bytes of in_ that were searched for the head's end
  std::string sending_;
  std::size_t sent_ = 0;
  std::shared_ptr<Exchange> exchange_;
  struct Incoming;  // the request being read
  std::unique_ptr<Incoming> incoming_;
  bool began_ = false;  // a byte of the next request has come
  bool skipped_line_ = false;
  bool processing_ = false, flushing_ = false, flush_again_ = false;
  bool input_ended_ = false, close_after_ = false, write_wants_read_ = false, read_wants_write_ = false;
};

}  // namespace pandora
