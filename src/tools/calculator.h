// Arithmetic over one expression. Pure; evaluates nothing but what stands here.
//
// Numbers (12, 1_000, 2.5, 1e-3), + - * / % ^ (also **), parentheses, unary sign, factorial "!", pi, e, tau, and the
// functions of `calculator_functions`. Precedence as on paper: ! before ^ (from the right) before sign before * / %
// before + -. "%" is the remainder with the sign of the divisor. Binary floating point of 64 bits of mantissa; whole
// numbers up to 2^63 are exact. The result is written with at most 17 significant digits.
// kInvalidArgument names the place: what does not parse, division by zero, a value outside a function's domain or the
// range of numbers. kTooLarge past the bounds.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxExpressionBytes = 1000;
inline constexpr int kMaxExpressionDepth = 64;
inline constexpr int kMaxFactorial = 1000;

Result<std::string> calculate(std::string_view expression);
std::vector<std::string_view> calculator_functions();

}  // namespace pandora
