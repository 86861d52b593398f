#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "net/transport.h"

namespace pandora {
namespace {

std::string last_openssl_error() {
  std::string text = "unknown reason";
  if (const unsigned long code = ::ERR_get_error(); code != 0) {
    std::array<char, 256> buffer{};
    ::ERR_error_string_n(code, buffer.data(), buffer.size());
    text = buffer.data();
    if (const char* reason = ::ERR_reason_error_string(code)) text = reason;
  }
  ::ERR_clear_error();
  return text;
}

// The socket under OpenSSL. Its own writes with write(), which raises SIGPIPE when the other side is gone.
int socket_write(BIO* bio, const char* bytes, int size) {
  ::BIO_clear_retry_flags(bio);
  const int descriptor = static_cast<int>(reinterpret_cast<std::intptr_t>(::BIO_get_data(bio)));
  const auto sent = ::send(descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) ::BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}
int socket_read(BIO* bio, char* bytes, int size) {
  ::BIO_clear_retry_flags(bio);
  const int descriptor = static_cast<int>(reinterpret_cast<std::intptr_t>(::BIO_get_data(bio)));
  const auto got = ::recv(descriptor, bytes, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) ::BIO_set_retry_read(bio);
  if (got == 0) ::BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}
long socket_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return ::BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}
BIO* new_socket_bio(int descriptor) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    ::BIO_meth_set_write(made, &socket_write);
    ::BIO_meth_set_read(made, &socket_read);
    ::BIO_meth_set_ctrl(made, &socket_control);
    return made;
  }();
  BIO* bio = ::BIO_new(method);
  ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
  ::BIO_set_init(bio, 1);
  return bio;
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(std::shared_ptr<TlsContext> context, SSL* ssl) : context_(std::move(context)), ssl_(ssl) {}
  ~TlsTransport() override { ::SSL_free(ssl_); }

  IoResult handshake() override {
    ::ERR_clear_error();
    const int done = ::SSL_do_handshake(ssl_);
    if (done == 1) return {IoState::kMoved, 1};
    const IoResult result = outcome(done);
    if (result.state == IoState::kFailed || result.state == IoState::kEnded) {
      const long verified = ::SSL_get_verify_result(ssl_);
      failure_ = verified != X509_V_OK
                     ? fmt::format("its certificate is not accepted: {}", ::X509_verify_cert_error_string(verified))
                     : last_openssl_error();
      return {IoState::kFailed, 0};
    }
    return result;
  }
  IoResult read(std::span<char> into) override {
    ::ERR_clear_error();
    std::size_t got = 0;
    const int done = ::SSL_read_ex(ssl_, into.data(), into.size(), &got);
    return done == 1 ? IoResult{IoState::kMoved, got} : outcome(done);
  }
  IoResult write(std::string_view bytes) override {
    ::ERR_clear_error();
    std::size_t sent = 0;
    const int done = ::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &sent);
    return done == 1 ? IoResult{IoState::kMoved, sent} : outcome(done);
  }
  bool has_buffered_input() const override { return ::SSL_has_pending(ssl_) == 1; }
  void end_output() override {
    ::ERR_clear_error();
    if (::SSL_is_init_finished(ssl_) == 1) (void)::SSL_shutdown(ssl_);
    ::ERR_clear_error();
  }
  std::string failure() const override { return failure_; }

 private:
  IoResult outcome(int returned) {
    switch (::SSL_get_error(ssl_, returned)) {
      case SSL_ERROR_WANT_READ:
        return {IoState::kWantRead, 0};
      case SSL_ERROR_WANT_WRITE:
        return {IoState::kWantWrite, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {IoState::kEnded, 0};
      default:
        return {IoState::kFailed, 0};  // also an end without close_notify: somebody may have cut it
    }
  }
  std::shared_ptr<TlsContext> context_;
  SSL* ssl_;
  std::string failure_;
};

enum class Side { kServer, kClient };

class OpenSslContext final : public TlsContext, public std::enable_shared_from_this<OpenSslContext> {
 public:
  OpenSslContext(SSL_CTX* context, Side side) : context_(context), side_(side) {
    ::SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
    // Buffers of an idle connection are given back; a write may be continued from another address.
    ::SSL_CTX_set_mode(context_,
                       SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ::SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (side == Side::kClient)
      ::SSL_CTX_set_alpn_protos(context_, kHttp11, sizeof kHttp11);
    else
      ::SSL_CTX_set_alpn_select_cb(context_, &choose_protocol, nullptr);
  }
  ~OpenSslContext() override { ::SSL_CTX_free(context_); }
  SSL_CTX* get() const { return context_; }

  std::unique_ptr<Transport> wrap(int descriptor, const std::string& host) override {
    SSL* ssl = ::SSL_new(context_);
    BIO* bio = new_socket_bio(descriptor);
    ::SSL_set_bio(ssl, bio, bio);
    if (side_ == Side::kServer) {
      ::SSL_set_accept_state(ssl);
    } else {
      ::SSL_set_connect_state(ssl);
      std::array<unsigned char, 16> ip{};
      const bool literal =
          ::inet_pton(AF_INET, host.c_str(), ip.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), ip.data()) == 1;
      if (literal) {
        ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str());
      } else {
        ::SSL_set_tlsext_host_name(ssl, host.c_str());
        ::SSL_set1_host(ssl, host.c_str());
      }
    }
    return std::make_unique<TlsTransport>(shared_from_this(), ssl);
  }

 private:
  // HTTP/1.1 or nothing: a client that only offers others is refused in the handshake.
  static int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                             unsigned int length, void*) {
    for (unsigned int at = 0; at < length; at += offered[at] + 1u) {
      if (std::string_view(reinterpret_cast<const char*>(offered + at + 1),
                           std::min<std::size_t>(offered[at], length - at - 1)) != "http/1.1")
        continue;
      *chosen = offered + at + 1;
      *size = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  SSL_CTX* context_;
  Side side_;
};

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::server(const std::string& certificate_file,
                                                       const std::string& key_file) {
  auto context = std::make_shared<OpenSslContext>(::SSL_CTX_new(::TLS_server_method()), Side::kServer);
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(context->get(), certificate_file.c_str()) != 1)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("no certificate can be read from {}: {}", certificate_file, last_openssl_error()),
                "name a PEM file");
  if (::SSL_CTX_use_PrivateKey_file(context->get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("no key of that certificate can be read from {}: {}", key_file, last_openssl_error()),
                "name the PEM file of its private key, without a passphrase");
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const std::string& ca_file) {
  auto context = std::make_shared<OpenSslContext>(::SSL_CTX_new(::TLS_client_method()), Side::kClient);
  ::ERR_clear_error();
  ::SSL_CTX_set_verify(context->get(), SSL_VERIFY_PEER, nullptr);
  const bool trusted = ca_file.empty() ? ::SSL_CTX_set_default_verify_paths(context->get()) == 1
                                       : ::SSL_CTX_load_verify_locations(context->get(), ca_file.c_str(), nullptr) == 1;
  if (!trusted)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("no authority can be read from {}: {}", ca_file, last_openssl_error()),
                "name a PEM file of certificates");
  return context;
}

}  // namespace pandora
