#include <array>
#include <charconv>

#include <fmt/format.h>

#include "domain/context_document.h"
#include "domain/context_format.h"

namespace pandora {
namespace {

namespace format = context_format;

// The shortest text that reads back as the same double.
std::string shortest(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

// For what stands on one line.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\')
      escaped += "\\\\";
    else if (c == '\n')
      escaped += "\\n";
    else if (c == '\r')
      escaped += "\\r";
    else
      escaped += c;
  }
  return escaped;
}

class Writer {
 public:
  void line(std::string_view text) { out_ += text, out_ += '\n'; }
  void heading(std::string_view text) {
    separate();
    line(text), out_ += '\n';
  }
  void fact(std::string_view name, std::string_view value) { line(fmt::format("- {}: {}", name, escape(value))); }
  void fact(std::string_view name, double value) { fact(name, std::string_view(shortest(value))); }
  void fact(std::string_view name, std::int64_t value) { fact(name, std::string_view(fmt::format("{}", value))); }
  void facts(std::string_view name, const std::vector<std::string>& values) {
    for (const auto& value : values) fact(name, std::string_view(value));
  }
  void quote(std::string_view text) {
    separate();
    for (;;) {
      const auto end = text.find('\n');
      const std::string_view one = text.substr(0, end);
      line(one.empty() ? std::string(">") : fmt::format("> {}", one));
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }
  void end() {
    separate();
    line(format::kEnd);
  }
  std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
  }
  std::string out_;
};

// "- turn · 2026-01-05T10:00:00.000000Z · trust user · confidence 0.9 · score 1.234"
std::string item_line(const GatheredItem& item) {
  return fmt::format("- {1}{0}{2}{0}{3}{4}{0}{5}{6}{0}{7}{8}", format::kBetween, to_string(item.kind),
                     to_iso8601(item.at), format::kTrust, to_string(item.trust), format::kConfidence,
                     shortest(item.confidence), format::kScore, shortest(item.score));
}

void write_item(Writer& out, const GatheredItem& item) {
  out.heading(fmt::format("{}{}", format::kItem, escape(item.source)));
  out.line(item_line(item));
  if (!item.session.empty()) out.fact("session", item.session);
  if (!item.id.empty()) out.fact("id", item.id);
  out.quote(item.text);
}

}  // namespace

std::string render(const ContextDocument& document) {
  Writer out;
  out.line(fmt::format("{}{}{}{}", format::kTitle, document.turn_uid.to_string(), format::kVersion,
                       kContextDocumentVersion));

  out.heading(format::kQuery);
  out.quote(document.query.message);
  if (document.query.question == document.query.message) {
    out.heading(format::kStandsAlone);
  } else {
    out.heading(format::kSelfContained);
    out.quote(document.query.question);
  }

  out.heading(format::kReflection);
  out.fact("decision", to_string(document.reflection.decision));
  if (!document.reflection.reason.empty()) out.fact("reason", std::string_view(document.reflection.reason));
  if (!document.reflection.question.empty()) {
    out.heading(format::kAskedBack);
    out.quote(document.reflection.question);
  }

  out.heading(format::kGathered);
  out.fact("mode", to_string(document.gathered.mode));
  out.fact("tokens", document.gathered.tokens);
  out.facts("missing", document.gathered.missing);
  for (const auto& item : document.gathered.items) write_item(out, item);

  out.heading(format::kPlan);
  for (const auto& plan : document.plans) {
    out.heading(fmt::format("{}{}", format::kAttempt, plan.attempt));
    out.fact("route", to_string(plan.route));
    out.facts("goal", plan.goals);
  }

  out.heading(format::kTools);
  for (const auto& block : document.tools) {
    out.heading(fmt::format("{}{}{}{}", format::kAttempt, block.attempt, format::kPass, block.pass));
    out.fact("tool", std::string_view(block.tool));
    out.fact("arguments", std::string_view(block.arguments));
    out.fact("status", to_string(block.status));
    out.facts("claim", block.claims);
    out.quote(block.result);
  }

  out.heading(format::kReplies);
  for (const auto& reply : document.replies) {
    out.heading(fmt::format("{}{}", format::kAttempt, reply.attempt));
    out.fact("model", std::string_view(reply.model));
    out.quote(reply.text);
  }

  out.heading(format::kValidation);
  for (const auto& validation : document.validations) {
    out.heading(fmt::format("{}{}", format::kAttempt, validation.attempt));
    out.fact("verdict", to_string(validation.verdict));
    out.fact("confidence", validation.confidence);
    out.facts("issue", validation.issues);
  }
  out.end();
  return out.take();
}

}  // namespace pandora
