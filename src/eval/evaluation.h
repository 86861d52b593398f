// Asks the questions of a set of what was kept of its conversations, and scores what recall would inject into §2.
//
// It works through the Service façade, so it measures the very code that answers a user. The service should stand on a
// data directory of its own: the conversations become turns of their users.
#pragma once
#include <string>
#include <vector>

#include "eval/metrics.h"
#include "eval/question_set.h"
#include "service/service.h"
#include "wire/json_reader.h"

namespace pandora {

struct QuestionScore {
  std::string id;  // "user: question": the same question in two runs
  std::string category;
  double turn_recall_at_5 = 0, turn_recall_at_10 = 0, session_recall_at_5 = 0, session_recall_at_10 = 0;
  double context_tokens = 0, recall_ms = 0;
  std::string mode;  // "hybrid", or how far recall degraded
};
using EvalScores = std::vector<QuestionScore>;

// Keeps every utterance as a turn of its conversation's user, in order, and waits until all are findable. Progress goes
// to `observer`. Returns the uid of each utterance's turn, by conversation and position.
using KeptTurns = std::vector<std::vector<std::string>>;
Result<KeptTurns> keep_conversations(Service& service, const QuestionSet& set, CallObserver& observer);
enum class EvalReceipts { kKept, kNone };  // of the recalls; none: asking changes nothing
Result<EvalScores> ask_questions(Service& service, const QuestionSet& set, const KeptTurns& turns,
                                 EvalReceipts receipts, CallObserver& observer);

// Means with 95 % intervals, the same a category, median tokens and milliseconds: what `--json` prints.
Json summarise(const EvalScores& scores);

// Every score, to be compared with later; and read back. kInvalidArgument names what does not make sense.
Json to_json(const EvalScores& scores);
Result<EvalScores> scores_from_json(const Json& json);

// Paired: the mean difference (now − before) of each figure over the questions that both runs asked, with its interval.
// `worse`: some recall is lower, and zero lies outside its interval.
struct EvalComparison {
  Json figures;
  std::int64_t questions = 0;
  bool worse = false;
};
Result<EvalComparison> compare(const EvalScores& before, const EvalScores& now);

}  // namespace pandora
