// What a turn says: one text, given to the client as it grows and kept as the reply, so that both are the same. Pure.
//
// Several model calls may speak in a turn, before and between tools; their texts stand apart by an empty line. Given
// out are whole characters only (a delta may end inside one), broken UTF-8 and NUL as U+FFFD, and white space only once
// a word of the same call follows it: a call without a word leaves no trace. Model calls together say at most
// kMaxReplyBytes.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace pandora {

inline constexpr std::size_t kMaxReplyBytes = 1024 * 1024;

class SpokenReply {
 public:
  void begin_call();
  // What of the call's text so far can be given out now; possibly nothing. What exceeds the maximum is dropped, see
  // `full`.
  std::string add(std::string_view text);
  // The call has ended: the rest.
  std::string end_call();
  // A whole text of our own, outside the maximum.
  std::string add_whole(std::string_view text);

  const std::string& text() const { return text_; }     // everything given out
  const std::string& of_call() const { return call_; }  // as the call under way said it
  bool spoke() const { return spoke_; }                 // the call has said a word
  bool full() const { return full_; }                   // the call said more than is taken

 private:
  std::string give(std::size_t bytes);
  std::string text_, call_, held_;
  bool spoke_ = false, full_ = false;
};

}  // namespace pandora
