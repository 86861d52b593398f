#include "tools/calculator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numbers>

#include <fmt/format.h>

namespace pandora {
namespace {

using Number = long double;
static_assert(std::numeric_limits<Number>::digits >= 64, "whole numbers up to 2^63 are promised to be exact");
constexpr std::size_t kMaxFunctionArguments = 16;

struct Function {
  std::string_view name;
  std::size_t least, most;  // arguments
  Number (*apply)(const std::vector<Number>&);
};

Number smallest(const std::vector<Number>& values) { return *std::ranges::min_element(values); }
Number largest(const std::vector<Number>& values) { return *std::ranges::max_element(values); }

const std::vector<Function>& functions() {
  using V = const std::vector<Number>&;
  static const std::vector<Function> kAll = {
      {"abs", 1, 1, [](V v) { return std::fabs(v[0]); }},
      {"sqrt", 1, 1, [](V v) { return std::sqrt(v[0]); }},
      {"cbrt", 1, 1, [](V v) { return std::cbrt(v[0]); }},
      {"exp", 1, 1, [](V v) { return std::exp(v[0]); }},
      {"ln", 1, 1, [](V v) { return std::log(v[0]); }},
      {"log", 1, 2, [](V v) { return v.size() == 1 ? std::log10(v[0]) : std::log(v[0]) / std::log(v[1]); }},
      {"log2", 1, 1, [](V v) { return std::log2(v[0]); }},
      {"log10", 1, 1, [](V v) { return std::log10(v[0]); }},
      {"sin", 1, 1, [](V v) { return std::sin(v[0]); }},
      {"cos", 1, 1, [](V v) { return std::cos(v[0]); }},
      {"tan", 1, 1, [](V v) { return std::tan(v[0]); }},
      {"asin", 1, 1, [](V v) { return std::asin(v[0]); }},
      {"acos", 1, 1, [](V v) { return std::acos(v[0]); }},
      {"atan", 1, 1, [](V v) { return std::atan(v[0]); }},
      {"degrees", 1, 1, [](V v) { return v[0] * 180 / std::numbers::pi_v<Number>; }},
      {"radians", 1, 1, [](V v) { return v[0] * std::numbers::pi_v<Number> / 180; }},
      {"floor", 1, 1, [](V v) { return std::floor(v[0]); }},
      {"ceil", 1, 1, [](V v) { return std::ceil(v[0]); }},
      {"round", 1, 1, [](V v) { return std::round(v[0]); }},
      {"min", 1, kMaxFunctionArguments, [](V v) { return smallest(v); }},
      {"max", 1, kMaxFunctionArguments, [](V v) { return largest(v); }},
  };
  return kAll;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Number> whole() {
    PANDORA_TRY(value, sum());
    skip();
    if (at_ < text_.size()) return wrong(fmt::format("\"{}\" was not expected", next()));
    return value;
  }

 private:
  // What is nested, however it is: so that no expression is deeper than the stack.
  class Level {
   public:
    explicit Level(int& depth) : depth_(depth) { ++depth_; }
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    int& depth_;
  };

  Result<Number> sum() {
    const Level level(depth_);
    if (depth_ > kMaxExpressionDepth)
      return fail(ErrorCode::kTooLarge, fmt::format("the expression is nested more than {} deep", kMaxExpressionDepth));
    PANDORA_TRY(value, product());
    for (;;) {
      if (take("+")) {
        PANDORA_TRY(other, product());
        value += other;
      } else if (take("-")) {
        PANDORA_TRY(other, product());
        value -= other;
      } else {
        return checked(value);
      }
    }
  }

  Result<Number> product() {
    PANDORA_TRY(value, signed_value());
    for (;;) {
      if (!peek("**") && take("*")) {
        PANDORA_TRY(other, signed_value());
        value *= other;
      } else if (peek("/") || peek("%")) {
        const bool divides = take("/");
        if (!divides) (void)take("%");
        PANDORA_TRY(other, signed_value());
        if (other == 0) return wrong("division by zero");
        if (divides) {
          value /= other;
        } else {
          value = std::fmod(value, other);
          if (value != 0 && (value < 0) != (other < 0)) value += other;
        }
      } else {
        return checked(value);
      }
    }
  }

  // A sign binds weaker than a power: -2^2 is -4.
  Result<Number> signed_value() {
    const Level level(depth_);
    if (depth_ > kMaxExpressionDepth)
      return fail(ErrorCode::kTooLarge, fmt::format("the expression is nested more than {} deep", kMaxExpressionDepth));
    if (take("-")) {
      PANDORA_TRY(value, signed_value());
      return -value;
    }
    if (take("+")) return signed_value();
    PANDORA_TRY(base, factorial());
    if (!take("**") && !take("^")) return base;
    PANDORA_TRY(exponent, signed_value());
    return checked(power(base, exponent));
  }

  // Whole powers by squaring: exact as long as the result is.
  static Number power(Number base, Number exponent) {
    constexpr Number kSmall = 1024;
    if (exponent != std::floor(exponent) || exponent < 0 || exponent > kSmall) return std::pow(base, exponent);
    Number value = 1;
    for (auto left = static_cast<unsigned>(exponent); left > 0; left /= 2, base *= base)
      if (left % 2 == 1) value *= base;
    return value;
  }

  Result<Number> factorial() {
    PANDORA_TRY(value, atom());
    while (take("!")) {
      if (value < 0 || value != std::floor(value)) return wrong("a factorial needs a whole number from 0 on");
      if (value > kMaxFactorial)
        return fail(ErrorCode::kTooLarge, fmt::format("factorials are computed up to {}!", kMaxFactorial));
      Number product = 1;
      for (int i = 2; i <= static_cast<int>(value); ++i) product *= static_cast<Number>(i);
      value = product;
    }
    return checked(value);
  }

  Result<Number> atom() {
    skip();
    if (at_ == text_.size()) return wrong("something is missing at its end");
    if (take("(")) {
      PANDORA_TRY(value, sum());
      if (!take(")")) return wrong("a \")\" is missing");
      return value;
    }
    const char c = text_[at_];
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.') return number();
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) return named();
    return wrong(fmt::format("\"{}\" was not expected", next()));
  }

  Result<Number> number() {
    std::string digits;
    const auto take_digits = [&] {
      while (at_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
        if (text_[at_] != '_') digits += text_[at_];
        ++at_;
      }
    };
    take_digits();
    if (at_ < text_.size() && text_[at_] == '.') {
      digits += text_[at_++];
      take_digits();
    }
    if (digits == ".") return wrong("\".\" is no number");
    // "2e" is no exponent, but then no number follows either: it is refused as a name.
    if (at_ + 1 < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      const std::size_t sign = text_[at_ + 1] == '+' || text_[at_ + 1] == '-' ? 1 : 0;
      const std::size_t first = at_ + 1 + sign;
      if (first < text_.size() && std::isdigit(static_cast<unsigned char>(text_[first])) != 0) {
        digits.append(text_.substr(at_, 1 + sign));
        at_ = first;
        take_digits();
      }
    }
    if (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_])) != 0)
      return wrong("write * between a number and a name");
    return checked(std::strtold(digits.c_str(), nullptr));
  }

  Result<Number> named() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "pi") return std::numbers::pi_v<Number>;
    if (name == "tau") return 2 * std::numbers::pi_v<Number>;
    if (name == "e") return std::numbers::e_v<Number>;
    const auto found = std::ranges::find(functions(), name, &Function::name);
    if (found == functions().end())
      return wrong(fmt::format("there is no \"{}\"; functions are {}", name, fmt::join(calculator_functions(), ", ")));
    if (!take("(")) return wrong(fmt::format("{} needs its arguments in parentheses", name));
    std::vector<Number> arguments;
    do {
      if (arguments.size() == kMaxFunctionArguments) return wrong("too many arguments");
      PANDORA_TRY(value, sum());
      arguments.push_back(value);
    } while (take(","));
    if (!take(")")) return wrong("a \")\" is missing");
    if (arguments.size() < found->least || arguments.size() > found->most)
      return wrong(fmt::format("{} takes {} to {} arguments", name, found->least, found->most));
    return checked(found->apply(arguments));
  }

  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool peek(std::string_view sign) {
    skip();
    return text_.substr(at_).starts_with(sign);
  }
  bool take(std::string_view sign) {
    if (!peek(sign)) return false;
    at_ += sign.size();
    return true;
  }
  std::string next() const {
    std::size_t end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    return std::string(text_.substr(at_, end - at_));
  }
  tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorCode::kInvalidArgument, fmt::format("at character {}: {}", at_ + 1, what));
  }
  Result<Number> checked(Number value) const {
    if (std::isnan(value)) return wrong("this is not defined");
    if (std::isinf(value)) return wrong("this is too large a number");
    return value;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::vector<std::string_view> calculator_functions() {
  std::vector<std::string_view> names;
  for (const auto& function : functions()) names.push_back(function.name);
  return names;
}

Result<std::string> calculate(std::string_view expression) {
  if (expression.size() > kMaxExpressionBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("an expression of {} bytes, at most {} are taken", expression.size(), kMaxExpressionBytes));
  PANDORA_TRY(value, Parser(expression).whole());
  constexpr Number kExact = 9'223'372'036'854'775'808.0L;  // 2^63
  if (value == std::floor(value) && std::fabs(value) <= kExact)
    return fmt::format("{:.0f}", value == 0 ? Number{0} : value);
  // 17 digits where they are meant; "0.1 + 0.2" is 0.3.
  return fmt::format("{:.17g}", value);
}

}  // namespace pandora
