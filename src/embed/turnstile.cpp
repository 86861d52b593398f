#include "embed/turnstile.h"

namespace pandora {

void Turnstile::enter(TextRole role) {
  std::unique_lock lock(mutex_);
  if (free_ > 0) {  // then nobody waits
    --free_;
    return;
  }
  Waiter self;
  (role == TextRole::kQuestion ? questions_ : passages_).push_back(&self);
  self.called.wait(lock, [&] { return self.may_go; });
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
