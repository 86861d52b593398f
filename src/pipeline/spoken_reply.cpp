#include "pipeline/spoken_reply.h"

#include <algorithm>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::string_view kBetweenCalls = "\n\n";

// Bytes before a character that has begun and is not yet whole.
std::size_t whole_characters(std::string_view text) {
  constexpr std::size_t kMostMissing = 3;
  for (std::size_t back = 1; back <= std::min(kMostMissing, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

}  // namespace

void SpokenReply::begin_call() {
  call_.clear(), held_.clear();
  spoke_ = full_ = false;
}

std::string SpokenReply::add(std::string_view text) {
  if (full_) return {};
  const std::size_t used = text_.size() + held_.size();
  const std::size_t room = kMaxReplyBytes - std::min(used, kMaxReplyBytes);
  if (text.size() > room) {
    full_ = true;
    text = text.substr(0, whole_characters(text.substr(0, room)));
  }
  call_ += text;
  held_ += text;
  if (!spoke_ && trim(text).empty()) return {};  // only the new text is looked at: a long silence costs nothing
  return give(whole_characters(held_));
}

std::string SpokenReply::end_call() { return spoke_ ? give(held_.size()) : std::string(); }

std::string SpokenReply::add_whole(std::string_view text) {
  begin_call();
  call_ = held_ = text;
  return give(held_.size());
}

std::string SpokenReply::give(std::size_t bytes) {
  std::string given = sanitize_utf8(std::string_view(held_).substr(0, bytes));
  held_.erase(0, bytes);
  if (given.empty()) return given;
  if (!spoke_ && !text_.empty()) given.insert(0, kBetweenCalls);
  spoke_ = true;
  text_ += given;
  return given;
}

}  // namespace pandora
