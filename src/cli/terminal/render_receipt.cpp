#include "cli/terminal/render_receipt.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/terminal/terminal.h"

namespace pandora {
namespace {

constexpr std::size_t kQuestionPreview = 60;

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::int64_t number_of(const Json& json, const char* name) { return json.value(name, std::int64_t{0}); }
std::string second_of(const std::string& time) { return time.substr(0, 10) + " " + time.substr(11, 8); }
std::string millis(const Json& micros, const char* stage) {
  return fmt::format("{:.1f}", static_cast<double>(number_of(micros, stage)) / 1e3);
}
std::string missing_lines(const Json& missing) {
  std::string out;
  for (const auto& one : missing) out += fmt::format("(missing: {})\n", one.get<std::string>());
  return out;
}
std::string asked_by(const Json& recall) {
  if (recall["turn"].is_number()) return fmt::format("turn {}", number_of(recall, "turn"));
  return recall["turn_uid"].is_string() ? "a turn" : "a search";
}

// What it asked, found and took: two lines.
std::string head(const Json& recall) {
  std::string out = fmt::format("asked by {}, session {}, {}: {}\n", asked_by(recall), text_of(recall, "session"),
                                second_of(text_of(recall, "at")), one_line(text_of(recall, "question")));
  const Json& micros = recall["micros"];
  out += fmt::format("{}: {} injected of {} candidates, {} of {} tokens; {} ms (embed {}, search {}, rank {})\n",
                     text_of(recall, "mode"), number_of(recall, "injected"), number_of(recall, "candidates"),
                     number_of(recall, "tokens"), number_of(recall, "token_budget"), millis(micros, "total"),
                     millis(micros, "embed"), millis(micros, "search"), millis(micros, "rank"));
  if (number_of(recall, "forgotten") > 0)
    out += fmt::format("forgotten since, and not shown: {}\n", number_of(recall, "forgotten"));
  return out + missing_lines(recall["missing"]);
}

std::string leg(const Json& score) { return score.is_number() ? fmt::format("{:.3f}", score.get<double>()) : "-"; }

std::string outcome(const Json& one) {
  const auto place = number_of(one, "place");
  return place > 0 ? fmt::format("injected, {}", place) : text_of(one, "fate");
}

struct Column {
  const char* title;
  const char* term;
};
constexpr std::array<Column, 9> kTerms = {{{"meaning", "dense"},
                                           {"words", "lexical"},
                                           {"session", "session"},
                                           {"recent", "recency"},
                                           {"quality", "quality"},
                                           {"asks", "asking"},
                                           {"speaker", "speaker"},
                                           {"time", "time"},
                                           {"answers", "answering"}}};

std::string candidate_table(const std::string& title, const Json& candidates, bool with_terms) {
  if (candidates.empty()) return "";
  std::string out = bold(title) + "\n" + fmt::format("{:>4} {:>7} {:>7} {:>7}", "rank", "score", "cosine", "bm25");
  for (const auto& column : kTerms)
    if (with_terms) out += fmt::format(" {:>7}", column.title);
  out += "  outcome\n";
  std::size_t shown = 0, left = 0;
  for (const auto& one : candidates) {
    if (number_of(one, "place") == 0 && shown >= kShownCandidates) {
      ++left;
      continue;
    }
    ++shown;
    out +=
        fmt::format("{:>4} {:>7} {:>7} {:>7}", one["rank"].is_number() ? std::to_string(number_of(one, "rank")) : "-",
                    leg(one["score"]), leg(one["dense"]), leg(one["lexical"]));
    for (const auto& column : kTerms)
      if (with_terms)
        out += fmt::format(
            " {:>7}", one["terms"].is_object() ? fmt::format("{:+.3f}", one["terms"].value(column.term, 0.0)) : "-");
    out += fmt::format("  {:<14} {}\n", outcome(one), text_of(one, "name"));
  }
  if (left > 0) out += fmt::format("     and {} more; --json has all\n", left);
  return out;
}

std::string change_line(const Json& change) {
  const std::string kind = text_of(change, "change"), why = text_of(change, "why");
  const auto then = number_of(change, "then"), now = number_of(change, "now");
  std::string how;
  if (kind == "moved")
    how = fmt::format("from place {} to {}", then, now);
  else if (kind == "new")
    how = fmt::format("at place {}; then {}", now, why.empty() ? "no candidate" : why);
  else
    how = fmt::format("was at place {}; now {}", then, why.empty() ? "no candidate" : why);
  return fmt::format("  {:<6} {}: {}\n", kind, text_of(change, "name"), how);
}

}  // namespace

std::string render_recalls(const Json& result) {
  std::string out;
  for (const auto& recall : result["recalls"])
    out += fmt::format("{}  {}  {:<9}  {:>2} of {:>3}  {:>5} tokens  {:>6} ms  {}{}\n", text_of(recall, "id"),
                       second_of(text_of(recall, "at")), asked_by(recall), number_of(recall, "injected"),
                       number_of(recall, "candidates"), number_of(recall, "tokens"), millis(recall["micros"], "total"),
                       ellipsize(collapse_space(text_of(recall, "question")), kQuestionPreview),
                       text_of(recall, "mode") == "hybrid" ? "" : fmt::format(" ({})", text_of(recall, "mode")));
  if (out.empty()) out = "no receipts\n";
  return out + missing_lines(result["missing"]);
}

std::string render_recall(const Json& result) {
  std::string out = head(result);
  out += fmt::format("encoder {:.40}, analyser {}, formula {}, at most {} turns, {} candidates a leg\n",
                     text_of(result, "encoder"), number_of(result, "analyzer"), number_of(result, "formula"),
                     number_of(result, "limit"), number_of(result, "candidates_a_leg"));
  const std::string unknown = text_of(result, "terms_unknown");
  if (!unknown.empty()) out += fmt::format("what each feature added is not known any more: {}\n", unknown);
  if (!result["given"].empty()) out += bold("always looked at") + "\n";
  for (const auto& one : result["given"])
    out += fmt::format("  {:<14} {:<14} {}\n", outcome(one), text_of(one, "kind"), text_of(one, "name"));
  for (const char* list : {"turns", "memories", "research"})
    out += candidate_table(list, result[list], unknown.empty());
  return out;
}

std::string render_replay(const Json& result) {
  std::string out = head(result["receipt"]);
  const std::string verdict = text_of(result, "verdict"), difference = text_of(result, "difference");
  if (verdict == "same")
    out += bold("ranked again: the same, bit for bit") + "\n";
  else
    out += fmt::format("{}: {}\n", bold(verdict == "differs" ? "ranked again: NOT the same" : "cannot be ranked again"),
                       difference);
  const Json& today = result["today"];
  const auto changes = today["changes"].size();
  out += bold(fmt::format("asked again now: {}",
                          changes == 0 ? "the same is injected" : fmt::format("{} differences", changes))) +
         "\n";
  if (result.value("question_cut", false))
    out += "  (the question was longer: only its beginning is kept, and asked)\n";
  for (const auto& change : today["changes"]) out += change_line(change);
  return out + missing_lines(today["missing"]);
}

}  // namespace pandora
