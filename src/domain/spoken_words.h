// The words of a turn for the lexical leg: who said it counts as a word. Points hold them, and the rows' full text.
#pragma once
#include <string>

#include "domain/turn.h"

namespace pandora {

inline std::string spoken_words(const Turn& turn) {
  std::string text = std::string(turn.message.speaker()) + " " + turn.message.text;
  if (const Utterance* reply = own_reply(turn)) text += "\n" + std::string(reply->speaker()) + " " + reply->text;
  return text;
}

}  // namespace pandora
