// The chunks of several model calls as one answer, when tools of ours run between them: the client sees its own tools'
// calls alone, one role, one id, one end, and the sum of what was used. Pure.
//
// The text given out is, to the byte, what the turn keeps (pipeline/spoken_reply.h). An end is held back until it is
// clear that no further call follows. Of one choice: such a request asks for no more.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "pipeline/spoken_reply.h"
#include "wire/json_reader.h"

namespace pandora {

class LoopedReply {
 public:
  explicit LoopedReply(std::set<std::string> client_tools) : client_tools_(std::move(client_tools)) {}
  void begin_call();
  Json pass(Json chunk);                 // what the client gets of it; null: nothing
  std::vector<Json> finish();            // the end of the last call; none when no chunk came
  Json usage() const { return usage_; }  // of all calls; null: no server said

 private:
  enum class Whose { kUnknown, kClient, kOurs };
  struct Call {
    Whose whose = Whose::kUnknown;
    std::size_t index = 0;      // as the client counts
    std::vector<Json> waiting;  // pieces that came before the name
  };
  void take_text(Json& delta, bool is_last);
  void take_calls(Json& delta);
  void add_usage(Json& chunk);

  const std::set<std::string> client_tools_;
  SpokenReply spoken_;
  std::map<int, Call> calls_;
  std::size_t client_calls_ = 0;  // of the call under way
  bool gave_role_ = false;
  Json id_, created_;  // of the first chunk
  Json last_;          // the chunk with the end
  Json frame_;         // any chunk, without its choices
  Json usage_;
};

}  // namespace pandora
