// What ports/chat_model.h promises, for every implementation. An implementation joins by a line in
// double_implementations.cpp, with a way to make its model say a script: a client of a server, say, by a scripted
// server.
#pragma once
#include "contract/expect.h"
#include "support/scripted_chat_model.h"

namespace pandora {

class ChatModelSetup {
 public:
  virtual ~ChatModelSetup() = default;
  virtual ChatModel& model() = 0;
  virtual void then(testing::ChatScript script) = 0;  // what the next start says
  virtual void release() = 0;                         // lets a hold of a script go on
  virtual bool wait_for_holds(int count) = 0;         // until so many scripts stand at one; false: it took too long
};
std::vector<Implementation<ChatModelSetup>> chat_model_implementations();

}  // namespace pandora
