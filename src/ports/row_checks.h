// What no row may hold, whatever the store. Every implementation asks before it writes, and the saver before it
// acknowledges a turn, so that none is acknowledged that can never be written. Pure.
//
// kInvalidArgument: no id, user or session; a quality or a confidence that is not between 0 and 1; a number outside
// 0..kMaxTurnNumber; a time before kEarliestTime or after kLatestTime; a domain that normalise_domain would change; a
// keyword with a NUL. kTooLarge: past
// kMaxMemoryBytes, kMaxFindings, kMaxKeywordBytes or kMaxResearchTopicBytes.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "domain/principal.h"
#include "domain/source.h"
#include "domain/turn_record.h"

namespace pandora {

// Both are looked up, and no index holds any text: PostgreSQL's some 2,700 bytes, other values of the key among them.
inline constexpr std::size_t kMaxKeywordBytes = 2'000;
inline constexpr std::size_t kMaxResearchTopicBytes = 2'000;
// Of the years that every store can keep and any reader can write: 0001 to 9999.
inline constexpr Timestamp kEarliestTime{-62'135'596'800'000'000}, kLatestTime{253'402'300'799'999'999};

Status check_keywords(std::span<const std::string> keywords);
Status check_row(const TurnObject& object);
Status check_row(const Turn& turn);
Status check_row(const Memory& memory);
Status check_row(const Research& research);
Status check_row(const Observation& observation);
Status check_row(const FetchAttempt& attempt);
Status check_row(const Source& source);  // its counts must not be negative, too
Status check_domain(std::string_view domain);
// All of it; and kPermissionDenied when the turn is not who's, or a memory or research not of the turn's user.
Status check_record(const TurnRecord& record, const Principal& who);
// A number that is given or reserved: 0..kMaxTurnNumber.
Status check_number(TurnNumber number);
// Of a row that is to be replaced only while it says `was`: kConflict when it says something else. Null: whatever it
// says.
Status check_unchanged(const Turn& row, const Turn* was);
// Likewise of what is made of its words alone (same_words).
Status check_words(const Turn& row, const Turn* of);
// See InstanceStore (observation_store.h).
Status check_instance_name(std::string_view name);
Status check_instance_value(std::string_view value);

}  // namespace pandora
