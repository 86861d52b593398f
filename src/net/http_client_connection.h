// Inside net: a client's connection to one server, one call at a time, on its loop's thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "net/http1.h"
#include "net/http_client.h"
#include "net/transport.h"

namespace pandora {

class ClientConnection;

// The call, as its connection sees it. Any of these may close the connection or leave it.
class ConnectionUser {
 public:
  virtual ~ConnectionUser() = default;
  virtual void on_connected() = 0;
  virtual void on_first_byte() = 0;
  virtual void on_bytes() = 0;  // something came
  virtual void on_head(const ResponseHead& head) = 0;
  virtual Flow on_body(std::string_view bytes) = 0;
  virtual void on_message_end() = 0;        // the connection is idle or closed already
  virtual void on_broken(Error error) = 0;  // it is closed already
};

// Where connections go when their call is through.
class ConnectionHome {
 public:
  virtual ~ConnectionHome() = default;
  virtual void keep(std::shared_ptr<ClientConnection> connection) = 0;
  virtual void closed(ClientConnection& connection) = 0;
};

class ClientConnection final : public ReadyHandler,
                               public Swept,
                               public std::enable_shared_from_this<ClientConnection> {
 public:
  ClientConnection(EventLoop& loop, std::shared_ptr<ConnectionHome> home, std::string server, std::string host,
                   std::shared_ptr<TlsContext> tls)
      : loop_(loop), home_(std::move(home)), server_(std::move(server)), host_(std::move(host)), tls_(std::move(tls)) {}

  void connect(std::vector<SocketAddress> addresses, Duration budget, std::shared_ptr<ConnectionUser> user);
  // Sends a request and reads its answer; `method` decides whether that has a body.
  void begin(std::shared_ptr<ConnectionUser> user, std::string bytes, const std::string& method,
             const HttpCallOptions& options);
  void resume();  // posted, never from within another connection's reading: both would use the scratch buffer
  void close();
  bool is_alive();              // of an idle one: the server has neither closed it nor said anything unasked
  void rest(SteadyTime until);  // idle; closes by itself
  const std::string& server() const { return server_; }

  void on_readable() override;
  void on_writable() override;
  void on_sweep(SteadyTime now) override;

 private:
  enum class State { kNew, kConnecting, kHandshake, kReady, kBusy, kIdle, kClosed };
  void try_next_address();
  void check_connected();
  void shake_hands();
  void send_pending();
  void read_input();
  std::size_t process(std::string_view bytes);
  bool read_head(std::string_view bytes, std::size_t& used);
  void message_ended(bool reusable);
  void input_ended(IoState how);
  void broken(Error error);
  Error unavailable(std::string_view what) const;

  EventLoop& loop_;
  std::shared_ptr<ConnectionHome> home_;  // none once it is closed
  const std::string server_;              // "https://host:port", of the pool and of messages
  const std::string host_;
  const std::shared_ptr<TlsContext> tls_;  // null: plain
  std::unique_ptr<WatchedDescriptor> socket_;
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<ConnectionUser> user_;
  State state_ = State::kNew;
  std::vector<SocketAddress> addresses_;  // still to be tried, the last first
  Duration budget_{};                     // of each
  SteadyTime deadline_{};                 // of this address, or of being idle
  std::string last_failure_ = "no address";

  std::string sending_;
  std::size_t sent_ = 0;
  std::string method_;
  HttpHeadLimits head_limits_;
  std::uint64_t max_body_bytes_ = 0;
  std::string in_;  // read and not yet used: part of a head, or held back by a pause
  std::size_t seen_ = 0;
  bool head_read_ = false, answered_ = false, paused_ = false, processing_ = false, write_failed_ = false,
       read_wants_write_ = false;
  int interim_ = 0;
  Persistence persistence_ = Persistence::kClose;
  BodyDecoder decoder_{{}, 0};
};

}  // namespace pandora
