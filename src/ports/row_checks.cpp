#include "ports/row_checks.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/spoken_words.h"
#include "ports/cache_checks.h"
#include "ports/observation_store.h"

namespace pandora {
namespace {

Status check_part(std::string_view what, double value) {
  if (value >= 0 && value <= 1) return {};  // false for a NaN as well
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} of {} is not between 0 and 1", what, value));
}

Status check_named(std::string_view what, bool has_id, const UserId& user) {
  if (!has_id) return fail(ErrorCode::kInvalidArgument, fmt::format("a {} without an id", what));
  if (user.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("a {} without a user", what));
  return {};
}

Status check_time(std::string_view what, Timestamp time) {
  if (time >= kEarliestTime && time <= kLatestTime) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("the time of {} is not of the years 1 to 9999", what));
}

}  // namespace

Status check_number(TurnNumber number) {
  if (number.value >= 0 && number.value <= kMaxTurnNumber) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is no number of a turn: 1 to {}", number.value, kMaxTurnNumber));
}

Status check_unchanged(const Turn& row, const Turn* was) {
  if (!was || row == *was) return {};
  return fail(ErrorCode::kConflict, fmt::format("turn {} was changed meanwhile", row.number.value));
}

Status check_words(const Turn& row, const Turn* of) {
  if (!of || same_words(row, *of)) return {};
  return fail(ErrorCode::kConflict, fmt::format("the words of turn {} were changed meanwhile", row.number.value));
}

Status check_row(const TurnObject& object) {
  PANDORA_CHECK(check_object_key(object.key));
  if (object.size <= kMaxTurnObjectBytes && object.media_type.size() <= kMaxMediaType &&
      object.url.size() <= kMaxTurnObjectUrlBytes)
    return {};
  return fail(ErrorCode::kTooLarge,
              fmt::format("an object of {} bytes: it, its media type or its URL is too long", object.size));
}

Status check_keywords(std::span<const std::string> keywords) {
  for (const auto& keyword : keywords) {
    if (keyword.find('\0') != std::string::npos) return fail(ErrorCode::kInvalidArgument, "a keyword that holds a NUL");
    if (keyword.size() > kMaxKeywordBytes)
      return fail(ErrorCode::kTooLarge,
                  fmt::format("a keyword of {} bytes, at most {} are kept", keyword.size(), kMaxKeywordBytes));
  }
  return {};
}

Status check_row(const Turn& turn) {
  PANDORA_CHECK(check_named("turn", !turn.uid.is_nil(), turn.user));
  if (turn.session.empty()) return fail(ErrorCode::kInvalidArgument, "a turn without a session");
  PANDORA_CHECK(check_number(turn.number));
  if (turn.objects.size() > kMaxTurnObjects)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a turn with {} objects, at most {} are kept", turn.objects.size(), kMaxTurnObjects));
  for (const auto& object : turn.objects) PANDORA_CHECK(check_row(object));
  PANDORA_CHECK(check_keywords(turn.keywords));
  PANDORA_CHECK(check_time("a turn", turn.created_at));
  return check_part("a turn's quality", turn.quality);
}

Status check_row(const Memory& memory) {
  PANDORA_CHECK(check_named("memory", !memory.id.is_nil(), memory.user));
  PANDORA_CHECK(check_part("a memory's confidence", memory.confidence));
  PANDORA_CHECK(check_time("a memory", memory.created_at));
  if (memory.expires_at) PANDORA_CHECK(check_time("a memory's end", *memory.expires_at));
  if (memory.content.size() <= kMaxMemoryBytes) return {};
  return fail(ErrorCode::kTooLarge,
              fmt::format("a memory of {} bytes, at most {} are kept", memory.content.size(), kMaxMemoryBytes));
}

Status check_row(const Research& research) {
  PANDORA_CHECK(check_named("piece of research", !research.id.is_nil(), research.user));
  for (const double part :
       {research.completeness, research.source_quality, research.extraction, research.quality, research.confidence})
    PANDORA_CHECK(check_part("a part of the quality of research", part));
  for (const Finding& finding : research.findings)
    PANDORA_CHECK(check_part("a finding's confidence", finding.confidence));
  PANDORA_CHECK(check_time("research", research.created_at));
  PANDORA_CHECK(check_time("research's end", research.expires_at));
  if (research.primary_topic.size() > kMaxResearchTopicBytes)
    return fail(ErrorCode::kTooLarge, fmt::format("a topic of {} bytes, at most {} are kept",
                                                  research.primary_topic.size(), kMaxResearchTopicBytes));
  if (research.findings.size() <= kMaxFindings) return {};
  return fail(ErrorCode::kTooLarge,
              fmt::format("{} findings, at most {} are kept", research.findings.size(), kMaxFindings));
}

Status check_row(const Observation& observation) {
  PANDORA_CHECK(check_time("an observation", observation.at));
  return observation.confidence ? check_part("an observation's confidence", *observation.confidence) : Status();
}

Status check_domain(std::string_view domain) {
  PANDORA_TRY(normal, normalise_domain(domain));
  if (normal == domain) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("a source is kept as {}", normal), "write it so");
}

Status check_row(const FetchAttempt& attempt) {
  PANDORA_CHECK(check_time("a fetch", attempt.at));
  return check_domain(attempt.domain);
}

Status check_row(const Source& source) {
  PANDORA_CHECK(check_domain(source.domain));
  if (source.successes >= 0 && source.failures >= 0) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("a negative count of {}", source.domain));
}

Status check_record(const TurnRecord& record, const Principal& who) {
  PANDORA_CHECK(check_row(record.turn));
  if (!who.may_see(record.turn.user))
    return fail(ErrorCode::kPermissionDenied, fmt::format("this turn belongs to {}", record.turn.user.str()));
  const auto of_another = [&](const auto& value) { return value.user != record.turn.user; };
  if (std::ranges::any_of(record.memories, of_another) || std::ranges::any_of(record.research, of_another))
    return fail(ErrorCode::kPermissionDenied, "a turn cannot carry memories or research of another user");
  for (const auto& memory : record.memories) PANDORA_CHECK(check_row(memory));
  for (const auto& research : record.research) PANDORA_CHECK(check_row(research));
  for (const auto& fetch : record.fetches) PANDORA_CHECK(check_row(fetch));
  for (const auto& observation : record.observations) PANDORA_CHECK(check_row(observation));
  return {};
}

Status check_instance_name(std::string_view name) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; };
  if (!name.empty() && name.size() <= kMaxInstanceName && std::ranges::all_of(name, allowed)) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no name of a fact about the installation",
                                                       one_line(ellipsize(name, kMaxInstanceName))));
}

Status check_instance_value(std::string_view value) {
  if (value.size() <= kMaxInstanceValueBytes) return {};
  return fail(ErrorCode::kTooLarge,
              fmt::format("a fact of {} bytes, at most {} are kept", value.size(), kMaxInstanceValueBytes));
}

}  // namespace pandora
