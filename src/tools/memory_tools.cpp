#include "tools/memory_tools.h"

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr const char* kSearchSchema = R"({"type": "object", "properties": {
  "query": {"type": "string", "minLength": 1, "maxLength": 2000},
  "limit": {"type": "integer", "minimum": 1, "maximum": 20}},
  "required": ["query"], "additionalProperties": false})";
constexpr const char* kSaveSchema = R"({"type": "object", "properties": {
  "content": {"type": "string", "minLength": 1, "maxLength": 4000, "description": "one statement that stands for itself"},
  "kind": {"enum": ["preference", "fact", "note"]}},
  "required": ["content"], "additionalProperties": false})";
constexpr const char* kIdSchema = R"({"type": "object", "properties": {
  "id": {"type": "string", "minLength": 32, "maxLength": 36}},
  "required": ["id"], "additionalProperties": false})";
constexpr const char* kNumberSchema = R"({"type": "object", "properties": {
  "number": {"type": "integer", "minimum": 1}},
  "required": ["number"], "additionalProperties": false})";

constexpr int kShownAtOnce = 8;
constexpr std::size_t kShownItemBytes = 2000;
constexpr int kFindableMillis = 500;  // a search waits so long for what was just saved; the next one finds the rest

Result<Json> call(Operations& operations, const char* operation, const Json& arguments, const ToolTask& task) {
  return operations.call(operation, arguments, task.caller.who.user, [&task] { return task.stopped(); }, task.deadline);
}

std::string text_at(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) && json[at].is_string() ? json[at].get<std::string>() : std::string();
}

// Of search: whatever a web page says in a turn or memory is still the web's word.
Trust lowest(Trust a, std::string_view name) {
  const auto other = parse_trust(name);
  return other && *other == Trust::kWeb ? Trust::kWeb : a;
}

Result<ToolOutcome> search(Operations& operations, const ToolTask& task) {
  Json arguments = {{"query", task.arguments["query"]}, {"limit", task.arguments.value("limit", kShownAtOnce)}};
  (void)call(operations, "drain", {{"at_most_ms", kFindableMillis}}, task);
  PANDORA_TRY(memories, call(operations, "memory.search", arguments, task));
  PANDORA_TRY(turns, call(operations, "turns.search", arguments, task));
  ToolOutcome outcome;
  for (const Json* found : {&memories, &turns}) {
    for (const auto& item : (*found)["items"]) {
      outcome.trust = lowest(outcome.trust, text_at(item, "/trust"));
      outcome.result += fmt::format("[{}{}] ({}, {} trust) {}\n", text_at(item, "/source"),
                                    text_at(item, "/kind") == "memory" || text_at(item, "/kind") == "preference"
                                        ? ", id " + text_at(item, "/id")
                                        : "",
                                    text_at(item, "/at").substr(0, 10), text_at(item, "/trust"),
                                    ellipsize(text_at(item, "/text"), kShownItemBytes));
    }
  }
  if (outcome.result.empty()) outcome.result = "Nothing was found.";
  // Both searched the same stores.
  for (const auto& missing : memories["missing"])
    if (missing.is_string()) outcome.result += fmt::format("\nNot searched: {}", missing.get<std::string>());
  return outcome;
}

Result<ToolOutcome> save(Operations& operations, const ToolTask& task) {
  Json arguments = {{"content", task.arguments["content"]}, {"trust", "model"}};
  if (task.arguments.contains("kind")) arguments["kind"] = task.arguments["kind"];
  if (!task.caller.session.empty()) arguments["session"] = task.caller.session.str();
  if (!task.caller.turn.is_nil()) arguments["turn"] = task.caller.turn.to_string();
  PANDORA_TRY(saved, call(operations, "memory.add", arguments, task));
  const std::size_t replaced = saved["superseded"].size();
  return ToolOutcome{.result = fmt::format("Saved as memory {}.{}", text_at(saved, "/memory/id"),
                                           replaced ? fmt::format(" It replaces {} older.", replaced) : "")};
}

Result<ToolOutcome> retrieve(Operations& operations, const ToolTask& task) {
  PANDORA_TRY(found, call(operations, "memory.show", {{"id", task.arguments["id"]}}, task));
  ToolOutcome outcome;
  outcome.trust = lowest(outcome.trust, text_at(found, "/memory/trust"));
  outcome.result = fmt::format("{} of {} ({} trust): {}", text_at(found, "/memory/kind"),
                               text_at(found, "/memory/created_at").substr(0, 10), text_at(found, "/memory/trust"),
                               text_at(found, "/memory/content"));
  if (const Json said = found["said_in"]; said.is_number_integer() && said.get<std::int64_t>() > 0)
    outcome.result += fmt::format(" (said in turn {})", said.get<std::int64_t>());
  return outcome;
}

Result<ToolOutcome> forget(Operations& operations, const ToolTask& task) {
  PANDORA_TRY(report, call(operations, "memory.forget", {{"id", task.arguments["id"]}}, task));
  return ToolOutcome{.result =
                         fmt::format("Forgotten: memory {}; {} rows, {} points, {} files.", text_at(report, "/uid"),
                                     report.value("rows", 0), report.value("points", 0), report.value("files", 0))};
}

Result<ToolOutcome> open_turn(Operations& operations, const ToolTask& task) {
  PANDORA_TRY(found, call(operations, "turns.show", {{"number", task.arguments["number"]}}, task));
  const Json& turn = found["turn"];
  ToolOutcome outcome;
  outcome.result = fmt::format("Turn {} of {}, session {}.\nUser: {}\n", task.arguments["number"].get<std::int64_t>(),
                               text_at(turn, "/created_at").substr(0, 16), text_at(turn, "/session"),
                               text_at(turn, "/message/text"));
  if (turn.contains("reply") && turn["reply"].is_object())
    outcome.result += fmt::format("Assistant: {}\n", text_at(turn, "/reply/text"));
  if (turn.value("rejected", false)) outcome.result += "The user has rejected this turn.\n";
  return outcome;
}

using Act = Result<ToolOutcome> (*)(Operations&, const ToolTask&);
std::shared_ptr<Tool> tool(const std::shared_ptr<Operations>& operations, ToolInfo info, Act act) {
  return std::make_shared<FunctionTool>(std::move(info),
                                        [operations, act](const ToolTask& task) { return act(*operations, task); });
}

}  // namespace

ToolList make_memory_tools(std::shared_ptr<Operations> operations) {
  const ToolLimits reading{std::chrono::seconds(10), 32 * 1024, 60};
  const ToolLimits writing{std::chrono::seconds(20), 4 * 1024, 20};
  return {
      tool(operations,
           {{"memory_search", "Searches what was said and remembered, by meaning.", kSearchSchema},
            reading,
            Approval::kAllow},
           search),
      tool(operations,
           {{"memory_save", "Keeps one statement for later conversations.", kSaveSchema}, writing, Approval::kAsk},
           save),
      tool(operations,
           {{"memory_retrieve", "One memory in full, by the id that memory_search gave.", kIdSchema},
            reading,
            Approval::kAllow},
           retrieve),
      tool(operations,
           {{"memory_forget", "Removes one memory for good, by its id.", kIdSchema}, writing, Approval::kAsk}, forget),
      tool(operations,
           {{"turn_open", "One earlier turn word for word, by its number.", kNumberSchema}, reading, Approval::kAllow},
           open_turn),
  };
}

}  // namespace pandora
