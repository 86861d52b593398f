// What an evaluation asks: conversations, and questions whose evidence is known.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace pandora {

struct EvalUtterance {
  std::string id;  // within its conversation: "D3:14"
  SessionId session;
  std::string speaker, text;
  Timestamp at;
};
struct EvalQuestion {
  std::string text;
  std::vector<std::string> evidence;  // ids of utterances, at least one, each there
  std::string category;
};
struct EvalConversation {
  UserId user;  // every conversation is a user of its own
  std::vector<EvalUtterance> utterances;
  std::vector<EvalQuestion> questions;
};
using QuestionSet = std::vector<EvalConversation>;

inline constexpr std::size_t kMaxQuestionSetBytes = 256u << 20;

// LoCoMo's conversations (Maharana et al. 2024) in the form of a list of {conversation, sessions: [{session, date_time,
// turns: [{id, speaker, text}]}], questions: [{question, evidence: [id], category}]}. An evidence string may hold
// several ids; one that no turn has is ignored, and so is a question that is left without any. kInvalidArgument names
// the place.
Result<QuestionSet> parse_locomo(std::string_view json);

}  // namespace pandora
