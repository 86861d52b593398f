// A server's stream, cut anywhere: the same events come out however it is cut, and what is written again reads the
// same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "wire/sse.h"

namespace {
constexpr std::size_t kMaxEvent = 4096;

struct Read {
  bool ok = true;
  std::vector<std::string> data;
  bool operator==(const Read&) const = default;
};
Read read(std::string_view bytes, std::size_t slice) {
  pandora::SseParser parser(kMaxEvent);
  Read all;
  for (std::size_t at = 0; at < bytes.size() && all.ok; at += slice)
    all.ok =
        parser
            .feed(bytes.substr(at, slice), [&](pandora::SseEvent event) { all.data.push_back(std::move(event.data)); })
            .has_value();
  if (auto last = parser.finish()) all.data.push_back(std::move(last->data));
  return all;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Read whole = read(bytes, std::max<std::size_t>(size, 1));
  for (const std::size_t slice : {std::size_t{1}, std::size_t{2}, std::size_t{7}})
    if (read(bytes, slice) != whole) std::abort();
  std::string again;
  for (const auto& event : whole.data) {
    if (event.size() > kMaxEvent) std::abort();
    again += pandora::sse_event(event);
  }
  if (again.size() <= kMaxEvent && read(again, again.size() + 1).data != whole.data) std::abort();
  return 0;
}
