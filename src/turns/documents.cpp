#include "turns/documents.h"

#include <fmt/format.h>

#include "wire/turn_json.h"

namespace pandora {
namespace {

std::string tool_results(const ContextDocument& context) {
  std::string text = "# Tool results\n";
  for (const auto& block : context.tools)
    text += fmt::format("\n## Attempt {}, pass {}: {} ({})\n\n```\n{}\n```\n", block.attempt, block.pass, block.tool,
                        to_string(block.status), block.result);
  return text;
}

std::string research_text(const std::vector<Research>& research) {
  std::string text = "# Research\n";
  for (const auto& one : research) {
    text += fmt::format("\n## {}\n\nquality {:.2f}, confidence {:.2f}, expires {}\n\n", one.primary_topic, one.quality,
                        one.confidence, to_iso8601(one.expires_at));
    for (const auto& finding : one.findings)
      text += fmt::format("- {} ({:.2f}; {})\n", finding.claim, finding.confidence, fmt::join(finding.domains, ", "));
    for (const auto& conflict : one.conflicts) text += fmt::format("- conflict: {}\n", conflict);
  }
  return text;
}

std::string research_json(const std::vector<Research>& research) {
  Json array = Json::array();
  for (const auto& one : research) array.push_back(to_json(one));
  return Json{{"format", "pandora turn research"}, {"version", kTurnFormatVersion}, {"research", array}}.dump(
             2, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

}  // namespace

std::vector<Document> turn_documents(const TurnRecord& record) {
  std::vector<Document> documents = {
      {"context.md", render(record.context)},
      {"response.md", record.turn.reply ? record.turn.reply->text : std::string()},
      {"metadata.json", encode_metadata(record)},
      {"metrics.json", encode_metrics(record.observations)},
  };
  if (!record.context.tools.empty()) documents.push_back({"toolresults.md", tool_results(record.context)});
  if (!record.research.empty()) {
    documents.push_back({"research.md", research_text(record.research)});
    documents.push_back({"research.json", research_json(record.research)});
  }
  return documents;
}

Result<TurnRecord> read_turn_folder(DocumentStore& documents, const std::string& folder, const Deadline& deadline) {
  const auto within = [&](const char* name, auto result) {
    return result ? std::move(result)
                  : decltype(result)(fail(std::move(result).error().with_context(fmt::format("{}/{}", folder, name))));
  };
  PANDORA_TRY(metadata, documents.read(folder + "/metadata.json", deadline));
  PANDORA_TRY(record, within("metadata.json", decode_metadata(metadata)));
  PANDORA_TRY(context, documents.read(folder + "/context.md", deadline));
  PANDORA_TRY(document, within("context.md", parse_context_document(context)));
  PANDORA_TRY(metrics, documents.read(folder + "/metrics.json", deadline));
  PANDORA_TRY(observations, within("metrics.json", decode_metrics(metrics)));
  if (document.turn_uid != record.turn.uid)
    return fail(ErrorCode::kDataCorrupt,
                fmt::format("{}: context.md and metadata.json are of different turns", folder));
  record.context = std::move(document);
  record.observations = std::move(observations);
  return record;
}

TurnRecord record_from_row(const Turn& turn) {
  TurnRecord record;
  record.turn = turn;
  record.context.turn_uid = turn.uid;
  record.context.query = {turn.message.text, turn.question};
  record.context.reflection.reason = "this document was made again from the index: what was gathered and done is lost";
  if (turn.reply) record.context.replies.push_back({1, turn.model, turn.reply->text});
  return record;
}

}  // namespace pandora
