// The façade over everything that is remembered: what the command line, the local socket and (later) the HTTP API call.
//
// An operation has a name ("turns.list"), takes a JSON object and gives a JSON object, which is what `--json` prints;
// the table of operations with their arguments is docs/operations.md, and a test holds the two together. Long work
// reports progress as events and ends early when the caller has left. The same interface is served in process
// (`make_local_service`) and over the socket of the process that owns the data directory (`make_remote_service`); a
// caller cannot tell. Thread-safe.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/principal.h"
#include "net/local_socket.h"

namespace pandora {

struct ServiceCall {
  std::string operation;
  UserId user;
  std::string arguments = "{}";  // JSON object, at most kMaxArgumentBytes
};
inline constexpr std::size_t kMaxArgumentBytes = 40u << 20;

// The caller's side of an operation under way.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void event(const std::string& json) = 0;  // {"delta": …} of a reply, {"progress": …} of long work
  virtual bool cancelled() = 0;
};
class NoObserver final : public CallObserver {
 public:
  void event(const std::string&) override {}
  bool cancelled() override { return false; }
};

struct OperationInfo {
  std::string_view name;
  std::string_view arguments;  // "session?, limit? = 50, before?"
  std::string_view summary;
};

class Service {
 public:
  virtual ~Service() = default;
  // kNotFound: no such operation. kInvalidArgument: arguments that do not parse, are unknown or out of bounds, by name.
  virtual Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline& deadline) = 0;
};

std::vector<OperationInfo> operations();

// Talks to the owner at `socket_path`. kNotFound when nobody owns the directory. An owner that ends before it took a
// call up gives kUnavailable with the message kOwnerGone: the call was not begun and may be made of the next owner.
inline constexpr std::string_view kOwnerGone = "the owner of the data directory ended";
Result<std::unique_ptr<Service>> make_remote_service(const std::string& socket_path);
// Serves `service` at `socket_path` until destroyed.
Result<std::unique_ptr<LocalServer>> serve_locally(const std::string& socket_path, Service& service);

}  // namespace pandora
