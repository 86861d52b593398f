#include "tools/fetch_tool.h"

#include <fmt/format.h>

#include "base/text.h"
#include "domain/source.h"

namespace pandora {
namespace {

constexpr const char* kSchema = R"({"type": "object", "properties": {
  "url": {"type": "string", "minLength": 1, "maxLength": 8192, "description": "of a public page, http or https"},
  "links": {"type": "boolean", "description": "also list where the page leads"}},
  "required": ["url"], "additionalProperties": false})";
constexpr std::size_t kResultBytes = 32 * 1024, kTextBytes = 24 * 1024;  // the rest is for links
constexpr std::size_t kFindingBytes = 500;
constexpr double kConfidence = 0.5;  // of what a page says of itself

class FetchTool final : public Tool {
 public:
  FetchTool(FetchToolParts parts, std::shared_ptr<Operations> operations)
      : parts_(std::move(parts)), operations_(std::move(operations)) {}
  const ToolInfo& info() const override { return info_; }

  Result<ToolOutcome> run(const ToolTask& task) override {
    const std::string& url = task.arguments["url"].get_ref<const std::string&>();
    PANDORA_TRY(score, score_of(url, task));
    PANDORA_TRY(client, parts_.client());
    const Fetched fetched =
        fetch_page(*client, parts_.clock, url, parts_.options, task.deadline, [&] { return task.stopped(); });
    ToolOutcome outcome;
    outcome.trust = Trust::kWeb;
    if (fetched.attempt) {
      if (task.caller.turn.is_nil())
        PANDORA_CHECK(record(*fetched.attempt, task));
      else
        outcome.fetches.push_back(*fetched.attempt);
    }
    if (!fetched.page) {
      const ErrorCode code = fetched.page.error().code;
      if (code == ErrorCode::kCancelled || code == ErrorCode::kDeadlineExceeded || !fetched.attempt)
        return fail(fetched.page.error());
      outcome.status = ToolStatus::kFailed;  // an outcome, so that the attempt counts
      outcome.result = fetched.page.error().to_line();
      return outcome;
    }
    outcome.result = shown(*fetched.page, task.arguments.value("links", false));
    if (!task.caller.turn.is_nil() && fetched.attempt) {
      outcome.research.push_back(research_of(*fetched.page, fetched.attempt->domain, score, task.caller));
      outcome.pages.push_back(
          {{ObjectOrigin::kPage, "", 0, fetched.page->media_type, fetched.page->url}, fetched.page->body});
    }
    return outcome;
  }

 private:
  // What is known of the domain; kPermissionDenied when its owner wants nothing of it.
  Result<double> score_of(const std::string& url, const ToolTask& task) {
    const auto domain = normalise_domain(url);
    if (!domain) return source_score({});  // the fetch says what is wrong with it
    auto known = operations_->call(
        "sources.show", {{"domain", *domain}}, task.caller.who.user, [&] { return task.stopped(); }, task.deadline);
    if (!known && known.error().code == ErrorCode::kNotFound) return source_score({});
    if (!known) return fail(std::move(known).error());
    const Json& source = (*known)["source"];
    if (source.value("override", "") == to_string(SourceOverride::kBlock))
      return fail(ErrorCode::kPermissionDenied, fmt::format("{} is blocked by the owner", *domain));
    return source.value("score", source_score({}));
  }

  Status record(const FetchAttempt& attempt, const ToolTask& task) {
    return operations_
        ->call(
            "sources.record", {{"domain", attempt.domain}, {"ok", attempt.ok}, {"detail", attempt.detail}},
            task.caller.who.user, [&] { return task.stopped(); }, task.deadline)
        .map([](auto&&) {});
  }

  static std::string shown(const Page& page, bool links) {
    std::string text = fmt::format(
        "Title: {}\nURL: {}\nFetched: {}{}\n\n{}\n", page.content.title.empty() ? "(none)" : page.content.title,
        page.url, to_iso8601(page.at), page.cut || page.content.text.size() > kTextBytes ? " (cut)" : "",
        ellipsize(page.content.text, kTextBytes));
    if (!links || page.content.links.empty()) return text;
    text += "\nLinks:\n";
    for (const auto& link : page.content.links) {
      const std::string line = fmt::format("- {}: {}\n", link.text.empty() ? "(no text)" : link.text, link.url);
      if (text.size() + line.size() > kResultBytes) break;
      text += line;
    }
    return text;
  }

  Research research_of(const Page& page, const std::string& domain, double score, const ToolCaller& caller) {
    Research research;
    research.id = parts_.next_id();
    research.user = caller.who.user;
    if (!caller.session.empty()) research.session = caller.session;
    research.source_turn = caller.turn;
    research.primary_topic = page.content.title.empty() ? page.url : page.content.title;
    research.created_at = page.at;
    Finding finding;
    finding.claim = ellipsize(collapse_space(page.content.text), kFindingBytes);
    if (finding.claim.empty()) finding.claim = research.primary_topic;
    finding.confidence = weighed_confidence(kConfidence, score);
    finding.domains = {domain};
    research.completeness = research_completeness(1);
    research.source_quality = score;
    research.extraction = research.confidence = finding.confidence;
    research.quality = research_quality(1, score, research.extraction);
    research.expires_at = page.at + research_lifetime(research.kind);
    research.findings.push_back(std::move(finding));
    return research;
  }

  const FetchToolParts parts_;
  const std::shared_ptr<Operations> operations_;
  const ToolInfo info_{{"fetch_page", "Fetches a page of the public web and gives its text.", kSchema},
                       {std::chrono::seconds(25), kResultBytes + 1024, 20},
                       Approval::kAsk};  // a URL can carry away what a model was told to put into it
};

}  // namespace

std::shared_ptr<Tool> make_fetch_tool(FetchToolParts parts, std::shared_ptr<Operations> operations) {
  return std::make_shared<FetchTool>(std::move(parts), std::move(operations));
}

}  // namespace pandora
