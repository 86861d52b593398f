// One turn in a simulated world: a seed decides what the user says, what recall, models, tools and the disk do, when
// the user cancels or adds something, when time is up, and which events come late, twice, wrongly or from nowhere.
//
// After every event the invariants of docs/pipeline.md are checked; the first that does not hold is thrown as a
// Violation.
#pragma once
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "pipeline/turn_machine.h"

namespace pandora::testing {

class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// How often each thing happened: a simulation in which something never happens proves nothing about it.
using Coverage = std::map<std::string, int>;

struct Disk {
  enum class Kind { kHonest, kLying };  // a lying one says "saved" and keeps nothing: the invariants must notice
  Kind kind = Kind::kHonest;
  std::vector<std::string> synced;  // payloads, as a replay reads them
};

class SimulatedTurn {
 public:
  SimulatedTurn(std::uint64_t seed, Disk& disk, Coverage& coverage);
  void run();

 private:
  enum class Asked { kRecall, kModel, kTool, kSave };
  struct Pending {
    ActionId id = 0;
    Asked what = Asked::kRecall;
  };

  bool chance(std::uint64_t in, std::uint64_t of = 100) { return random_.below(of) < in; }
  template <class T>
  const T& one_of(const std::vector<T>& choices) {
    return choices[random_.below(choices.size())];
  }
  std::string words();

  void start();
  void advance();
  void answer();
  void answer_recall(ActionId id);
  void answer_model(ActionId id);
  void answer_tool(ActionId id);
  void answer_save(ActionId id);
  void disturb();
  Event stray_event();
  ChatResult model_result();
  Turn previous_turn();

  void deliver(decltype(Event::what) what);
  void deliver_answer(decltype(Event::what) what);
  void deliver_stray(const Event& event);
  void check(const std::vector<Action>& actions);
  void check_sections(const ContextDocument& before) const;
  void check_request(const ChatRequest& request);
  void check_tool(const ToolCall& call);
  bool is_the_clients(const std::string& name) const;
  void check_save(const SaveAction& action);
  void check_finish(const FinishAction& action);
  void check_limits() const;
  void replay() const;
  void need(bool holds, const std::string& what) const;

  SeededRandom random_;
  Disk& disk_;
  Coverage& coverage_;
  TurnState state_;
  Timestamp now_{1'767'600'000'000'000};
  Started started_;
  int temper_ = 0;  // of the model: how it likes to behave in this turn

  // What the world knows of the run.
  std::optional<Pending> pending_;
  std::vector<Event> delivered_;
  std::string emitted_, streamed_;
  std::vector<std::string> guidance_;
  std::size_t guidance_shown_ = 0;
  std::size_t call_began_ = 0;  // bytes emitted before the last model call
  bool ended_badly_ = false;    // that call
  bool stopped_ = false, cancelled_ = false, clarified_ = false, cut_off_ = false, tools_offered_ = false;
  bool pass_counted_ = false;
  bool calls_clients_ = false, calls_others_ = false;  // the model's last answer
  bool may_ask_again_ = false;                         // after it
  int model_calls_ = 0, tool_calls_ = 0, passes_ = 0, saves_ = 0, finishes_ = 0;
  bool told_saved_ = false;
  ActionId last_id_ = 0;
  std::optional<TurnRecord> saved_;
};

}  // namespace pandora::testing
