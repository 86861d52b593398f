// What a turn keeps besides its words: images of the client's message, and pages that its tools fetched.
#pragma once
#include <string>
#include <vector>

#include "domain/turn_record.h"

namespace pandora {

// The pictures of a client's message.
struct AttachedImages {
  std::vector<Attachment> whole;
  std::size_t unread = 0;  // what could not be read as one
};

// Images first, then pages, within the bounds of a turn (kMaxTurnObjects and its siblings). What is too much is left
// out, and said in `missing`; what could not be read likewise.
std::vector<Attachment> kept_attachments(AttachedImages images, std::vector<Attachment> pages,
                                         std::vector<std::string>& missing);

}  // namespace pandora
