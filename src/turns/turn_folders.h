// The folders of turns in one area, by number, a page of names at a time. Internal to the reconciler.
#pragma once
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "ports/document_store.h"

namespace pandora {

// Names come by their bytes, numbers of six digits are filled up with zeros and longer ones are not: turn_1000000
// stands before turn_200000. So the names of each length are walked through by themselves, once the first walk has seen
// one.
class TurnFolders {
 public:
  // `other` hears of what is no folder of a turn, once each.
  TurnFolders(DocumentStore& documents, std::string area, std::size_t page,
              std::function<Status(const std::string& name)> other, const Deadline& deadline)
      : documents_(documents), area_(std::move(area)), page_(page), other_(std::move(other)), deadline_(deadline) {}

  // None: the end. What came meanwhile may be left out.
  Result<std::optional<TurnNumber>> front();
  void pop() { ++at_; }
  std::string path(TurnNumber number) const;

 private:
  static constexpr std::size_t kLeastDigits = 6, kMostDigits = 12;

  Status read_page();

  DocumentStore& documents_;
  const std::string area_;
  const std::size_t page_;
  const std::function<Status(const std::string& name)> other_;
  const Deadline& deadline_;
  std::size_t digits_ = kLeastDigits;
  std::array<bool, kMostDigits + 1> seen_{};  // whether there are names of so many digits
  std::string after_;
  std::vector<TurnNumber> numbers_;  // of this page
  std::size_t at_ = 0;
};

}  // namespace pandora
