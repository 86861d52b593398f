// Which journals there are beside one's own: of gateways that share the rows. Thread-safe; errors as turn_store.h.
//
// A gateway says again and again that it lives, and how many turns wait in its journal; one that ends with an empty
// journal leaves. What has been silent for kJournalSilence died: its journal may hold turns that nobody else has, and
// the next gateway on that directory drains it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr Duration kJournalHeard = std::chrono::seconds(2);     // how often a gateway says that it lives
inline constexpr Duration kJournalSilence = std::chrono::seconds(15);  // after which it does not
inline constexpr std::int64_t kMaxToldDirectories = 10'000;

struct RegisteredJournal {
  std::string id, host, directory;
  std::int64_t pending = 0;      // turns without a row, when it was last heard of
  std::int64_t directories = 0;  // of turns with a row, that it alone can write; kMaxToldDirectories at most
  Duration silent{0};            // since then, by the clock of the server
  bool is_silent() const { return silent >= kJournalSilence; }
};

class JournalRegister {
 public:
  virtual ~JournalRegister() = default;
  virtual Status put(const RegisteredJournal& journal, const Deadline& deadline) = 0;
  virtual Status remove(const std::string& id, const Deadline& deadline) = 0;         // missing is fine
  virtual Result<std::vector<RegisteredJournal>> list(const Deadline& deadline) = 0;  // by id
};

}  // namespace pandora
