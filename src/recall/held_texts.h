// What a request says itself: a client sends the whole conversation each time, and what stands in it need not be
// recalled.
//
// Texts are compared without regard to white space. Building is not thread-safe, asking is.
#pragma once
#include <string>
#include <string_view>
#include <unordered_set>

#include "domain/memory.h"
#include "domain/turn.h"

namespace pandora {

class HeldTexts {
 public:
  void add(Role role, std::string_view text);
  // Its message is there, and so is its reply, if it has one of its own.
  bool holds(const Turn& turn) const;
  // The user says it there, in these words.
  bool holds(const Memory& memory) const;

 private:
  std::unordered_set<std::string> said_by_user_, said_by_assistant_;
  std::string all_of_user_;  // folded further, for memories: one message a line
};

}  // namespace pandora
