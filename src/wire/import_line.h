// One line of `pandora import turns FILE.jsonl`: an utterance, or a message with its reply.
//
//   {"session": "trip", "text": "We land at nine.", "speaker"?: "Ana", "role"?: "user", "at"?: "2026-01-05T10:00:00Z"}
//   {"session": "trip", "message": "When do we land?", "reply": "At nine.", "speaker"?: "Ana", "at"?: …}
//
// kInvalidArgument names the field. Text is cleaned of broken UTF-8 and NUL. Pure.
#pragma once
#include <optional>
#include <string_view>

#include "domain/turn.h"

namespace pandora {

inline constexpr std::size_t kMaxImportLineBytes = 16u << 20;

struct ImportLine {
  SessionId session;
  std::optional<Timestamp> at;
  Utterance message;
  std::optional<Utterance> reply;
};
Result<ImportLine> parse_import_line(std::string_view line);

}  // namespace pandora
