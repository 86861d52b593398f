#include "domain/context_document.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/context_format.h"

namespace pandora {
namespace {

namespace format = context_format;

// Reads line by line. After the first thing that does not fit every further read gives nothing, and `error()` says
// where.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) { advance(); }

  bool ok() const { return !error_; }
  const std::optional<Error>& error() const { return error_; }
  bool at(std::string_view prefix) const { return ok() && !ended_ && line_.starts_with(prefix); }
  bool at_line(std::string_view text) const { return ok() && !ended_ && line_ == text; }

  void wrong(std::string_view expected) {
    if (error_) return;
    const std::string found = ended_ ? "its end" : fmt::format("\"{}\"", one_line(ellipsize(line_, 60)));
    error_ = Error{ErrorCode::kDataCorrupt,
                   fmt::format("context document, line {}: expected {}, found {}", number_, expected, found),
                   {}};
  }

  // What is wrong with the line read last.
  void invalid(std::string_view why) {
    if (!error_)
      error_ = Error{ErrorCode::kDataCorrupt, fmt::format("context document, line {}: {}", number_ - 1, why), {}};
  }

  void expect(std::string_view text) {
    if (!at_line(text)) return wrong(fmt::format("\"{}\"", text));
    advance();
  }
  void heading(std::string_view text) {
    skip_empty();
    expect(text);
  }
  bool at_heading(std::string_view prefix) {
    skip_empty();
    return at(prefix);
  }
  // The rest of a heading after its prefix.
  std::string heading_after(std::string_view prefix) {
    skip_empty();
    if (!at(prefix)) return wrong(fmt::format("a heading \"{}\"", prefix)), std::string();
    std::string rest(line_.substr(prefix.size()));
    advance();
    return rest;
  }

  bool at_fact(std::string_view name) { return at_heading(fmt::format("- {}: ", name)); }
  std::string fact(std::string_view name) {
    skip_empty();
    const std::string prefix = fmt::format("- {}: ", name);
    if (!at(prefix)) return wrong(fmt::format("\"{}\"", prefix)), std::string();
    std::string value = unescape(line_.substr(prefix.size()));
    if (ok()) advance();
    return value;
  }
  std::string optional_fact(std::string_view name) { return at_fact(name) ? fact(name) : std::string(); }
  std::vector<std::string> facts(std::string_view name) {
    std::vector<std::string> values;
    while (at_fact(name)) values.push_back(fact(name));
    return values;
  }
  template <class T>
  T number(std::string_view text) {
    T value{};
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
      invalid(fmt::format("\"{}\" is no number", one_line(ellipsize(text, 40))));
    return value;
  }
  template <class T>
  T number_fact(std::string_view name) {
    const std::string text = fact(name);
    return ok() ? number<T>(text) : T{};
  }
  template <class T>
  T value(Result<T> result) {
    if (!ok()) return T{};
    if (!result) return invalid(result.error().message), T{};
    return *std::move(result);
  }

  std::string quote() {
    skip_empty();
    std::string text;
    bool first = true;
    while (at(">")) {
      if (line_.size() > 1 && line_[1] != ' ') break;
      if (!first) text += '\n';
      if (line_.size() > 1) text += line_.substr(2);
      if (line_ == "> ") return wrong("a quote without a trailing space"), text;
      first = false;
      advance();
    }
    if (first) wrong("a quote");
    return text;
  }

  std::string unescape(std::string_view text) {
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        value += text[i];
        continue;
      }
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (next != '\\' && next != 'n' && next != 'r') return wrong("\\\\, \\n or \\r"), value;
      value += next == 'n' ? '\n' : next == 'r' ? '\r' : '\\';
      ++i;
    }
    return value;
  }

 private:
  // Nothing that is read is an empty line of its own: a person may add or remove some.
  void skip_empty() {
    while (ok() && !ended_ && line_.empty()) advance();
  }
  void advance() {
    ++number_;
    if (rest_.empty()) {
      ended_ = true;
      line_ = {};
      return;
    }
    const auto end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      rest_ = {};
      line_ = {};
      return wrong("a line that ends");
    }
    rest_.remove_prefix(end + 1);
  }

  std::string_view rest_, line_;
  int number_ = 0;
  bool ended_ = false;
  std::optional<Error> error_;
};

// The next of the facts that stand on an item's first line, after its label.
std::string_view next_fact(Reader& in, std::string_view& rest, std::string_view label) {
  const auto end = rest.find(format::kBetween);
  std::string_view fact = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + format::kBetween.size());
  if (!fact.starts_with(label)) {
    in.invalid(fmt::format("\"{}\" is missing", label));
    return {};
  }
  fact.remove_prefix(label.size());
  return fact;
}

void read_item_line(Reader& in, GatheredItem& item) {
  const std::string line = in.heading_after("- ");
  if (!in.ok()) return;
  std::string_view rest = line;
  item.kind = in.value(parse_gathered_kind(next_fact(in, rest, "")));
  item.at = in.value(parse_iso8601(next_fact(in, rest, "")));
  item.trust = in.value(parse_trust(next_fact(in, rest, format::kTrust)));
  item.confidence = in.number<double>(next_fact(in, rest, format::kConfidence));
  item.score = in.number<double>(next_fact(in, rest, format::kScore));
  if (!rest.empty()) in.invalid("nothing stands behind the score");
}

GatheredItem read_item(Reader& in) {
  GatheredItem item;
  item.source = in.unescape(in.heading_after(format::kItem));
  read_item_line(in, item);
  item.session = in.optional_fact("session");
  item.id = in.optional_fact("id");
  item.text = in.quote();
  return item;
}

PlanSection read_plan(Reader& in) {
  PlanSection plan;
  plan.attempt = in.number<int>(in.heading_after(format::kAttempt));
  plan.route = in.value(parse_route(in.fact("route")));
  plan.goals = in.facts("goal");
  return plan;
}

ToolBlock read_tool(Reader& in) {
  ToolBlock block;
  const std::string heading = in.heading_after(format::kAttempt);
  const auto comma = heading.find(format::kPass);
  if (comma == std::string::npos) {
    in.invalid("an attempt has a pass");
    return block;
  }
  block.attempt = in.number<int>(std::string_view(heading).substr(0, comma));
  block.pass = in.number<int>(std::string_view(heading).substr(comma + format::kPass.size()));
  block.tool = in.fact("tool");
  block.arguments = in.fact("arguments");
  block.status = in.value(parse_tool_status(in.fact("status")));
  block.claims = in.facts("claim");
  block.result = in.quote();
  return block;
}

SynthesisAttempt read_reply(Reader& in) {
  SynthesisAttempt reply;
  reply.attempt = in.number<int>(in.heading_after(format::kAttempt));
  reply.model = in.fact("model");
  reply.text = in.quote();
  return reply;
}

ValidationAttempt read_validation(Reader& in) {
  ValidationAttempt validation;
  validation.attempt = in.number<int>(in.heading_after(format::kAttempt));
  validation.verdict = in.value(parse_verdict(in.fact("verdict")));
  validation.confidence = in.number_fact<double>("confidence");
  validation.issues = in.facts("issue");
  return validation;
}

Status check_version(std::string_view markdown) {
  const std::string_view first = markdown.substr(0, markdown.find('\n'));
  const auto at = first.find(format::kVersion);
  if (!first.starts_with(format::kTitle) || at == std::string_view::npos)
    return fail(ErrorCode::kDataCorrupt, "this is no context document: its first line names none");
  int version = 0;
  const std::string_view text = first.substr(at + format::kVersion.size());
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || version < 1)
    return fail(ErrorCode::kDataCorrupt, "context document, line 1: its version is no number");
  if (version > kContextDocumentVersion)
    return fail(
        ErrorCode::kIncompatible,
        fmt::format("context document of version {}, this program knows up to {}", version, kContextDocumentVersion),
        "use the newer pandora that wrote it");
  return {};
}

}  // namespace

Result<ContextDocument> parse_context_document(std::string_view markdown) {
  if (markdown.size() > kMaxContextDocumentBytes)
    return fail(ErrorCode::kTooLarge, fmt::format("a context document of {} bytes, at most {} are read",
                                                  markdown.size(), kMaxContextDocumentBytes));
  PANDORA_CHECK(check_version(markdown));
  ContextDocument document;
  Reader in(markdown);
  const std::string_view first =
      markdown.substr(format::kTitle.size(), markdown.find(format::kVersion) - format::kTitle.size());
  document.turn_uid = in.value(Uuid::parse(first));
  in.expect(markdown.substr(0, markdown.find('\n')));

  in.heading(format::kQuery);
  document.query.message = in.quote();
  if (in.at_heading(format::kStandsAlone)) {
    in.heading(format::kStandsAlone);
    document.query.question = document.query.message;
  } else {
    in.heading(format::kSelfContained);
    document.query.question = in.quote();
  }

  in.heading(format::kReflection);
  document.reflection.decision = in.value(parse_reflection(in.fact("decision")));
  document.reflection.reason = in.optional_fact("reason");
  if (in.at_heading(format::kAskedBack)) {
    in.heading(format::kAskedBack);
    document.reflection.question = in.quote();
  }

  in.heading(format::kGathered);
  document.gathered.mode = in.value(parse_recall_mode(in.fact("mode")));
  document.gathered.tokens = in.number_fact<std::int64_t>("tokens");
  document.gathered.missing = in.facts("missing");
  while (in.at_heading(format::kItem)) document.gathered.items.push_back(read_item(in));

  in.heading(format::kPlan);
  while (in.at_heading(format::kAttempt)) document.plans.push_back(read_plan(in));
  in.heading(format::kTools);
  while (in.at_heading(format::kAttempt)) document.tools.push_back(read_tool(in));
  in.heading(format::kReplies);
  while (in.at_heading(format::kAttempt)) document.replies.push_back(read_reply(in));
  in.heading(format::kValidation);
  while (in.at_heading(format::kAttempt)) document.validations.push_back(read_validation(in));
  in.heading(format::kEnd);
  if (in.at_heading("")) in.wrong("the end");
  if (!in.ok()) return fail(*in.error());
  return document;
}

Verdict verdict_for(double confidence) {
  if (confidence >= 0.80) return Verdict::kApprove;
  if (confidence >= 0.50) return Verdict::kRevise;
  if (confidence >= 0.30) return Verdict::kRetry;
  return Verdict::kFail;
}

}  // namespace pandora
