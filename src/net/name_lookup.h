// The addresses of names, as this machine knows them: its files, DNS, whatever its nsswitch.conf says. Thread-safe.
//
// The system's resolver takes as long as it likes: half a minute where a server of names says nothing. So every
// question is put on a thread of its own, and whoever asked waits for as long as he wants; the end of the process, or
// of this, waits for none. Who asks for a name that is being looked up shares the answer, unless that takes longer than
// kFreshLookup: then it is asked anew, as the server of names may be back. Nothing is remembered.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/socket_address.h"

namespace pandora {

inline constexpr std::size_t kMaxLookups = 64;  // under way at once; one past it is kResourceExhausted
inline constexpr Duration kFreshLookup = std::chrono::seconds(5);

using Addresses = std::vector<SocketAddress>;

class NameQuestion {
 public:
  bool wait(Duration time);  // whether it is answered by then
  // Once it is answered, with this port: kUnavailable when no address is known, else never empty.
  Result<Addresses> addresses(std::uint16_t port) const;
  // Calls once it is answered: at once, or later on a thread of its own, unless `who` is gone by then.
  void then(std::weak_ptr<void> who, std::function<void()> call);

 private:
  friend class NameLookup;
  void answer(Result<Addresses> addresses);
  struct Waiting {
    std::weak_ptr<void> who;
    std::function<void()> call;
  };
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<Result<Addresses>> answer_;
  std::vector<Waiting> waiting_;
  std::size_t sweep_at_ = 0;  // so many waiting ones: those who are gone are dropped
};

class NameLookup {
 public:
  using Resolve = std::function<Result<Addresses>(const std::string& host)>;  // may take for ever
  NameLookup(Resolve resolve, const Clock& clock);
  // This machine's resolver; of the whole process.
  static const std::shared_ptr<NameLookup>& system();

  // Of an address and of "localhost", which is this machine (RFC 6761), the question is answered already.
  std::shared_ptr<NameQuestion> ask(const std::string& host);
  // Waits for it. Not on an I/O thread. kDeadlineExceeded too.
  Result<Addresses> find(const std::string& host, std::uint16_t port, const Deadline& deadline);

 private:
  struct UnderWay;
  const std::shared_ptr<UnderWay> under_way_;  // also of the threads
};

}  // namespace pandora
