// Server-sent events (WHATWG HTML, 9.2), however the bytes are cut. Pure.
#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

struct SseEvent {
  std::string name;                                  // of the "event:" field; empty: a message
  std::string data;                                  // lines joined by '\n'
  std::string id;                                    // the last id seen so far
  bool is_done() const { return data == "[DONE]"; }  // how OpenAI's streams end
};

// Lines end with CRLF, LF or CR; comments and unknown fields are skipped, and so is a byte order mark at the start. An
// event without data is dropped. Not thread-safe.
class SseParser {
 public:
  static constexpr std::size_t kMaxEventBytes = 8 << 20;  // of all lines of one event
  explicit SseParser(std::size_t max_event_bytes = kMaxEventBytes) : max_event_bytes_(max_event_bytes) {}
  // Calls `take` for each event that these bytes complete. kTooLarge past the maximum; the parser is then of no more
  // use.
  Status feed(std::string_view bytes, const std::function<void(SseEvent)>& take);
  // The stream ended. The standard drops an event whose empty line is missing; servers that forget the last one exist,
  // so it is given here, when it has data and its last line was complete.
  std::optional<SseEvent> finish();

 private:
  void take_line(const std::function<void(SseEvent)>& take);
  std::size_t max_event_bytes_;
  std::string line_;
  SseEvent event_;
  std::size_t bytes_ = 0;  // of the event so far
  bool has_data_ = false, after_cr_ = false, at_start_ = true, broken_ = false;
};

// An event as it is sent; line breaks of the data are kept by lines of their own. `name` must hold none.
std::string sse_event(std::string_view data, std::string_view name = {});
inline constexpr std::string_view kSseDone = "data: [DONE]\n\n";

}  // namespace pandora
