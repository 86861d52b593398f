// Inside gateway: the path at which a turn's progress is asked for.
#pragma once
#include <string_view>

namespace pandora {

inline constexpr std::string_view kProgressPath = "/v1/turns/{turn}/progress";

// The segment that stands for the turn; empty: it is another path.
inline std::string_view turn_of_progress_path(std::string_view path) {
  constexpr std::string_view kBegin = "/v1/turns/", kEnd = "/progress";
  if (path.size() <= kBegin.size() + kEnd.size() || !path.starts_with(kBegin) || !path.ends_with(kEnd)) return {};
  const std::string_view turn = path.substr(kBegin.size(), path.size() - kBegin.size() - kEnd.size());
  return turn.find('/') == std::string_view::npos ? turn : std::string_view();
}

}  // namespace pandora
