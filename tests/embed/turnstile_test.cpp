// Who is encoded next.
#include "embed/turnstile.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace pandora {
namespace {

Turnstile::Place enter(Turnstile& turnstile, TextRole role) { return turnstile.enter(role, Deadline::never()).value(); }

// Comes one after the other to a turnstile whose only place is taken, and notes who passes when it becomes free.
class Line {
 public:
  Line() : held_(enter(turnstile_, TextRole::kPassage)) {}
  void join(char name, TextRole role) {
    const std::size_t before = turnstile_.waiting();
    threads_.emplace_back([this, name, role] {
      const auto place = enter(turnstile_, role);
      passed_ += name;  // one at a time: there is one place
    });
    while (turnstile_.waiting() == before) std::this_thread::yield();
  }
  std::string let_go() {
    held_.reset();
    for (auto& thread : threads_) thread.join();
    return passed_;
  }

 private:
  Turnstile turnstile_{1};
  std::optional<Turnstile::Place> held_;
  std::vector<std::thread> threads_;
  std::string passed_;
};

TEST(Turnstile, QuestionsComeBeforePassagesAndEachInItsOrder) {
  Line line;
  line.join('a', TextRole::kPassage);
  line.join('1', TextRole::kQuestion);
  line.join('b', TextRole::kPassage);
  line.join('2', TextRole::kQuestion);
  EXPECT_EQ(line.let_go(), "12ab");
}

TEST(Turnstile, APassageComesAfterSoManyQuestionsInARow) {
  for (const std::size_t questions : {kQuestionsInARow, kQuestionsInARow + 1}) {
    Line line;
    line.join('p', TextRole::kPassage);
    for (std::size_t i = 0; i < questions; ++i) line.join('q', TextRole::kQuestion);
    EXPECT_EQ(line.let_go(), std::string(kQuestionsInARow, 'q') + "p" + std::string(questions - kQuestionsInARow, 'q'));
  }
}

TEST(Turnstile, AsManyAsThereArePlacesPassAtOnce) {
  Turnstile turnstile(2);
  const auto one = enter(turnstile, TextRole::kQuestion);
  auto two = std::optional(enter(turnstile, TextRole::kPassage));
  std::thread third([&] { const auto place = enter(turnstile, TextRole::kQuestion); });
  while (turnstile.waiting() == 0) std::this_thread::yield();
  two.reset();
  third.join();
  EXPECT_EQ(turnstile.waiting(), 0u);
  const auto again = enter(turnstile, TextRole::kPassage);  // the place came back
}

TEST(Turnstile, WhoHasNoTimeLeftGoesAndTheOthersKeepTheirPlaces) {
  const SystemClock clock;
  Turnstile turnstile(1);
  auto held = std::optional(enter(turnstile, TextRole::kPassage));
  for (const TextRole role : {TextRole::kQuestion, TextRole::kPassage}) {
    const auto late = turnstile.enter(role, Deadline::after(clock, std::chrono::milliseconds(5)));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  }
  EXPECT_EQ(turnstile.waiting(), 0u);
  std::thread patient([&] { const auto place = enter(turnstile, TextRole::kQuestion); });
  while (turnstile.waiting() == 0) std::this_thread::yield();
  held.reset();
  patient.join();
  EXPECT_FALSE(turnstile.enter(TextRole::kQuestion, Deadline::after(clock, Duration::zero())))
      << "no pass in vain, though there is a place";
  const auto again = enter(turnstile, TextRole::kQuestion);
}

}  // namespace
}  // namespace pandora
