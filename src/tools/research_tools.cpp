#include "tools/research_tools.h"

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr const char* kFindSchema = R"({"type": "object", "properties": {
  "topic": {"type": "string", "minLength": 1, "maxLength": 200}},
  "required": ["topic"], "additionalProperties": false})";
constexpr const char* kSaveSchema = R"({"type": "object", "properties": {
  "topic": {"type": "string", "minLength": 1, "maxLength": 200},
  "findings": {"type": "array", "minItems": 1, "maxItems": 20, "items": {"type": "object", "properties": {
    "claim": {"type": "string", "minLength": 1, "maxLength": 1000},
    "type": {"enum": ["availability", "price", "product_spec", "vendor", "strategy", "site_pattern", "preference",
                      "general_fact", "other"]},
    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    "domains": {"type": "array", "maxItems": 10, "items": {"type": "string", "minLength": 1, "maxLength": 253}}},
    "required": ["claim"], "additionalProperties": false}}},
  "required": ["topic", "findings"], "additionalProperties": false})";
constexpr const char* kSourceSchema = R"({"type": "object", "properties": {
  "domain": {"type": "string", "minLength": 1, "maxLength": 253}},
  "required": ["domain"], "additionalProperties": false})";

Result<Json> call(Operations& operations, const char* operation, const Json& arguments, const ToolTask& task) {
  return operations.call(operation, arguments, task.caller.who.user, [&task] { return task.stopped(); }, task.deadline);
}

// Research comes from the web, whoever wrote it down.
Result<ToolOutcome> find(Operations& operations, const ToolTask& task) {
  PANDORA_TRY(found, call(operations, "research.find", {{"topic", task.arguments["topic"]}}, task));
  ToolOutcome outcome{.trust = Trust::kWeb};
  for (const auto& research : found["research"]) {
    outcome.result +=
        fmt::format("{}, found {}, confidence now {:.2f}:\n", research.value("primary_topic", ""),
                    research.value("created_at", "").substr(0, 10), research.value("confidence_now", 0.0));
    for (const auto& finding : research["findings"]) {
      std::string domains;
      for (const auto& domain : finding["domains"])
        domains += (domains.empty() ? "" : ", ") + domain.get<std::string>();
      outcome.result += fmt::format("- {} ({:.2f}{})\n", finding.value("claim", ""), finding.value("confidence", 0.0),
                                    domains.empty() ? "" : "; " + domains);
    }
    for (const auto& conflict : research["conflicts"])
      outcome.result += fmt::format("Sources disagree: {}\n", conflict.get<std::string>());
  }
  if (outcome.result.empty()) outcome.result = "There is no research of this topic that still holds.";
  return outcome;
}

Result<ToolOutcome> save(Operations& operations, const ToolTask& task) {
  Json arguments = {{"topic", task.arguments["topic"]}, {"findings", task.arguments["findings"]}};
  if (!task.caller.session.empty()) arguments["session"] = task.caller.session.str();
  PANDORA_TRY(saved, call(operations, "research.add", arguments, task));
  return ToolOutcome{.result = fmt::format("Kept: {} findings in all{}; it holds until {}.",
                                           saved["research"]["findings"].size(),
                                           saved.value("merged", false) ? ", with what was known" : "",
                                           saved["research"].value("expires_at", "").substr(0, 16))};
}

Result<ToolOutcome> report_source(Operations& operations, const ToolTask& task) {
  auto found = call(operations, "sources.show", {{"domain", task.arguments["domain"]}}, task);
  if (!found && found.error().code == ErrorCode::kNotFound)
    return ToolOutcome{.result = "Nothing is known of this domain yet."};
  if (!found) return fail(std::move(found).error());
  const Json& source = (*found)["source"];
  return ToolOutcome{
      .result = fmt::format("{}: score {:.2f} (0 to 1), {} times good, {} times not; by the owner's word: {}.",
                            source.value("domain", ""), source.value("score", 0.0), source.value("successes", 0),
                            source.value("failures", 0), source.value("override", "nothing"))};
}

using Act = Result<ToolOutcome> (*)(Operations&, const ToolTask&);
std::shared_ptr<Tool> tool(const std::shared_ptr<Operations>& operations, ToolInfo info, Act act) {
  return std::make_shared<FunctionTool>(std::move(info),
                                        [operations, act](const ToolTask& task) { return act(*operations, task); });
}

}  // namespace

ToolList make_research_tools(std::shared_ptr<Operations> operations) {
  const ToolLimits reading{std::chrono::seconds(10), 32 * 1024, 60};
  const ToolLimits writing{std::chrono::seconds(20), 4 * 1024, 20};
  return {
      tool(operations,
           {{"research_find", "What was found out about a topic and still holds.", kFindSchema},
            reading,
            Approval::kAllow},
           find),
      tool(operations,
           {{"research_save", "Keeps findings about a topic, with their sources.", kSaveSchema},
            writing,
            Approval::kAsk},
           save),
      tool(operations,
           {{"source_report", "How reliable a web domain has been.", kSourceSchema}, reading, Approval::kAllow},
           report_source),
  };
}

}  // namespace pandora
