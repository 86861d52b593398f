#include "wire/chat_stream.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

// How many bytes at the end begin a character that is not whole yet; 0 to 3.
std::size_t open_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string Utf8Joiner::push(std::string_view bytes) {
  kept_ += bytes;
  const std::size_t tail = open_tail(kept_);
  std::string whole = kept_.substr(0, kept_.size() - tail);
  kept_.erase(0, whole.size());
  return is_valid_utf8(whole) ? whole : sanitize_utf8(whole);
}

std::string Utf8Joiner::flush() { return sanitize_utf8(std::exchange(kept_, {})); }

std::string made_up_call_id(std::size_t place) { return fmt::format("call_{}", place); }

std::size_t ChatStreamRepair::place_of(Choice& choice, const OpenAiToolCall& call) {
  auto& calls = choice.calls;
  const auto begin_another = [&] {
    calls.emplace_back();
    return calls.size() - 1;
  };
  if (call.index) {
    const auto found = choice.given.find(*call.index);
    if (found == choice.given.end()) return choice.given[*call.index] = begin_another();
    // The same index for two calls: their ids differ.
    const Call& known = calls[found->second];
    if (!call.id.empty() && known.id != call.id && !call.name.empty() && known.named) found->second = begin_another();
    return found->second;
  }
  if (!call.id.empty())
    for (std::size_t i = 0; i < calls.size(); ++i)
      if (calls[i].id == call.id) return i;
  const bool another = calls.empty() || !call.id.empty() || (!call.name.empty() && calls.back().named);
  return another ? begin_another() : calls.size() - 1;
}

void ChatStreamRepair::apply(OpenAiChatChunk& chunk) {
  for (auto& choice : chunk.choices) {
    Choice& known = choices_[choice.index];
    if (choice.delta.content) choice.delta.content = known.text.push(*choice.delta.content);
    for (auto& call : choice.delta.tool_calls) {
      const std::size_t before = known.calls.size(), place = place_of(known, call);
      Call& state = known.calls[place];
      const bool first = known.calls.size() > before;
      if (first) state.id = call.id.empty() ? made_up_call_id(place) : call.id;
      call.index = static_cast<int>(place);
      call.id = first ? state.id : "";
      call.type = first ? "function" : "";
      state.named |= !call.name.empty();
      call.arguments = known.arguments[place].push(call.arguments);
    }
    if (choice.finish_reason.empty()) continue;
    if (choice.finish_reason == "stop" && !known.calls.empty()) choice.finish_reason = "tool_calls";
    if (const std::string rest = known.text.flush(); !rest.empty())
      choice.delta.content = choice.delta.content.value_or("") + rest;
  }
}

bool ChatStreamRepair::is_clean() const {
  return std::ranges::all_of(choices_, [](const auto& choice) { return choice.second.text.is_clean(); });
}

Status ChatAssembler::add_text(std::string_view text) {
  content += text;
  bytes_ += text.size();
  if (bytes_ > kMaxReplyBytes)
    return fail(ErrorCode::kTooLarge, fmt::format("a reply of more than {} bytes", kMaxReplyBytes));
  return {};
}

Status ChatAssembler::add(const OpenAiChatChunk& chunk) {
  if (!chunk.model.empty()) model = chunk.model;
  if (chunk.usage) usage = chunk.usage;
  for (const auto& choice : chunk.choices) {
    if (choice.index != 0) continue;
    if (!choice.finish_reason.empty()) finish_reason = choice.finish_reason;
    if (choice.delta.content) PANDORA_CHECK(add_text(*choice.delta.content));
    for (const auto& call : choice.delta.tool_calls) {
      const auto place = static_cast<std::size_t>(call.index.value_or(0));
      if (place >= kMaxToolCalls)
        return fail(ErrorCode::kTooLarge, fmt::format("more than {} tool calls in one reply", kMaxToolCalls));
      while (tool_calls.size() <= place) tool_calls.emplace_back();
      OpenAiToolCall& whole = tool_calls[place];
      if (!call.id.empty()) whole.id = call.id;
      if (!call.type.empty()) whole.type = call.type;
      if (whole.name.empty()) whole.name = call.name;  // some servers repeat it
      whole.arguments += call.arguments;
      bytes_ += call.name.size() + call.arguments.size();
    }
    if (bytes_ > kMaxReplyBytes)
      return fail(ErrorCode::kTooLarge, fmt::format("a reply of more than {} bytes", kMaxReplyBytes));
  }
  return {};
}

}  // namespace pandora
