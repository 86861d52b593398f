// What an evaluation asks: conversations, and questions whose evidence is known.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "domain/turn.h"

namespace pandora {

struct EvalUtterance {
  std::string id;  // within its conversation: "D3:14"
  SessionId session;
  std::string speaker, text;
  Timestamp at;
  Role role = Role::kUser;
  std::string reply;  // of an assistant, to this; empty: none
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
// turns: [{id, speaker, text}]}], questions: [{question, evidence: [id], category}]}; other fields are passed over. An
// evidence string may hold several ids; one that no turn has is ignored, and so is a question that is left without any.
// A turn or question without words, a second turn of one id, a session without a date and a conversation without a
// usable name do not end it: `left_out` gets a line for each that says what was done. kInvalidArgument names the place.
Result<QuestionSet> parse_locomo(std::string_view json, std::vector<std::string>* left_out = nullptr);

// Leaves the conversations of these users, each of which must be there (kInvalidArgument names the others); none: all
// stay.
Status keep_only(QuestionSet& set, const std::vector<std::string>& users);

// What else the user said, in the form of `pandora import turns`, one turn a line: more of it makes the evidence harder
// to find. kInvalidArgument names the line.
Result<std::vector<EvalUtterance>> parse_distractors(std::string_view lines);
// Puts them between the utterances of every conversation, in sessions of their own. Their times are stretched over its
// time; those without one follow the line before. In order of time; the conversation's own keep theirs.
void add_distractors(QuestionSet& set, const std::vector<EvalUtterance>& distractors);

}  // namespace pandora
