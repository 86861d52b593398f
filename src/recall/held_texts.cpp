#include "recall/held_texts.h"

#include <algorithm>

#include "base/text.h"

namespace pandora {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace

void HeldTexts::add(Role role, std::string_view text) {
  std::string folded = collapse_space(text);
  if (folded.empty()) return;
  if (role != Role::kUser) {
    said_by_assistant_.insert(std::move(folded));
    return;
  }
  all_of_user_ += lower(folded) + '\n';
  said_by_user_.insert(std::move(folded));
}

bool HeldTexts::holds(const Turn& turn) const {
  if (!said_by_user_.contains(collapse_space(turn.message.text))) return false;
  const Utterance* reply = own_reply(turn);
  return !reply || said_by_assistant_.contains(collapse_space(reply->text));
}

bool HeldTexts::holds(const Memory& memory) const {
  const std::string content = lower(collapse_space(memory.content));
  return !content.empty() && all_of_user_.find(content) != std::string::npos;
}

}  // namespace pandora
