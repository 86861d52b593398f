// Inside embed: how many texts are encoded at once, and which comes next.
//
// More passes at a time than there are cores make each of them slower and none of them sooner. So they wait here, in
// the order in which they came, questions before passages: somebody waits for a question, nobody for a passage. After
// kQuestionsInARow of them a waiting passage comes, so that saving goes on under any load. Who has no time left goes:
// under more load than can be borne recall does without its encoder in time, and no pass is made in vain. Thread-safe.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

#include "ports/embedder.h"

namespace pandora {

inline constexpr std::size_t kQuestionsInARow = 8;

class Turnstile {
 public:
  explicit Turnstile(std::size_t places) : free_(places) {}

  // Held for one pass.
  class Place {
   public:
    Place(Place&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (turnstile_) turnstile_->leave();
    }

   private:
    friend class Turnstile;
    explicit Place(Turnstile& turnstile) : turnstile_(&turnstile) {}
    Turnstile* turnstile_;
  };
  Result<Place> enter(TextRole role, const Deadline& deadline);  // kDeadlineExceeded
  std::size_t waiting() const;

 private:
  struct Waiter {
    std::condition_variable called;
    bool may_go = false;
  };
  void leave();

  mutable std::mutex mutex_;
  std::size_t free_;
  std::size_t questions_in_a_row_ = 0;  // while a passage waited
  std::deque<Waiter*> questions_, passages_;
};

}  // namespace pandora
