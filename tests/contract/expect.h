// How contract suites look at results, and how implementations join them.
#pragma once
#include <functional>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

// The value; a failure ends the test with the error's text.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_line());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

template <class T>
::testing::AssertionResult fails_with(ErrorCode code, const Result<T>& result) {
  if (!result && result.error().code == code) return ::testing::AssertionSuccess();
  const std::string wanted(error_info(code).name);
  if (result) return ::testing::AssertionFailure() << "success instead of " << wanted;
  return ::testing::AssertionFailure() << error_info(result.error().code).name << " instead of " << wanted << ": "
                                       << result.error().to_line();
}
#define EXPECT_FAILS(code, ...) EXPECT_TRUE(fails_with(ErrorCode::code, __VA_ARGS__))

// One implementation of a port, and how to set up a fresh one.
template <class Setup>
struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Setup>()> make;
  friend std::ostream& operator<<(std::ostream& out, const Implementation& one) { return out << one.name; }
};
inline constexpr auto kImplementationName = [](const auto& one) { return one.param.name; };

// A deadline that has passed.
inline Deadline past() {
  static const ManualClock clock;
  return Deadline::after(clock, Duration(0));
}
inline const Deadline kNever = Deadline::never();

}  // namespace pandora
