#include "wire/import_line.h"

#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora {

Result<ImportLine> parse_import_line(std::string_view line) {
  auto json = parse_json(line, kMaxImportLineBytes, "the line");
  if (!json) {
    const bool too_large = json.error().code == ErrorCode::kTooLarge;
    return fail(too_large ? ErrorCode::kTooLarge : ErrorCode::kInvalidArgument, json.error().message);
  }
  JsonReader in(*json, "line", ErrorCode::kInvalidArgument);
  ImportLine result;
  result.session = in.value("session", SessionId::parse);
  result.at = in.optional_value("at", parse_iso8601);
  result.message.name = sanitize_utf8(in.text_or("speaker", ""));
  if (in.any("text")) {
    result.message.text = sanitize_utf8(in.text("text"));
    if (const auto role = in.optional_value("role", parse_role)) result.message.role = *role;
  } else {
    result.message.text = sanitize_utf8(in.text("message"));
    if (const auto reply = in.optional_text("reply"))
      result.reply = Utterance{Role::kAssistant, "", sanitize_utf8(*reply)};
  }
  if (in.ok() && trim(result.message.text).empty()) in.fault(in.any("text") ? "text" : "message", "is empty");
  PANDORA_CHECK(in.finish());
  return result;
}

}  // namespace pandora
