#include "net/http_client_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pandora {
namespace {
constexpr int kMaxInterim = 16;  // 1xx answers before the real one
}

Error ClientConnection::unavailable(std::string_view what) const {
  return {ErrorCode::kUnavailable, fmt::format("{}: {}", server_, what), {}};
}

void ClientConnection::connect(std::vector<SocketAddress> addresses, Duration budget,
                               std::shared_ptr<ConnectionUser> user) {
  user_ = std::move(user);
  addresses_ = std::move(addresses);
  std::ranges::reverse(addresses_);
  budget_ = budget / static_cast<std::int64_t>(std::max<std::size_t>(addresses_.size(), 1));
  state_ = State::kConnecting;
  loop_.enroll(*this);
  try_next_address();
}

void ClientConnection::try_next_address() {
  socket_.reset();
  while (!addresses_.empty()) {
    const SocketAddress address = addresses_.back();
    addresses_.pop_back();
    deadline_ = loop_.clock().steady() + budget_;
    const int descriptor = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) {
      last_failure_ = std::strerror(errno);
      continue;
    }
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const bool refused = ::connect(descriptor, address.get(), address.size) != 0 && errno != EINPROGRESS;
    if (refused) {
      last_failure_ = std::strerror(errno);
      ::close(descriptor);
      continue;
    }
    socket_ = loop_.watch(descriptor);
    if (socket_) return socket_->wait_writable(shared_from_this());
    last_failure_ = "too many sockets are open";
  }
  broken(
      unavailable("no connection: " + last_failure_).with_remedy("is the server running, and is the address right?"));
}

void ClientConnection::check_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_->descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    last_failure_ = std::strerror(error);
    return try_next_address();
  }
  transport_ = tls_ ? tls_->wrap(socket_->descriptor(), host_) : make_plain_transport(socket_->descriptor());
  state_ = State::kHandshake;
  deadline_ = SteadyTime::max();  // from here on the call's own limit counts
  shake_hands();
}

void ClientConnection::shake_hands() {
  switch (transport_->handshake().state) {
    case IoState::kMoved: {
      state_ = State::kReady;
      loop_.dismiss(*this);
      const auto user = std::exchange(user_, nullptr);
      return user->on_connected();
    }
    case IoState::kWantRead:
      return socket_->wait_readable(shared_from_this());
    case IoState::kWantWrite:
      return socket_->wait_writable(shared_from_this());
    default:
      return broken(unavailable("no TLS: " + transport_->failure())
                        .with_remedy("is it https, and is its certificate known here?"));
  }
}

void ClientConnection::begin(std::shared_ptr<ConnectionUser> user, std::string bytes, const std::string& method,
                             const HttpCallOptions& options) {
  loop_.dismiss(*this);
  state_ = State::kBusy;
  user_ = std::move(user);
  sending_ = std::move(bytes);
  sent_ = 0;
  method_ = method;
  head_limits_ = {options.max_head_bytes, options.max_head_bytes / 16, 0};
  max_body_bytes_ = options.max_body_bytes;
  in_.clear();
  seen_ = 0;
  interim_ = 0;
  head_read_ = answered_ = paused_ = write_failed_ = read_wants_write_ = false;
  send_pending();
  // Also while a long body is sent: the server may refuse it early.
  if (state_ == State::kBusy) socket_->wait_readable(shared_from_this());
}

void ClientConnection::send_pending() {
  while (sent_ < sending_.size()) {
    const IoResult put = transport_->write(std::string_view(sending_).substr(sent_));
    if (put.state == IoState::kMoved) {
      sent_ += put.bytes;
      continue;
    }
    if (put.state == IoState::kWantWrite) return socket_->wait_writable(shared_from_this());
    if (put.state == IoState::kWantRead) return;  // read_input comes back here
    write_failed_ = true;                         // an answer may be there nevertheless: reading tells
    break;
  }
  sending_ = {};
  sent_ = 0;
}

void ClientConnection::on_writable() {
  const auto self = shared_from_this();
  if (state_ == State::kConnecting) return check_connected();
  if (state_ == State::kHandshake) return shake_hands();
  if (state_ != State::kBusy) return;
  send_pending();
  if (std::exchange(read_wants_write_, false) && !paused_) read_input();
}

void ClientConnection::on_readable() {
  const auto self = shared_from_this();
  if (state_ == State::kHandshake) return shake_hands();
  if (state_ == State::kIdle) {
    if (!is_alive()) return close();
    return socket_->wait_readable(self);
  }
  if (state_ != State::kBusy || paused_) return;
  if (!sending_.empty()) send_pending();
  read_input();
}

void ClientConnection::read_input() {
  do {
    const auto room = loop_.scratch();
    const IoResult got = transport_->read(room);
    if (got.state == IoState::kWantRead) break;
    if (got.state == IoState::kWantWrite) {
      read_wants_write_ = true;
      return socket_->wait_writable(shared_from_this());
    }
    if (got.state != IoState::kMoved) return input_ended(got.state);
    const auto user = user_;
    if (!std::exchange(answered_, true))
      user->on_first_byte();
    else
      user->on_bytes();
    if (state_ != State::kBusy) return;
    const std::string_view bytes(room.data(), got.bytes);
    if (in_.empty()) {
      const std::size_t used = process(bytes);
      if (state_ == State::kBusy) in_.append(bytes.substr(used));
    } else {
      in_ += bytes;
      const std::size_t used = process(in_);
      if (state_ == State::kBusy) in_.erase(0, used);
    }
    if (state_ != State::kBusy || paused_) return;
  } while (transport_->has_buffered_input());
  socket_->wait_readable(shared_from_this());
}

// Hands on what has come; how many bytes were used. The call may close the connection on the way.
std::size_t ClientConnection::process(std::string_view bytes) {
  std::size_t used = 0;
  processing_ = true;
  while (state_ == State::kBusy && !paused_) {
    if (!head_read_) {
      if (!read_head(bytes, used)) break;
      continue;
    }
    if (decoder_.done()) {
      message_ended(used == bytes.size());
      break;
    }
    if (used == bytes.size()) break;
    const auto step = decoder_.next(bytes.substr(used));
    if (!step) {
      const bool too_large = step.error().error.code == ErrorCode::kTooLarge;
      broken(too_large ? Error{ErrorCode::kTooLarge, fmt::format("{}: {}", server_, step.error().error.message), {}}
                       : unavailable("the answer is broken: " + step.error().error.message));
      break;
    }
    used += step->consumed;
    const auto user = user_;
    if (!step->body.empty() && user->on_body(step->body) == Flow::kPause) paused_ = true;
  }
  processing_ = false;
  return used;
}

bool ClientConnection::read_head(std::string_view bytes, std::size_t& used) {
  const std::string_view rest = bytes.substr(used);
  const auto give_up = [&](const HttpRefusal& why) {
    const bool too_large = why.error.code == ErrorCode::kTooLarge;
    broken(too_large ? Error{ErrorCode::kTooLarge, fmt::format("{}: {}", server_, why.error.message), {}}
                     : unavailable("the answer is no HTTP/1.1: " + why.error.message));
    return false;
  };
  const auto end = find_head_end(rest, seen_, head_limits_);
  if (!end) return give_up(end.error());
  if (*end == std::string_view::npos) {
    seen_ = rest.size();
    return false;
  }
  seen_ = 0;
  auto head = parse_response_head(rest.substr(0, *end), method_, head_limits_);
  if (!head) return give_up(head.error());
  used += *end;
  if (head->status == 101) return give_up({400, Error{ErrorCode::kUnavailable, "it changed the protocol", {}}});
  if (head->status < 200)
    return ++interim_ <= kMaxInterim ||
           give_up({400, Error{ErrorCode::kUnavailable, "it says \"continue\" without end", {}}});
  head_read_ = true;
  persistence_ = head->persistence;
  decoder_ = BodyDecoder(head->body, max_body_bytes_);
  if (head->body.kind == BodyKind::kLength && head->body.length > max_body_bytes_)
    return broken({ErrorCode::kTooLarge,
                   fmt::format("{}: an answer of {} bytes, at most {} are read", server_, head->body.length,
                               max_body_bytes_),
                   {}}),
           false;
  const auto user = user_;
  user->on_head(*head);
  return true;
}

void ClientConnection::message_ended(bool nothing_follows) {
  const auto user = std::exchange(user_, nullptr);
  const bool reusable =
      nothing_follows && persistence_ == Persistence::kKeepAlive && sending_.empty() && !write_failed_;
  in_ = {};
  if (reusable)
    home_->keep(shared_from_this());
  else
    close();
  user->on_message_end();
}

void ClientConnection::input_ended(IoState how) {
  if (how == IoState::kEnded && head_read_ && decoder_.end_of_stream()) return message_ended(false);
  broken(unavailable(answered_ ? "it broke off in the middle of its answer"
                               : "it closed the connection without an answer"));
}

void ClientConnection::broken(Error error) {
  const auto user = std::exchange(user_, nullptr);
  close();
  if (user) user->on_broken(std::move(error));
}

void ClientConnection::resume() {
  if (!paused_ || state_ != State::kBusy) return;
  paused_ = false;
  if (processing_) return;  // within on_body: it goes on by itself
  const auto self = shared_from_this();
  std::string held;
  held.swap(in_);
  const std::size_t used = process(held);
  if (state_ != State::kBusy) return;
  held.erase(0, used);
  in_ = std::move(held);
  if (!paused_) read_input();
}

void ClientConnection::close() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  state_ = State::kClosed;
  loop_.dismiss(*this);
  user_.reset();
  if (transport_) transport_->end_output();
  socket_.reset();
  transport_.reset();
  std::exchange(home_, nullptr)->closed(*this);
}

bool ClientConnection::is_alive() {
  char byte = 0;
  const auto got = ::recv(socket_->descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0 && tls_) {  // session tickets and the like are TLS's own talk: OpenSSL takes them
    const IoResult read = transport_->read({&byte, 1});
    return read.state == IoState::kWantRead;
  }
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void ClientConnection::rest(SteadyTime until) {
  state_ = State::kIdle;
  deadline_ = until;
  loop_.enroll(*this);
  socket_->wait_readable(shared_from_this());
}

void ClientConnection::on_sweep(SteadyTime now) {
  if (now < deadline_) return;
  const auto self = shared_from_this();
  if (state_ == State::kIdle) return close();
  if (state_ != State::kConnecting) return;
  last_failure_ = "it does not answer";
  try_next_address();
}

}  // namespace pandora
