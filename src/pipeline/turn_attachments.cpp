#include "pipeline/turn_attachments.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "ports/cache_checks.h"

namespace pandora {

std::vector<Attachment> kept_attachments(AttachedImages images, std::vector<Attachment> pages,
                                         std::vector<std::string>& missing) {
  if (images.unread > 0)
    missing.push_back(fmt::format("{} images of the message could not be read, and were not kept", images.unread));
  std::vector<Attachment> all = std::move(images.whole);
  all.insert(all.end(), std::make_move_iterator(pages.begin()), std::make_move_iterator(pages.end()));
  const std::size_t given = all.size();
  std::size_t bytes = 0, count = 0;
  std::erase_if(all, [&](const Attachment& one) {
    const std::size_t size = one.bytes.size();
    const bool fits = size <= kMaxTurnObjectBytes && bytes + size <= kMaxTurnObjectsBytes && count < kMaxTurnObjects;
    if (fits) bytes += size, ++count;
    return !fits;
  });
  if (count < given)
    missing.push_back(
        fmt::format("{} images and pages were not kept: a turn keeps at most {}, of {} MiB each and {} MiB in all",
                    given - count, kMaxTurnObjects, kMaxTurnObjectBytes >> 20, kMaxTurnObjectsBytes >> 20));
  for (auto& one : all) {
    if (!check_object({}, one.object.media_type)) one.object.media_type = "application/octet-stream";
    if (one.object.url.size() > kMaxTurnObjectUrlBytes) one.object.url.clear();
  }
  return all;
}

}  // namespace pandora
