#include "embed/turnstile.h"

#include <algorithm>

namespace pandora {
namespace {
constexpr Duration kLookAgain = std::chrono::seconds(1);  // at a deadline: its clock may be another than ours
}

Result<Turnstile::Place> Turnstile::enter(TextRole role, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("encoding"));
  std::unique_lock lock(mutex_);
  if (free_ > 0) {  // then nobody waits
    --free_;
    return Place(*this);
  }
  Waiter self;
  auto& queue = role == TextRole::kQuestion ? questions_ : passages_;
  queue.push_back(&self);
  while (!self.may_go) {
    if (auto in_time = deadline.check("waiting for the encoder"); !in_time) {
      std::erase(queue, &self);
      return fail(std::move(in_time).error());
    }
    self.called.wait_for(lock, std::min<Duration>(deadline.remaining(), kLookAgain));
  }
  return Place(*this);
}

// The place goes from hand to hand, so that nobody who comes now overtakes.
void Turnstile::leave() {
  const std::lock_guard lock(mutex_);
  const bool passage_is_due = !passages_.empty() && (questions_.empty() || questions_in_a_row_ >= kQuestionsInARow);
  auto& next = passage_is_due ? passages_ : questions_;
  if (next.empty()) {
    ++free_;
    return;
  }
  questions_in_a_row_ = passage_is_due || passages_.empty() ? 0 : questions_in_a_row_ + 1;
  Waiter* waiter = next.front();
  next.pop_front();
  waiter->may_go = true;
  waiter->called.notify_one();  // under the lock: the waiter goes with its own stack
}

std::size_t Turnstile::waiting() const {
  const std::lock_guard lock(mutex_);
  return questions_.size() + passages_.size();
}

}  // namespace pandora
