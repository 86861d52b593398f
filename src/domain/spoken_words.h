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

// What is made of the words of one, vector or points, is right for the other.
inline bool same_words(const Turn& a, const Turn& b) {
  return a.message == b.message && a.reply == b.reply && a.model == b.model;
}

}  // namespace pandora
