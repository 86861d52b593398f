#include "net/transport.h"

#include <cerrno>

#include <sys/socket.h>

namespace pandora {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int descriptor) : descriptor_(descriptor) {}

  IoResult read(std::span<char> into) override {
    for (;;) {
      const auto got = ::recv(descriptor_, into.data(), into.size(), 0);
      if (got > 0) return {IoState::kMoved, static_cast<std::size_t>(got)};
      if (got == 0) return {IoState::kEnded, 0};
      if (errno == EINTR) continue;
      return {errno == EAGAIN || errno == EWOULDBLOCK ? IoState::kWantRead : IoState::kFailed, 0};
    }
  }

  IoResult write(std::string_view bytes) override {
    for (;;) {
      const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) return {IoState::kMoved, static_cast<std::size_t>(sent)};
      if (errno == EINTR) continue;
      return {errno == EAGAIN || errno == EWOULDBLOCK ? IoState::kWantWrite : IoState::kFailed, 0};
    }
  }

  void end_output() override { ::shutdown(descriptor_, SHUT_WR); }

 private:
  int descriptor_;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(int descriptor) { return std::make_unique<PlainTransport>(descriptor); }

}  // namespace pandora
