#include "turns/turn_folders.h"

#include "domain/turn.h"

namespace pandora {

Result<std::optional<TurnNumber>> TurnFolders::front() {
  while (at_ == numbers_.size() && digits_ <= kMostDigits) PANDORA_CHECK(read_page());
  return at_ == numbers_.size() ? std::nullopt : std::optional(numbers_[at_]);
}

std::string TurnFolders::path(TurnNumber number) const { return area_ + "/" + turn_directory_name(number); }

Status TurnFolders::read_page() {
  numbers_.clear();
  at_ = 0;
  PANDORA_TRY(listed, documents_.list_after(area_, after_, page_, deadline_));
  for (const auto& entry : listed) {
    after_ = entry.name;
    const auto number = parse_turn_directory_name(entry.name);
    if (!number) {
      if (digits_ == kLeastDigits) PANDORA_CHECK(other_(entry.name));
      continue;
    }
    const std::size_t digits = std::max(kLeastDigits, std::to_string(number->value).size());
    seen_[digits] = true;
    if (digits == digits_) numbers_.push_back(*number);
  }
  if (!listed.empty()) return {};
  after_.clear();
  do ++digits_;
  while (digits_ <= kMostDigits && !seen_[digits_]);
  return {};
}

}  // namespace pandora
