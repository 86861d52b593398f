#include "wire/sse.h"

#include <algorithm>

#include <fmt/format.h>

namespace pandora {
namespace {

// Where the line ends, or the bytes: find_first_of calls the C library for each of them.
std::size_t line_end(std::string_view bytes) {
  std::size_t end = 0;
  while (end < bytes.size() && bytes[end] != '\n' && bytes[end] != '\r') ++end;
  return end;
}

}  // namespace

Status SseParser::feed(std::string_view bytes, const std::function<void(SseEvent)>& take) {
  while (!bytes.empty() && !broken_) {
    if (after_cr_ && bytes.front() == '\n') {  // the second half of a CRLF
      after_cr_ = false;
      bytes.remove_prefix(1);
      continue;
    }
    after_cr_ = false;
    const std::size_t end = line_end(bytes);
    bytes_ += end;
    broken_ = bytes_ > max_event_bytes_;
    if (broken_) break;
    line_ += bytes.substr(0, end);
    if (end == bytes.size()) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    take_line(take);
  }
  if (broken_) return fail(ErrorCode::kTooLarge, fmt::format("an event of more than {} bytes", max_event_bytes_));
  return {};
}

void SseParser::take_line(const std::function<void(SseEvent)>& take) {
  std::string_view line = line_;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    if (has_data_) take(event_);
    event_.name.clear();
    event_.data.clear();
    has_data_ = false;
    bytes_ = 0;
    line_.clear();
    return;
  }
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (std::exchange(has_data_, true)) event_.data += '\n';
    event_.data += value;
  } else if (field == "event") {
    event_.name = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    event_.id = value;
  } else if (field.empty()) {
    bytes_ -= line_.size();  // a comment: servers send them by the hour to keep a stream open
  }
  line_.clear();
}

std::optional<SseEvent> SseParser::finish() {
  if (!has_data_ || !line_.empty() || broken_) return std::nullopt;
  has_data_ = false;
  return std::move(event_);
}

std::string sse_event(std::string_view data, std::string_view name) {
  std::string out;
  out.reserve(data.size() + name.size() + 24);
  if (!name.empty()) out.append("event: ").append(name).append("\n");
  for (std::size_t at = 0;;) {
    const std::size_t end = at + line_end(data.substr(at));
    out.append("data: ").append(data.substr(at, end - at)).append("\n");
    if (end == data.size()) return out + "\n";
    at = end + (data.substr(end).starts_with("\r\n") ? 2 : 1);
  }
}

}  // namespace pandora
