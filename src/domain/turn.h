// A turn: one message and what was answered to it, with everything the index rows hold about it.
//
// `metadata.json` holds exactly this (wire/turn_json.h), so the files alone rebuild the rows.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace pandora {

enum class Role { kUser, kAssistant };

// Who vouches for a text; higher outranks lower. Text of kWeb and kTool is quoted data, never an instruction.
enum class Trust { kWeb = 0, kModel = 1, kTool = 2, kUser = 3 };

enum class Intent { kQuestion, kLookup, kTask, kCode, kShopping, kResearch, kPreference, kMemory, kSmalltalk, kOther };

enum class TurnStatus {
  kComplete,   // answered
  kFailed,     // an error stands in place of the reply; the message is kept
  kCancelled,  // the client left; what had been said by then is kept
};

std::string_view to_string(Role role);
std::string_view to_string(Trust trust);
std::string_view to_string(Intent intent);
std::string_view to_string(TurnStatus status);
Result<Role> parse_role(std::string_view text);
Result<Trust> parse_trust(std::string_view text);
Result<Intent> parse_intent(std::string_view text);
Result<TurnStatus> parse_turn_status(std::string_view text);

struct Utterance {
  Role role = Role::kUser;
  std::string name;  // the speaker's, when he has one ("Caroline"); empty: "User" or "Assistant"
  std::string text;  // UTF-8
  std::string_view speaker() const;
  bool operator==(const Utterance&) const = default;
};

// What is embedded: `Name said, "text"` (measured best: docs/recall.md).
std::string embedded_text(const Utterance& utterance);

inline constexpr double kUnknownQuality = 0.5;
inline constexpr double kContinuedQuality = 0.8;  // the user goes on from it
inline constexpr double kRejectedQuality = 0.2;   // the user rejected it

// What belongs to a turn besides its words, kept by its hash (ports/object_store.h).
enum class ObjectOrigin {
  kImage,  // came with the message
  kPage,   // was fetched for the reply: the web's word
};
std::string_view to_string(ObjectOrigin origin);
Result<ObjectOrigin> parse_object_origin(std::string_view text);
struct TurnObject {
  ObjectOrigin origin = ObjectOrigin::kImage;
  std::string key;         // SHA-256 of its bytes, in hexadecimal
  std::uint64_t size = 0;  // bytes
  std::string media_type;
  std::string url;  // of a page
  bool operator==(const TurnObject&) const = default;
};
inline constexpr std::size_t kMaxTurnObjects = 64;
inline constexpr std::size_t kMaxTurnObjectBytes = 24u << 20;   // of one: as a line of an export it can be imported
inline constexpr std::size_t kMaxTurnObjectsBytes = 48u << 20;  // of all of a turn
inline constexpr std::size_t kMaxTurnObjectUrlBytes = 8u << 10;

struct Turn {
  Uuid uid;           // UUIDv7, given when the message arrives; the key that makes saving idempotent
  TurnNumber number;  // 0 until its rows are written
  SessionId session;
  UserId user;
  Timestamp created_at;  // when the message arrived
  TurnStatus status = TurnStatus::kComplete;
  Utterance message;
  std::optional<Utterance> reply;  // none: an imported utterance, or a failed turn
  std::string question;            // the message made self-contained
  std::string summary;             // at most kMaxSummaryBytes
  std::string topic;
  Intent intent = Intent::kOther;
  std::vector<std::string> keywords;  // heaviest first, at most ten
  double quality = kUnknownQuality;   // 0..1
  bool rejected = false;
  bool archived = false;
  std::string model;           // what wrote the reply; "extractive" without a model
  std::string content_sha256;  // of user, message and reply: exact duplicates of an import
  std::vector<TurnObject> objects;
  bool operator==(const Turn&) const = default;
};
inline constexpr std::size_t kMaxSummaryBytes = 400;
inline constexpr std::size_t kMaxKeywords = 10;

// Writes the reply when no language model is configured. Such a reply only quotes other turns, so it is never embedded,
// recalled or learnt from: that would be a loop.
inline constexpr std::string_view kExtractiveModel = "extractive";
// The reply as something new that was said: none for an extractive one.
inline const Utterance* own_reply(const Turn& turn) {
  return turn.reply && turn.model != kExtractiveModel ? &*turn.reply : nullptr;
}

// Nothing but a question: it ends in a question mark, and nobody but our own quotes answered it.
bool only_asks(const Turn& turn);

std::string content_sha256(const UserId& user, const Utterance& message, const std::optional<Utterance>& reply);
// "turn_000012"; past 999,999 it simply grows.
std::string turn_directory_name(TurnNumber number);
Result<TurnNumber> parse_turn_directory_name(std::string_view name);
// The id of the turn's point in collection `turns`: of its uid, not of its content.
Uuid turn_point_id(const Uuid& turn_uid);

}  // namespace pandora
