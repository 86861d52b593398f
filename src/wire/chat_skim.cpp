#include "wire/chat_skim.h"

#include <charconv>

#include "wire/json_skim.h"

namespace pandora {
namespace {

std::string text_of(const SkimmedValue& value) {
  if (value.text.find('\\') == std::string_view::npos) return std::string(value.plain());
  const Json text = Json::parse(value.text, nullptr, false);
  return text.is_string() ? text.get<std::string>() : std::string();
}

bool is_count(const SkimmedValue* value) {
  constexpr std::size_t kDigits = 15;  // what a double, and so every reader, holds exactly
  return value && value->is(SkimmedKind::kNumber) && value->text.size() <= kDigits &&
         value->text.find_first_not_of("0123456789") == std::string_view::npos;
}
std::int64_t count_of(const SkimmedValue& value) {
  std::int64_t count = 0;
  std::from_chars(value.text.data(), value.text.data() + value.text.size(), count);
  return count;
}

// What both forms begin with, and their only choice.
bool read_frame(std::string_view text, std::string_view object, SkimmedObject& whole, SkimmedObject& choice) {
  if (!whole.read(text) || whole.find("error")) return false;
  const auto* kind = whole.find("object");
  if (!kind || kind->plain() != object || !whole.has("id", SkimmedKind::kString) ||
      !whole.has("model", SkimmedKind::kString) || !is_count(whole.find("created")) ||
      !whole.has("choices", SkimmedKind::kArray))
    return false;
  std::size_t count = 0;
  const bool read = skim_elements(whole.find("choices")->text, [&](const SkimmedValue& one) {
    return ++count == 1 && one.is(SkimmedKind::kObject) && choice.read(one.text);
  });
  const auto* index = choice.find("index");
  return read && count == 1 && index && index->text == "0";
}

}  // namespace

std::optional<PlainChunk> skim_chat_chunk(std::string_view data) {
  SkimmedObject whole, choice, delta;
  if (!read_frame(data, "chat.completion.chunk", whole, choice)) return std::nullopt;
  if (const auto* usage = whole.find("usage"); usage && !usage->is(SkimmedKind::kNull)) return std::nullopt;
  if (!choice.has("finish_reason", SkimmedKind::kNull) || !choice.has("delta", SkimmedKind::kObject) ||
      !delta.read(choice.find("delta")->text) || delta.find("tool_calls"))
    return std::nullopt;
  if (const auto* role = delta.find("role"); role && !role->is(SkimmedKind::kString)) return std::nullopt;
  PlainChunk chunk;
  if (const auto* content = delta.find("content")) {
    if (!content->is(SkimmedKind::kString)) return std::nullopt;
    chunk.content = text_of(*content);
  }
  return chunk;
}

std::optional<PlainAnswer> skim_chat_response(std::string_view body) {
  SkimmedObject whole, choice, message, usage;
  if (!read_frame(body, "chat.completion", whole, choice)) return std::nullopt;
  if (!choice.has("finish_reason", SkimmedKind::kString) || !choice.has("message", SkimmedKind::kObject) ||
      !message.read(choice.find("message")->text) || message.find("tool_calls") ||
      !message.has("role", SkimmedKind::kString) || !message.has("content", SkimmedKind::kString))
    return std::nullopt;
  PlainAnswer answer;
  answer.model = text_of(*whole.find("model"));
  answer.content = text_of(*message.find("content"));
  answer.finish_reason = text_of(*choice.find("finish_reason"));
  if (const auto* given = whole.find("usage")) {
    if (!given->is(SkimmedKind::kObject) || !usage.read(given->text)) return std::nullopt;
    OpenAiUsage counted;
    for (const auto& [name, place] : {std::pair{"prompt_tokens", &counted.prompt_tokens},
                                      std::pair{"completion_tokens", &counted.completion_tokens},
                                      std::pair{"total_tokens", &counted.total_tokens}}) {
      if (!is_count(usage.find(name))) return std::nullopt;
      *place = count_of(*usage.find(name));
    }
    answer.usage = counted;
  }
  return answer;
}

}  // namespace pandora
