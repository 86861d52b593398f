// Names of hosts whose looking up takes until it is let go, as with a server of names that says nothing.
#pragma once
#include <map>
#include <memory>

#include "base/clock.h"
#include "net/name_lookup.h"

namespace pandora::testing {

class SlowNames {
 public:
  // Every name means this machine.
  explicit SlowNames(const Clock& clock)
      : names_(std::make_shared<NameLookup>(
            [state = state_](const std::string& host) -> Result<Addresses> {
              std::unique_lock lock(state->mutex);
              ++state->asked[host];
              state->changed.wait(lock, [&] { return !state->hangs; });
              if (host == "nobody.test") return fail(ErrorCode::kUnavailable, "no address is known for " + host);
              return Addresses{*parse_address("127.0.0.1", 0)};
            },
            clock)) {}
  ~SlowNames() { hang(false); }
  const std::shared_ptr<NameLookup>& names() const { return names_; }
  void hang(bool hangs) {
    const std::lock_guard lock(state_->mutex);
    state_->hangs = hangs;
    state_->changed.notify_all();
  }
  int asked(const std::string& host) const {
    const std::lock_guard lock(state_->mutex);
    return state_->asked[host];
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool hangs = false;
    std::map<std::string, int> asked;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  const std::shared_ptr<NameLookup> names_;
};

}  // namespace pandora::testing
