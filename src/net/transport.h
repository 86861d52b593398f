// Inside net, and under clients of other protocols (redis): bytes over a non-blocking socket, plain or under TLS.
// OpenSSL stands behind it, in tls.cpp alone.
//
// A call moves what it can at once and says what it waits for otherwise; nothing is buffered here but what TLS must.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

enum class IoState {
  kMoved,      // `bytes` > 0
  kWantRead,   // again when the descriptor is readable
  kWantWrite,  // again when it is writable
  kEnded,      // the other side closed in order
  kFailed,     // the connection is broken
};
struct IoResult {
  IoState state = IoState::kFailed;
  std::size_t bytes = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;  // the descriptor belongs to its WatchedDescriptor
  virtual IoResult handshake() { return {IoState::kMoved, 1}; }
  virtual IoResult read(std::span<char> into) = 0;
  virtual IoResult write(std::string_view bytes) = 0;
  virtual bool has_buffered_input() const { return false; }  // readable though the descriptor may not be
  virtual void end_output() = 0;                             // tells the other side that nothing more comes
  virtual std::string failure() const { return {}; }         // why the handshake failed
};
std::unique_ptr<Transport> make_plain_transport(int descriptor);

// Certificates and keys, or what is trusted; shared by connections, thread-safe.
class TlsContext {
 public:
  // Of a server: PEM files, the certificate's chain first to last. kNotFound, kPermissionDenied, kInvalidArgument.
  static Result<std::shared_ptr<TlsContext>> server(const std::string& certificate_file, const std::string& key_file);
  // Of a client: trusts the authorities in `ca_file` (PEM), or the system's when it is empty.
  static Result<std::shared_ptr<TlsContext>> client(const std::string& ca_file);
  virtual ~TlsContext() = default;
  // `host`: whose certificate a client demands; unused by a server.
  virtual std::unique_ptr<Transport> wrap(int descriptor, const std::string& host) = 0;
};

}  // namespace pandora
