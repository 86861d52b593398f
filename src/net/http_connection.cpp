#include "net/http_connection.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {

constexpr std::size_t kKeptCapacity = 4 * 1024;       // of a buffer between two uses
constexpr std::size_t kBodyFirstReserve = 64 * 1024;  // a promised length is believed only so far

HttpRefusal refusal(int status, ErrorCode code, std::string why) { return {status, Error{code, std::move(why), {}}}; }
HttpRefusal refusal(Error error) { return {error_info(error.code).http_status, std::move(error)}; }

// Takes a share of a counter until destroyed.
class Share {
 public:
  explicit Share(std::atomic<std::size_t>& counter) : counter_(&counter) {}
  Share(Share&& other) noexcept : counter_(other.counter_), count_(std::exchange(other.count_, 0)) {}
  Share& operator=(Share&&) = delete;
  ~Share() { *counter_ -= count_; }
  bool grow(std::size_t by, std::size_t most) {
    if (counter_->fetch_add(by) + by > most) {
      *counter_ -= by;
      return false;
    }
    count_ += by;
    return true;
  }

 private:
  std::atomic<std::size_t>* counter_;
  std::size_t count_ = 0;
};

// What a handler holds. Its end is the end of the request's share in flight.
class ExchangeWriter final : public ResponseWriter {
 public:
  ExchangeWriter(std::shared_ptr<ServerCore> core, std::shared_ptr<Exchange> exchange, Share in_flight, Share body)
      : core_(std::move(core)),
        exchange_(std::move(exchange)),
        in_flight_(std::move(in_flight)),
        body_(std::move(body)) {}
  ~ExchangeWriter() override { exchange_->abandon(); }
  void respond(HttpResponse response) override { exchange_->respond(std::move(response)); }
  void start(int status, HttpHeaders headers) override { exchange_->start(status, headers); }
  WriteState write(std::string_view bytes) override { return exchange_->write(bytes); }
  void finish() override { exchange_->finish(); }
  bool gone() const override { return exchange_->gone(); }
  void when_gone(std::function<void()> call) override { exchange_->when_gone(std::move(call)); }
  void when_writable(std::function<void()> call) override { exchange_->when_writable(std::move(call)); }
  Status wait_writable(const Deadline& deadline) override { return exchange_->wait_writable(deadline); }

 private:
  std::shared_ptr<ServerCore> core_;  // holds the counters
  std::shared_ptr<Exchange> exchange_;
  Share in_flight_, body_;
};

void run_handler(HttpHandler& handler, HttpErrorForm error_form, HttpRequest request,
                 std::shared_ptr<ResponseWriter> writer) {
  const std::string id = request.id;
  const LogScope scope(id);
  try {
    handler.handle(std::move(request), writer);
  } catch (const std::exception& error) {
    log_error("http.handler_failed", {{"error", error.what()}});
    writer->respond(error_form(500, Error{ErrorCode::kInternal, "the request could not be handled", {}}));
  }
}

}  // namespace

struct ServerConnection::Incoming {
  RequestHead head;
  HttpRoute route;
  BodyDecoder decoder;
  Share in_flight, buffered;
};

ServerConnection::ServerConnection(std::shared_ptr<ServerCore> core, std::shared_ptr<EventLoop> loop,
                                   ConnectionSet& siblings, std::unique_ptr<WatchedDescriptor> socket, std::string peer)
    : core_(std::move(core)),
      loop_(loop.get()),
      shared_loop_(loop),
      siblings_(siblings),
      socket_(std::move(socket)),
      transport_(core_->tls ? core_->tls->wrap(socket_->descriptor(), {})
                            : make_plain_transport(socket_->descriptor())),
      peer_(std::move(peer)) {}

ServerConnection::~ServerConnection() = default;

void ServerConnection::begin() {
  siblings_.insert(shared_from_this());
  loop_->enroll(*this);
  limit(core_->limits.header_time);
  if (!core_->tls) state_ = State::kHead;
  wait_for_input();
}

void ServerConnection::drain() {
  close_after_ = true;
  if (exchange_) exchange_->close_after();
  if (state_ == State::kHandshake || (state_ == State::kHead && !began_)) cut();
}

void ServerConnection::cut() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  state_ = State::kClosed;
  loop_->dismiss(*this);
  socket_.reset();
  transport_.reset();
  incoming_.reset();
  in_ = {};
  sending_ = {};
  if (const auto exchange = std::exchange(exchange_, nullptr)) {
    exchange->leave();
    exchange->end();
  }
  siblings_.erase(self);
  --core_->connections;
}

void ServerConnection::on_readable() {
  const auto self = shared_from_this();
  if (write_wants_read_) {
    write_wants_read_ = false;
    send_pending();
  }
  if (state_ == State::kHandshake)
    shake_hands();
  else if (state_ != State::kClosed)
    read_input();
}

void ServerConnection::on_writable() {
  const auto self = shared_from_this();
  if (state_ == State::kHandshake) return shake_hands();
  flush();
  if (std::exchange(read_wants_write_, false) && state_ != State::kClosed) read_input();
}

void ServerConnection::shake_hands() {
  switch (transport_->handshake().state) {
    case IoState::kMoved:
      state_ = State::kHead;
      return read_input();
    case IoState::kWantRead:
      return socket_->wait_readable(shared_from_this());
    case IoState::kWantWrite:
      return socket_->wait_writable(shared_from_this());
    default:
      log_debug("http.handshake_failed", {{"peer", peer_}, {"why", transport_->failure()}});
      ++core_->refused;
      cut();
  }
}

void ServerConnection::wait_for_input() {
  if (state_ == State::kClosed || input_ended_) return;
  if (state_ == State::kHandling && in_.size() >= kMaxReadAheadBytes) return;
  socket_->wait_readable(shared_from_this());
}

void ServerConnection::read_input() {
  do {
    auto room = loop_->scratch();
    if (state_ == State::kHandling) {
      if (in_.size() >= kMaxReadAheadBytes) return;
      room = room.first(std::min(room.size(), kMaxReadAheadBytes - in_.size()));
    }
    const IoResult got = transport_->read(room);
    if (got.state == IoState::kWantRead) break;
    if (got.state == IoState::kWantWrite) {
      read_wants_write_ = true;
      return socket_->wait_writable(shared_from_this());
    }
    if (got.state != IoState::kMoved) return input_ended(got.state);
    take_input({room.data(), got.bytes});
    if (state_ == State::kClosed) return;
  } while (transport_->has_buffered_input());
  wait_for_input();
}

void ServerConnection::take_input(std::string_view bytes) {
  if (state_ == State::kLingering) return;
  if (state_ == State::kHandling) {
    in_ += bytes;
    return;
  }
  if (in_.empty()) {
    const std::size_t used = process(bytes);
    if (state_ != State::kClosed) in_.append(bytes.substr(used));
    return;
  }
  in_ += bytes;
  in_.erase(0, process(in_));
  if (in_.empty() && in_.capacity() > kKeptCapacity) in_ = {};
}

// Takes requests off the bytes while there is one to begin; how many bytes were used.
std::size_t ServerConnection::process(std::string_view bytes) {
  processing_ = true;
  std::size_t used = 0;
  while (used < bytes.size() && (state_ == State::kHead || state_ == State::kBody)) {
    if (state_ == State::kBody) {
      if (!take_body(bytes, used)) break;
      continue;
    }
    std::string_view rest = bytes.substr(used);
    if (!began_) limit(core_->limits.header_time);
    began_ = true;
    // One empty line before a request is forgiven (RFC 9112, 2.2).
    if (seen_ == 0 && !skipped_line_ && rest.front() == '\r') {
      if (rest.size() == 1) break;
      if (rest[1] == '\n') {
        skipped_line_ = true;
        used += 2;
        continue;
      }
    }
    const auto end = find_head_end(rest, seen_, core_->limits.head);
    if (!end) {
      refuse(end.error());
      break;
    }
    if (*end == std::string_view::npos) {
      seen_ = rest.size();
      break;
    }
    seen_ = 0;
    used += *end;
    if (!begin_head(rest.substr(0, *end))) break;
  }
  processing_ = false;
  return state_ == State::kClosed || state_ == State::kLingering ? bytes.size() : std::min(used, bytes.size());
}

// The head is complete: who answers, and does its body fit? False: refused.
bool ServerConnection::begin_head(std::string_view bytes) {
  auto parsed = parse_request_head(bytes, core_->limits.head);
  if (!parsed) return refuse(parsed.error()), false;
  HttpRequest& request = parsed->request;
  const std::string_view given = request.headers.get("X-Request-Id");
  request.id = check_name("request id", given) ? std::string(given) : core_->ids.next().to_string();
  request.peer = peer_;
  incoming_.reset(
      new Incoming{std::move(*parsed), {}, BodyDecoder({}, 0), Share(core_->in_flight), Share(core_->buffered)});
  RequestHead& head = incoming_->head;
  if (head.persistence == Persistence::kClose || core_->draining) close_after_ = true;

  if (const Status allowed = check_origin(head, core_->policy); !allowed)
    return refuse(refusal(allowed.error())), false;
  const bool continues = head.request.headers.has("Expect");
  if (continues && !equal_ignoring_case(head.request.headers.get("Expect"), "100-continue"))
    return refuse(refusal(417, ErrorCode::kInvalidArgument, "the expectation is not understood")), false;
  const Persistence after = head.body.kind == BodyKind::kNone ? Persistence::kKeepAlive : Persistence::kClose;
  if (!incoming_->in_flight.grow(1, core_->limits.requests_in_flight))
    return refuse(refusal(Error{ErrorCode::kResourceExhausted,
                                fmt::format("{} requests are being answered already", core_->limits.requests_in_flight),
                                "try again in a moment"}),
                  after),
           true;
  auto route = core_->router.route(head.request);
  if (!route) return refuse(refusal(std::move(route).error()), after), true;
  if (route->refusal) return refuse(*route->refusal, route->refusal->status, "refused by the route", after), true;
  incoming_->route = *std::move(route);
  if (head.body.kind == BodyKind::kLength && head.body.length > incoming_->route.max_body_bytes)
    return refuse(refusal(413, ErrorCode::kTooLarge,
                          fmt::format("a body of {} bytes, at most {} are taken", head.body.length,
                                      incoming_->route.max_body_bytes))),
           false;
  incoming_->decoder = BodyDecoder(head.body, incoming_->route.max_body_bytes);
  if (incoming_->decoder.done()) return dispatch(), true;
  state_ = State::kBody;
  limit(core_->limits.body_time);
  if (head.body.kind == BodyKind::kLength)
    head.request.body.reserve(std::min<std::size_t>(static_cast<std::size_t>(head.body.length), kBodyFirstReserve));
  if (continues && head.request.minor_version == 1) {
    sending_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
  return state_ == State::kBody;
}

bool ServerConnection::take_body(std::string_view bytes, std::size_t& used) {
  const auto step = incoming_->decoder.next(bytes.substr(used));
  if (!step) return refuse(step.error()), false;
  used += step->consumed;
  if (!step->body.empty() && !incoming_->buffered.grow(step->body.size(), core_->limits.buffered_body_bytes))
    return refuse(refusal(
               Error{ErrorCode::kResourceExhausted, "too many large requests at once", "try again in a moment"})),
           false;
  incoming_->head.request.body += step->body;
  if (incoming_->decoder.done()) dispatch();
  return true;
}

void ServerConnection::dispatch() {
  const std::unique_ptr<Incoming> incoming = std::move(incoming_);
  HttpRequest& request = incoming->head.request;
  state_ = State::kHandling;
  began_ = false;
  skipped_line_ = false;
  ++core_->requests;
  ExchangeTraits traits{request.id,
                        request.method == "HEAD",
                        request.minor_version,
                        close_after_ ? Persistence::kClose : Persistence::kKeepAlive,
                        core_->limits.response_high_water,
                        core_->limits.response_bytes};
  exchange_ = std::make_shared<Exchange>(std::move(traits), shared_loop_.lock(), weak_from_this());
  std::shared_ptr<ResponseWriter> writer =
      std::make_shared<ExchangeWriter>(core_, exchange_, std::move(incoming->in_flight), std::move(incoming->buffered));
  HttpHandler& handler = *incoming->route.handler;
  if (incoming->route.run_on == RunOn::kLoop)
    return run_handler(handler, core_->error_form, std::move(request), std::move(writer));
  auto work = [&handler, form = core_->error_form, shared = std::make_shared<HttpRequest>(std::move(request)),
               writer]() mutable { run_handler(handler, form, std::move(*shared), std::move(writer)); };
  if (core_->pool->submit(std::move(work))) return;
  ++core_->refused;
  HttpResponse busy = core_->error_form(
      429, Error{ErrorCode::kResourceExhausted, "too many requests are waiting", "try again in a moment"});
  busy.headers.add("Retry-After", "1");
  writer->respond(std::move(busy));
}

void ServerConnection::input_ended(IoState how) {
  if (how == IoState::kFailed || state_ == State::kLingering) return cut();
  input_ended_ = true;
  close_after_ = true;
  switch (state_) {
    case State::kHead:
      if (!began_) return cut();
      return refuse(refusal(400, ErrorCode::kInvalidArgument, "the request ends in its head"));
    case State::kBody:
      return refuse(refusal(400, ErrorCode::kInvalidArgument, "the request ends in its body"));
    case State::kHandling:
      // The client closed its side: most likely it left. Whoever answers is told; what still comes is sent.
      exchange_->close_after();
      exchange_->leave();
      return;
    default:
      return;
  }
}

// Answers what is not handed to a handler, and ends the connection: what follows cannot be trusted to be a request, or
// is a body that nobody wants. `after`: kKeepAlive when neither is so.
void ServerConnection::refuse(const HttpRefusal& why, Persistence after) {
  HttpResponse response = core_->error_form(why.status, why.error);
  if (why.error.code == ErrorCode::kResourceExhausted) response.headers.add("Retry-After", "1");
  refuse(std::move(response), why.status, why.error.message, after);
}

void ServerConnection::refuse(HttpResponse response, int status, std::string_view why, Persistence after) {
  ++core_->refused;
  std::string id = incoming_ ? incoming_->head.request.id : core_->ids.next().to_string();
  const bool is_head = incoming_ && incoming_->head.request.method == "HEAD";
  const int minor_version = incoming_ ? incoming_->head.request.minor_version : 1;
  log_debug("http.refused", {{"request", id}, {"peer", peer_}, {"status", status}, {"why", why}});
  incoming_.reset();
  state_ = State::kHandling;
  began_ = skipped_line_ = false;
  if (after == Persistence::kClose) close_after_ = true;
  ExchangeTraits traits{std::move(id),
                        is_head,
                        minor_version,
                        close_after_ ? Persistence::kClose : Persistence::kKeepAlive,
                        core_->limits.response_high_water,
                        core_->limits.response_bytes};
  exchange_ = std::make_shared<Exchange>(std::move(traits), shared_loop_.lock(), weak_from_this());
  const auto exchange = exchange_;
  exchange->respond(std::move(response));
}

void ServerConnection::flush() {
  if (flushing_) {
    flush_again_ = true;
    return;
  }
  const auto self = shared_from_this();
  flushing_ = true;
  do {
    flush_again_ = false;
    send_pending();
  } while (flush_again_ && state_ != State::kClosed);
  flushing_ = false;
}

void ServerConnection::send_pending() {
  if (state_ == State::kClosed) return;
  const auto exchange = exchange_;
  const Exchange::Progress progress = exchange ? exchange->take(sending_) : Exchange::Progress::kOpen;
  const bool was_stalled = stall_deadline_ != SteadyTime{};
  std::size_t moved = 0;
  while (sent_ < sending_.size()) {
    const IoResult put = transport_->write(std::string_view(sending_).substr(sent_));
    if (put.state == IoState::kMoved) {
      sent_ += put.bytes;
      moved += put.bytes;
      continue;
    }
    if (put.state == IoState::kWantWrite) {
      socket_->wait_writable(shared_from_this());
    } else if (put.state == IoState::kWantRead) {
      write_wants_read_ = true;
      socket_->wait_readable(shared_from_this());
    } else {
      return cut();
    }
    break;
  }
  const std::size_t unsent = sending_.size() - sent_;
  if (unsent == 0) {
    stall_deadline_ = {};
    sent_ = 0;
    if (sending_.capacity() > kKeptCapacity)
      sending_ = {};
    else
      sending_.clear();
  } else if (moved > 0 || !was_stalled) {
    stall_deadline_ = loop_->clock().steady() + core_->limits.stall_time;
    if (sent_ > kScratchBytes) sending_.erase(0, std::exchange(sent_, 0));
  }
  if (!exchange) return;
  exchange->sent(unsent);
  if (progress == Exchange::Progress::kBroken && state_ != State::kClosed) {
    ++core_->cut_off;
    return cut();
  }
  if (progress == Exchange::Progress::kFinished && unsent == 0 && exchange_ == exchange) complete();
}

// The answer is through.
void ServerConnection::complete() {
  const auto exchange = std::exchange(exchange_, nullptr);
  exchange->end();
  if (exchange->persistence() == Persistence::kClose) close_after_ = true;
  if (close_after_) return linger();
  state_ = State::kHead;
  began_ = false;
  limit(core_->limits.idle_time);
  if (core_->draining && in_.empty() && !processing_) return cut();
  if (processing_) return;  // goes on there
  if (!in_.empty()) {
    std::string ahead;
    ahead.swap(in_);
    const std::size_t used = process(ahead);
    if (state_ == State::kClosed) return;
    ahead.erase(0, used);
    in_ = std::move(ahead) + in_;
  }
  if (transport_->has_buffered_input()) return read_input();  // of which the socket knows nothing
  wait_for_input();
}

// Closing while bytes of the client are on their way would reset the connection, and it might never read the answer.
void ServerConnection::linger() {
  if (input_ended_) return cut();
  state_ = State::kLingering;
  in_ = {};
  transport_->end_output();
  limit(kLingerTime);
  if (!processing_) wait_for_input();
}

void ServerConnection::on_sweep(SteadyTime now) {
  const auto self = shared_from_this();
  if (stall_deadline_ != SteadyTime{} && now >= stall_deadline_) {
    log_debug("http.reader_stalled", {{"peer", peer_}});
    ++core_->cut_off;
    return cut();
  }
  if (state_ == State::kHandling || state_ == State::kClosed || now < deadline_) return;
  const bool nothing_asked = state_ == State::kHandshake || (state_ == State::kHead && !began_);
  if (nothing_asked || state_ == State::kLingering) return cut();
  ++core_->cut_off;
  refuse(refusal(408, ErrorCode::kDeadlineExceeded,
                 state_ == State::kHead ? "the headers took too long" : "the body took too long"));
}

}  // namespace pandora
