#include "mcp/service_tools.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

struct ServiceTool {
  std::string_view name, operation, description;
  std::string_view schema;
  std::string_view always = "{}";  // arguments that every call has
  bool searches = false;           // what was just said or saved is to be found
};

const std::string kPatience = R"({"at_most_ms": 500})";

// "type": "object" and the properties; nothing else is taken.
constexpr std::array kTools = {
    ServiceTool{"recall", "recall",
                "Find what was said, remembered and found out earlier that bears on a question. Use it first.",
                R"({"properties": {"question": {"type": "string", "description": "the question, complete in itself"},
                    "session": {"type": "string", "description": "weighs turns of this conversation more"}},
                    "required": ["question"]})",
                "{}", true},
    ServiceTool{
        "memory_search", "memory.search", "Find memories (preferences, facts, notes) that mean the same.",
        R"({"properties": {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 1, "maximum": 100}},
                    "required": ["query"]})",
        "{}", true},
    ServiceTool{"memory_save", "memory.add",
                "Keep a memory. A newer one supersedes what it contradicts; what is known already is refused.",
                R"({"properties": {"content": {"type": "string", "description": "one statement, complete in itself"},
                    "kind": {"type": "string", "enum": ["preference", "fact", "note"]},
                    "expires_at": {"type": "string", "description": "RFC 3339; none: it stays"}},
                    "required": ["content"]})",
                R"({"trust": "model"})"},
    ServiceTool{"memory_retrieve", "memory.show", "One memory by its id, and the turn in which it was said.",
                R"({"properties": {"id": {"type": "string"}}, "required": ["id"]})"},
    ServiceTool{"memory_forget", "memory.forget",
                "Remove a memory everywhere, for good. Only when the owner asks for it.",
                R"({"properties": {"id": {"type": "string"}}, "required": ["id"]})"},
    ServiceTool{"turn_search", "turns.search", "Find earlier turns of conversations that mean the same.",
                R"({"properties": {"query": {"type": "string"}, "session": {"type": "string"},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100}}, "required": ["query"]})",
                "{}", true},
    ServiceTool{"turn_open", "turns.show", "One turn by its number, with everything that belongs to it.",
                R"({"properties": {"number": {"type": "integer", "minimum": 1}}, "required": ["number"]})"},
    ServiceTool{"research_find", "research.find", "Fresh research of a topic.",
                R"({"properties": {"topic": {"type": "string"}}, "required": ["topic"]})"},
    ServiceTool{"source_report", "sources.show", "How far a domain can be relied on, learnt from every fetch.",
                R"({"properties": {"domain": {"type": "string"}}, "required": ["domain"]})"},
};

// Work whose caller has left ends early.
class Leaving final : public CallObserver {
 public:
  explicit Leaving(const ToolCaller& caller) : caller_(caller) {}
  void event(const std::string&) override {}
  bool cancelled() override { return caller_.cancelled && caller_.cancelled(); }

 private:
  const ToolCaller& caller_;
};

class ServiceTools final : public ToolRunner {
 public:
  explicit ServiceTools(Service& service) : service_(service) {
    for (const auto& tool : kTools) {
      Json schema = Json::parse(tool.schema);
      schema["type"] = "object";
      schema["additionalProperties"] = false;
      catalogue_.push_back({std::string(tool.name), std::string(tool.description), dump_json(schema)});
    }
  }
  const std::vector<ToolDefinition>& catalogue() const override { return catalogue_; }

  Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) override {
    const auto tool = std::ranges::find(kTools, call.name, &ServiceTool::name);
    if (tool == kTools.end()) return fail(ErrorCode::kNotFound, fmt::format("there is no tool \"{}\"", call.name));
    PANDORA_TRY(arguments, read(*tool, call.arguments));
    PANDORA_CHECK(deadline.check(call.name));
    Leaving observer(caller);
    // Waits for a moment; what is not findable by then is found by the next search, and `status` says what is behind.
    if (tool->searches) (void)service_.call({"drain", caller.who.user, kPatience}, observer, deadline);
    auto result =
        service_.call({std::string(tool->operation), caller.who.user, dump_json(arguments)}, observer, deadline);
    ToolOutcome outcome;
    if (!result) {
      // What the operation says about the arguments is a fault of theirs; a deadline is the caller's.
      const ErrorCode code = result.error().code;
      if (code == ErrorCode::kInvalidArgument || code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kCancelled)
        return fail(std::move(result).error());
      outcome.status = ToolStatus::kFailed;
      outcome.result = result.error().to_line();
      return outcome;
    }
    outcome.result = ellipsize(*result, kMaxToolResultBytes);
    return outcome;
  }

 private:
  // The operation looks at types and bounds; what the schema does not name never gets there.
  static Result<Json> read(const ServiceTool& tool, const std::string& text) {
    const auto wrong = [&](std::string what) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", tool.name, what));
    };
    const auto given = parse_json(text, kMaxArgumentBytes, "arguments");
    if (!given) return wrong(given.error().message);
    if (!given->is_object()) return wrong("arguments must be an object");
    const Json schema = Json::parse(tool.schema);
    Json arguments = Json::parse(tool.always);
    for (const auto& [name, value] : given->items()) {
      if (!schema["properties"].contains(name)) return wrong(fmt::format("it takes no \"{}\"", name));
      arguments[name] = value;
    }
    for (const auto& name : schema["required"])
      if (!given->contains(name.get<std::string>()))
        return wrong(fmt::format("\"{}\" is missing", name.get<std::string>()));
    return arguments;
  }

  Service& service_;
  std::vector<ToolDefinition> catalogue_;
};

}  // namespace

std::unique_ptr<ToolRunner> make_service_tools(Service& service) { return std::make_unique<ServiceTools>(service); }

}  // namespace pandora
