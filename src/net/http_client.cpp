#include "net/http_client.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>
#include <sys/un.h>

#include "net/event_loop.h"
#include "net/http_client_connection.h"
#include "net/name_lookup.h"
#include "net/url.h"

namespace pandora {
namespace {

struct ClientCore {
  HttpClientLimits limits;
  std::string ca_file;
  std::optional<SocketAddress> only_address;  // a Unix socket's
  std::shared_ptr<NameLookup> names;
  std::once_flag tls_once;
  Result<std::shared_ptr<TlsContext>> tls;
  // Made when it is first needed: the system's authorities take some 60 ms to read.
  const Result<std::shared_ptr<TlsContext>>& tls_context() {
    std::call_once(tls_once, [&] { tls = TlsContext::client(ca_file); });
    return tls;
  }
  std::atomic<std::size_t> calls = 0, connections = 0, idle = 0;
  std::atomic<std::uint64_t> connected = 0, retried = 0;
  std::atomic<std::size_t> next_loop = 0;
};

constexpr std::string_view kNoConnection = "no connection in time";

class ClientCall;

// The calls and connections of one loop; for its thread only.
class ClientShard final : public ConnectionHome, public std::enable_shared_from_this<ClientShard> {
 public:
  ClientShard(std::shared_ptr<ClientCore> core, std::shared_ptr<EventLoop> loop)
      : core_(std::move(core)), loop_(std::move(loop)) {}
  EventLoop& loop() { return *loop_; }
  const std::shared_ptr<EventLoop>& shared_loop() const { return loop_; }
  ClientCore& core() { return *core_; }

  void add(std::shared_ptr<ClientCall> call) { calls_.insert(std::move(call)); }
  void remove(const std::shared_ptr<ClientCall>& call) { calls_.erase(call); }

  // An idle connection that still lives, or null.
  std::shared_ptr<ClientConnection> take_idle(const std::string& server) {
    // Looked up each time: the last of a server's connections to be closed takes its entry along.
    for (auto found = servers_.find(server); found != servers_.end() && !found->second.idle.empty();
         found = servers_.find(server)) {
      auto connection = std::move(found->second.idle.back());
      found->second.idle.pop_back();
      --core_->idle;
      if (connection->is_alive()) return connection;
      connection->close();
    }
    return nullptr;
  }
  // Null when the server has all its connections: the call is then in line, and called when one is free.
  std::shared_ptr<ClientConnection> open(const std::string& server, const Url& url, std::shared_ptr<ClientCall> call) {
    Server& one = servers_[server];
    if (one.open >= core_->limits.connections_per_server) {
      one.waiting.push_back(std::move(call));
      return nullptr;
    }
    ++one.open;
    ++core_->connections;
    ++core_->connected;
    return std::make_shared<ClientConnection>(*loop_, shared_from_this(), server, url.host,
                                              url.is_secure() ? *core_->tls_context() : nullptr);
  }
  void add(std::shared_ptr<Swept> wait) { waits_.insert(std::move(wait)); }
  void remove(const std::shared_ptr<Swept>& wait) { waits_.erase(wait); }
  void keep(std::shared_ptr<ClientConnection> connection) override;
  void closed(ClientConnection& connection) override;
  void shut();

 private:
  struct Server {
    std::vector<std::shared_ptr<ClientConnection>> idle;
    std::deque<std::weak_ptr<ClientCall>> waiting;
    std::size_t open = 0;
  };
  void serve_waiting(const std::string& name);

  std::shared_ptr<ClientCore> core_;
  std::shared_ptr<EventLoop> loop_;
  std::map<std::string, Server> servers_;
  std::unordered_set<std::shared_ptr<ClientCall>> calls_;
  std::unordered_set<std::shared_ptr<Swept>> waits_;  // of HttpClient::after
};

class ClientCall final : public ConnectionUser, public Swept, public std::enable_shared_from_this<ClientCall> {
 public:
  ClientCall(std::shared_ptr<ClientShard> shard, HttpCallRequest request, const Deadline& deadline, HttpCallSink& sink)
      : shard_(std::move(shard)), request_(std::move(request)), deadline_(deadline), sink_(&sink) {}

  // ── the handle's ──
  std::shared_ptr<EventLoop> loop() const { return shard_->shared_loop(); }
  void detach() {
    if (shard_->loop().is_current()) {
      sink_ = nullptr;  // also from within one of its calls
      return;
    }
    const std::lock_guard lock(sink_mutex_);
    sink_ = nullptr;
  }

  // ── the loop's ──
  void begin() {
    const auto self = shared_from_this();
    shard_->add(self);
    shard_->loop().enroll(*this);
    if (++shard_->core().calls > shard_->core().limits.calls)
      return fail_with({ErrorCode::kResourceExhausted, "too many HTTP calls are under way", "try again in a moment"});
    auto url = parse_url(request_.url);
    if (!url) return fail_with(std::move(url).error());
    if (!is_http_token(request_.method)) return fail_with({ErrorCode::kInvalidArgument, "the method is malformed", {}});
    url_ = *std::move(url);
    seek_connection();
  }
  void abort(Error error) { fail_with(std::move(error)); }
  void resume() {
    if (done_ || !connection_) return;
    // Only a pause has taken the limit away: before the first byte another one holds.
    if (phase_deadline_ == SteadyTime::max()) limit(request_.options.timeouts.idle, "the answer stalled");
    connection_->resume();
  }
  // A connection is free.
  void seek_connection() {
    if (done_) return;
    if (!waiting_) limit(request_.options.timeouts.connect, kNoConnection);
    waiting_ = false;
    if (url_.is_secure())
      if (const auto& tls = shard_->core().tls_context(); !tls) return fail_with(tls.error());
    const std::string server = pool_name();
    if (!fresh_only_) connection_ = shard_->take_idle(server);
    if (connection_) return on_connected();
    connection_ = shard_->open(server, url_, shared_from_this());
    if (!connection_) {
      waiting_ = true;
      return;
    }
    if (const auto& only = shard_->core().only_address) return on_resolved(Addresses{*only});
    const auto question = shard_->core().names->ask(url_.host);
    if (question->wait(Duration(0))) return on_resolved(question->addresses(url_.port));
    limit_name_ = "the address of its host was not found in time";
    question->then(weak_from_this(), [this, question, port = url_.port] {  // called while this is there
      loop()->post([weak = weak_from_this(), question, port] {
        if (const auto self = weak.lock()) self->on_resolved(question->addresses(port));
      });
    });
  }
  bool is_waiting() const { return waiting_ && !done_; }

  void on_connected() override {
    limit(request_.options.timeouts.first_byte, "no answer in time");
    connection_->begin(shared_from_this(), head() + request_.body, request_.method, request_.options);
  }
  void on_first_byte() override {
    answered_ = true;
    on_bytes();
  }
  void on_bytes() override {
    // A model server may send its head at once and think then.
    if (body_began_)
      limit(request_.options.timeouts.idle, "the answer stalled");
    else
      limit(request_.options.timeouts.first_byte, "no answer in time");
  }

  void on_head(const ResponseHead& head) override {
    if (const std::string_view location = head.headers.get("Location");
        is_redirect(head.status) && redirects_ < request_.options.max_redirects && !location.empty())
      return redirect(head.status, std::string(location));
    tell([&](HttpCallSink& sink) { sink.on_head(head); });
  }
  Flow on_body(std::string_view bytes) override {
    Flow flow = Flow::kMore;
    if (!std::exchange(body_began_, true)) on_bytes();
    tell([&](HttpCallSink& sink) { flow = sink.on_body(bytes); });
    if (flow == Flow::kPause && !done_) phase_deadline_ = SteadyTime::max();
    return flow;
  }
  void on_message_end() override {
    const auto self = shared_from_this();
    connection_.reset();
    if (!end()) return;
    tell([](HttpCallSink& sink) { sink.on_done(); });
    detach();
  }
  void on_broken(Error error) override {
    const bool was_sent = phase_ != Phase::kConnecting;
    connection_.reset();
    if (was_sent && !answered_ && error.code == ErrorCode::kUnavailable && may_repeat() &&
        ++attempt_ < request_.options.attempts) {
      ++shard_->core().retried;
      fresh_only_ = true;  // an old connection may have been closed under us
      phase_ = Phase::kConnecting;
      return seek_connection();
    }
    fail_with(std::move(error));
  }

  void on_sweep(SteadyTime now) override {
    const auto self = shared_from_this();
    if (Status in_time = deadline_.check("waiting for " + url_.authority()); !in_time)
      return fail_with(std::move(in_time).error());
    if (now >= phase_deadline_)
      fail_with({ErrorCode::kDeadlineExceeded, fmt::format("{}: {}", url_.authority(), limit_name_), {}});
  }

 private:
  enum class Phase { kConnecting, kSent };

  void on_resolved(Result<Addresses> found) {
    if (done_ || !connection_) return;
    limit_name_ = kNoConnection;
    if (!found) return fail_with(std::move(found).error());
    if (request_.options.reach == Reach::kPublicOnly) {
      std::erase_if(*found, [](const SocketAddress& address) { return !is_public(address); });
      if (found->empty())
        return fail_with({ErrorCode::kPermissionDenied, url_.host + " leads to no public address",
                          "only pages of the public web are fetched"});
    }
    connection_->connect(*std::move(found), request_.options.timeouts.connect, shared_from_this());
  }

  // Connections are shared by calls to the same server that may reach the same addresses.
  std::string pool_name() const {
    const std::string server = url_.scheme + "://" + url_.authority();
    return request_.options.reach == Reach::kPublicOnly ? server + " (public)" : server;
  }

  std::string head() {
    phase_ = Phase::kSent;
    std::string text = fmt::format("{} {} HTTP/1.1\r\n", request_.method, url_.target);
    append_header(text, "Host", url_.authority());
    for (const auto& header : request_.headers) {
      const auto is = [&](std::string_view name) { return equal_ignoring_case(header.name, name); };
      if (!is("Host") && !is("Content-Length") && !is("Transfer-Encoding") && !is("Connection"))
        append_header(text, header.name, header.value);
    }
    if (!request_.headers.has("User-Agent")) append_header(text, "User-Agent", "pandora");
    if (!request_.headers.has("Accept-Encoding")) append_header(text, "Accept-Encoding", "identity");
    const bool has_body =
        !request_.body.empty() || request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH";
    if (has_body) fmt::format_to(std::back_inserter(text), "Content-Length: {}\r\n", request_.body.size());
    return text + "\r\n";
  }

  bool may_repeat() const {
    if (request_.options.repeatable != Repeatable::kByMethod) return request_.options.repeatable == Repeatable::kYes;
    for (const std::string_view method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
      if (request_.method == method) return true;
    return false;
  }

  static bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  }

  void redirect(int status, const std::string& location) {
    const auto self = shared_from_this();
    if (const auto connection = std::exchange(connection_, nullptr)) connection->close();  // its body is of no use
    auto next = resolve_url(url_, location);
    if (!next) return fail_with(std::move(next).error().with_context("redirected"));
    if (url_.is_secure() && !next->is_secure())
      return fail_with({ErrorCode::kPermissionDenied, "redirected from https to http: " + next->authority(), {}});
    if (!next->same_origin(url_))
      for (const std::string_view secret : {"Authorization", "Cookie", "Proxy-Authorization"})
        request_.headers.remove(secret);
    if (status == 303 || (status <= 302 && request_.method == "POST")) {
      request_.method = request_.method == "HEAD" ? "HEAD" : "GET";
      request_.body.clear();
      request_.headers.remove("Content-Type");
    }
    url_ = *std::move(next);
    ++redirects_;
    answered_ = body_began_ = fresh_only_ = false;
    phase_ = Phase::kConnecting;
    seek_connection();
  }

  void limit(Duration from_now, std::string_view name) {
    phase_deadline_ = shard_->loop().clock().steady() + from_now;
    limit_name_ = name;
  }

  template <class Call>
  void tell(Call call) {
    const std::lock_guard lock(sink_mutex_);
    if (HttpCallSink* sink = sink_) call(*sink);
  }

  // True once.
  bool end() {
    if (std::exchange(done_, true)) return false;
    --shard_->core().calls;
    shard_->loop().dismiss(*this);
    shard_->remove(shared_from_this());
    if (const auto connection = std::exchange(connection_, nullptr)) connection->close();
    return true;
  }
  void fail_with(Error error) {
    const auto self = shared_from_this();
    if (!end()) return;
    tell([&](HttpCallSink& sink) { sink.on_error(std::move(error)); });
    detach();
  }

  const std::shared_ptr<ClientShard> shard_;
  HttpCallRequest request_;
  Url url_;
  const Deadline deadline_;
  std::mutex sink_mutex_;
  std::atomic<HttpCallSink*> sink_;  // null: nobody listens any more
  std::shared_ptr<ClientConnection> connection_;
  SteadyTime phase_deadline_ = SteadyTime::max();
  std::string_view limit_name_;
  Phase phase_ = Phase::kConnecting;
  int attempt_ = 0, redirects_ = 0;
  bool answered_ = false, body_began_ = false, done_ = false, waiting_ = false, fresh_only_ = false;
};

void ClientShard::keep(std::shared_ptr<ClientConnection> connection) {
  Server& server = servers_[connection->server()];
  if (server.idle.size() >= core_->limits.idle_per_server) return connection->close();
  connection->rest(loop_->clock().steady() + core_->limits.idle_time);
  server.idle.push_back(connection);
  ++core_->idle;
  serve_waiting(connection->server());
}

void ClientShard::closed(ClientConnection& connection) {
  const auto found = servers_.find(connection.server());
  if (found == servers_.end()) return;
  Server& server = found->second;
  --server.open;
  --core_->connections;
  core_->idle -= std::erase_if(server.idle, [&](const auto& idle) { return idle.get() == &connection; });
  if (server.open == 0 && server.waiting.empty())
    servers_.erase(found);
  else
    serve_waiting(connection.server());
}

// Posted: the connection that was let go is still on its way out.
void ClientShard::serve_waiting(const std::string& name) {
  if (servers_[name].waiting.empty()) return;
  loop_->post([self = shared_from_this(), name] {
    const auto found = self->servers_.find(name);
    while (found != self->servers_.end() && !found->second.waiting.empty()) {
      const auto call = found->second.waiting.front().lock();
      found->second.waiting.pop_front();
      if (call && call->is_waiting()) return call->seek_connection();
    }
  });
}

void ClientShard::shut() {
  const std::vector<std::shared_ptr<ClientCall>> calls(calls_.begin(), calls_.end());
  for (const auto& call : calls) call->abort({ErrorCode::kCancelled, "the client ends", {}});
  std::vector<std::shared_ptr<ClientConnection>> all;
  for (const auto& [name, server] : servers_) all.insert(all.end(), server.idle.begin(), server.idle.end());
  for (const auto& connection : all) connection->close();
  servers_.clear();
  for (const auto& wait : std::exchange(waits_, {})) loop_->dismiss(*wait);
}

class Wait final : public Swept, public std::enable_shared_from_this<Wait> {
 public:
  Wait(std::shared_ptr<ClientShard> shard, SteadyTime until, std::function<void()> call)
      : shard_(std::move(shard)), until_(until), call_(std::move(call)) {}
  void begin() {
    shard_->add(shared_from_this());
    shard_->loop().enroll(*this);
  }
  void on_sweep(SteadyTime now) override {
    if (now < until_) return;
    const auto self = shared_from_this();
    shard_->loop().dismiss(*this);
    shard_->remove(self);
    call_();
  }

 private:
  std::shared_ptr<ClientShard> shard_;
  const SteadyTime until_;
  std::function<void()> call_;
};

class CallHandle final : public HttpCall {
 public:
  explicit CallHandle(std::shared_ptr<ClientCall> call) : call_(std::move(call)) {}
  ~CallHandle() override {
    call_->detach();
    cancel();
  }
  void cancel() override {
    post([](ClientCall& call) { call.abort({ErrorCode::kCancelled, "cancelled", {}}); });
  }
  void resume() override {
    post([](ClientCall& call) { call.resume(); });
  }

 private:
  // Weakly: a loop that has stopped must not keep what keeps the loop.
  void post(void (*work)(ClientCall&)) {
    call_->loop()->post([weak = std::weak_ptr(call_), work] {
      if (const auto call = weak.lock()) work(*call);
    });
  }
  std::shared_ptr<ClientCall> call_;
};

class PooledHttpClient final : public HttpClient {
 public:
  PooledHttpClient(std::shared_ptr<ClientCore> core, IoThreads& threads) : core_(std::move(core)), threads_(threads) {
    for (std::size_t i = 0; i < threads.size(); ++i)
      shards_.push_back(std::make_shared<ClientShard>(core_, threads.loop(i)));
  }
  ~PooledHttpClient() override {
    for (const auto& shard : shards_) {
      const auto done = std::make_shared<std::promise<void>>();
      shard->loop().post([shard, done] {
        shard->shut();
        done->set_value();
      });
      done->get_future().wait();
    }
  }

  std::unique_ptr<HttpCall> start(HttpCallRequest request, const Deadline& deadline, HttpCallSink& sink) override {
    auto call = std::make_shared<ClientCall>(shards_[place()], std::move(request), deadline, sink);
    call->loop()->post([call] { call->begin(); });
    return std::make_unique<CallHandle>(std::move(call));
  }

  void after(Duration wait, std::function<void()> call) override {
    const auto& shard = shards_[place()];
    if (wait <= Duration(0)) return shard->loop().post(std::move(call));
    auto waiting = std::make_shared<Wait>(shard, shard->loop().clock().steady() + wait, std::move(call));
    shard->loop().post([waiting] { waiting->begin(); });
  }

  HttpClientStats stats() const override {
    return {core_->calls, core_->idle, core_->connections, core_->connected, core_->retried};
  }

 private:
  std::size_t place() {
    const std::size_t current = threads_.current();
    return current == SIZE_MAX ? core_->next_loop++ % shards_.size() : current;
  }
  std::shared_ptr<ClientCore> core_;
  IoThreads& threads_;
  std::vector<std::shared_ptr<ClientShard>> shards_;
};

// Gathers an answer for a thread that waits.
class WaitingSink final : public HttpCallSink {
 public:
  void on_head(const ResponseHead& head) override {
    response_.status = head.status;
    response_.headers = head.headers;
  }
  Flow on_body(std::string_view bytes) override {
    response_.body += bytes;
    return Flow::kMore;
  }
  void on_done() override { done(std::move(response_)); }
  void on_error(Error error) override { done(fail(std::move(error))); }
  Result<HttpResponse> wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return result_.has_value(); });
    return *std::move(result_);
  }

 private:
  void done(Result<HttpResponse> result) {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
    ended_.notify_all();
  }
  HttpResponse response_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<Result<HttpResponse>> result_;
};

}  // namespace

namespace {

Result<SocketAddress> unix_address(const std::string& path) {
  if (path.size() > kMaxSocketPath)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("the path of a socket has at most {} bytes: {}", kMaxSocketPath, path));
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::create(HttpClientOptions options, IoThreads& threads) {
  auto core = std::make_shared<ClientCore>();
  core->limits = options.limits;
  core->ca_file = options.ca_file;
  core->names = options.names ? options.names : NameLookup::system();
  if (!options.unix_socket.empty()) {
    PANDORA_TRY(address, unix_address(options.unix_socket));
    core->only_address = address;
  }
  if (!options.ca_file.empty()) {
    if (const auto& tls = core->tls_context(); !tls) return fail(tls.error());
  }
  return std::make_unique<PooledHttpClient>(std::move(core), threads);
}

Result<HttpResponse> HttpClient::fetch(HttpCallRequest request, const Deadline& deadline) {
  WaitingSink sink;
  const auto call = start(std::move(request), deadline, sink);
  return sink.wait();
}

}  // namespace pandora
