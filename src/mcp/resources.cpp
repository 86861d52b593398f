#include "mcp/resources.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "mcp/mcp_server.h"

namespace pandora {
namespace {

constexpr std::string_view kTurns = "pandora://turns/", kMemories = "pandora://memories/";
constexpr std::string_view kMarkdown = "text/markdown", kJsonType = "application/json";
constexpr std::size_t kMaxTitle = 100;
// A cursor says where the page begins: behind a memory, or before a turn.
constexpr std::string_view kAfterMemory = "memory:", kBeforeTurn = "turn:";

Result<Json> call(const ResourceAsk& ask, std::string_view operation, const Json& arguments) {
  NoObserver nobody;
  PANDORA_TRY(text,
              ask.service.call({std::string(operation), ask.who.user, dump_json(arguments)}, nobody, ask.deadline));
  return parse_json(text, SIZE_MAX, operation);
}

Result<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 1)
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no turn's number", text));
  return number;
}

Json resource(std::string uri, std::string name, const std::string& title, std::string_view type) {
  return {{"uri", std::move(uri)},
          {"name", std::move(name)},
          {"title", ellipsize(one_line(title), kMaxTitle)},
          {"mimeType", type}};
}

Json contents(const std::string& uri, std::string_view type, std::string text) {
  return {{"contents", Json::array({{{"uri", uri}, {"mimeType", type}, {"text", std::move(text)}}})}};
}

// What of a turn is there before its files are.
std::string plain_turn(const Json& turn) {
  const auto said = [&](const char* what) { return turn.value(Json::json_pointer(what), ""); };
  std::string text = fmt::format("{}\n\nUser: {}\n", turn.value("created_at", ""), said("/message/text"));
  if (turn.contains("reply") && turn["reply"].is_object())
    text += fmt::format("\nAssistant: {}\n", said("/reply/text"));
  return text;
}

Result<std::string> add_memories(const ResourceAsk& ask, std::string after, Json& page) {
  Json arguments = {{"limit", kMaxListedResources}};
  if (!after.empty()) arguments["after"] = after;
  PANDORA_TRY(found, call(ask, "memory.list", arguments));
  for (const auto& memory : found.value("memories", Json::array())) {
    after = memory.value("id", "");
    page.push_back(resource(std::string(kMemories) + after, "memory " + after, memory.value("content", ""), kJsonType));
  }
  return page.size() < kMaxListedResources ? std::string(kBeforeTurn) : std::string(kAfterMemory) + after;
}

Result<std::string> add_turns(const ResourceAsk& ask, std::string_view before, Json& page) {
  const std::size_t room = kMaxListedResources - page.size();
  Json arguments = {{"limit", room}};
  if (!before.empty()) {
    PANDORA_TRY(number, number_of(before));
    arguments["before"] = number;
  }
  PANDORA_TRY(found, call(ask, "turns.list", arguments));
  const Json turns = found.value("turns", Json::array());
  std::int64_t last = 0;
  for (const auto& turn : turns) {
    last = turn.value("number", std::int64_t{0});
    page.push_back(resource(fmt::format("{}{}", kTurns, last), fmt::format("turn {}", last),
                            turn.value(Json::json_pointer("/message/text"), ""), kMarkdown));
  }
  return turns.size() < room ? std::string() : fmt::format("{}{}", kBeforeTurn, last);
}

}  // namespace

Json resource_templates() {
  return {{"resourceTemplates",
           Json::array({{{"uriTemplate", "pandora://turns/{number}"},
                         {"name", "turn"},
                         {"description", "One turn of a conversation: what was asked, found, done and said"},
                         {"mimeType", kMarkdown}},
                        {{"uriTemplate", "pandora://memories/{id}"},
                         {"name", "memory"},
                         {"description", "One memory: a preference, a fact or a note"},
                         {"mimeType", kJsonType}}})}};
}

Result<Json> list_resources(const ResourceAsk& ask, const std::optional<std::string>& cursor) {
  Json page = Json::array();
  std::string next = cursor.value_or(std::string(kAfterMemory));
  const bool memories = next.starts_with(kAfterMemory);
  if (!memories && !next.starts_with(kBeforeTurn))
    return fail(ErrorCode::kInvalidArgument, "no page has this cursor", "begin without one");
  if (memories) {
    PANDORA_TRY(behind, add_memories(ask, next.substr(kAfterMemory.size()), page));
    next = behind;
  }
  if (next.starts_with(kBeforeTurn) && page.size() < kMaxListedResources) {
    PANDORA_TRY(behind, add_turns(ask, std::string_view(next).substr(kBeforeTurn.size()), page));
    next = behind;
  }
  Json result = {{"resources", std::move(page)}};
  if (!next.empty()) result["nextCursor"] = next;
  return result;
}

Result<Json> read_resource(const ResourceAsk& ask, const std::string& uri) {
  const std::string_view text = uri;
  if (text.starts_with(kTurns)) {
    PANDORA_TRY(number, number_of(text.substr(kTurns.size())));
    PANDORA_TRY(found, call(ask, "turns.show", {{"number", number}}));
    const bool written = found.contains("context") && found["context"].is_string();
    return contents(uri, kMarkdown, written ? found["context"].get<std::string>() : plain_turn(found["turn"]));
  }
  if (text.starts_with(kMemories)) {
    PANDORA_TRY(found, call(ask, "memory.show", {{"id", text.substr(kMemories.size())}}));
    return contents(uri, kJsonType, dump_json(found["memory"]));
  }
  return fail(ErrorCode::kNotFound, fmt::format("there is no resource {}", ellipsize(one_line(uri), kMaxTitle)),
              "resources/templates/list names those that there are");
}

}  // namespace pandora
