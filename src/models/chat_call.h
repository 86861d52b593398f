// Inside models: one call of a chat model, over all its attempts.
//
// Driven by the HTTP client's thread; cancelled and abandoned from any. One lock, held while the sink is called, so
// that whoever abandons the call waits for that; it is never held while an HTTP call is destroyed by another thread.
#pragma once
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "models/model_server.h"
#include "models/server_waker.h"
#include "net/http_client.h"
#include "ports/chat_model.h"
#include "wire/chat_stream.h"
#include "wire/sse.h"

namespace pandora {

// What the calls of a model share.
struct ChatModelCore {
  ModelSettings settings;
  HttpClient& client;
  const Clock& clock;
  Random& random;
  ServerWaker* waker;                                                // null: nobody wakes one
  std::array<std::vector<std::shared_ptr<ModelServer>>, 5> servers;  // by role
};

class ChatCall final : public HttpCallSink, public std::enable_shared_from_this<ChatCall> {
 public:
  ChatCall(std::shared_ptr<ChatModelCore> core, ChatRequest request, const Deadline& deadline, ChatSink& sink);
  void begin();    // on the client's thread
  void cancel();   // from any thread
  void pause();    // from any thread
  void resume();   // from any thread
  void abandon();  // from any thread; no call of the sink comes after it

  void on_head(const ResponseHead& head) override;
  Flow on_body(std::string_view bytes) override;
  void on_done() override;
  void on_error(Error error) override;

 private:
  enum class Stage { kNone, kWaking, kAskingModels, kChatting };
  enum class Body { kEvents, kJson, kError };
  void try_next();
  void wake();
  void woken(const ModelServer* server, Result<std::shared_ptr<ServerLease>> lease);
  void ask();
  void ask_models();
  void chat();
  std::string encode() const;
  std::string encode_passed_on() const;
  std::string model() const;
  bool is_patient() const;
  void send(HttpCallRequest request, Stage stage);
  void take_event(SseEvent event);
  bool take_plain(const std::string& data);
  void stream_ended();
  void take_whole_answer();
  void take_models();
  void refused();            // the server answered with a status that is no success
  void failed(Error error);  // this attempt; another may follow
  bool waits(Duration pause);
  void succeed();
  void end(Error error);
  void leave_server();

  const std::shared_ptr<ChatModelCore> core_;
  const ChatRequest request_;
  const Deadline deadline_;
  const std::vector<std::shared_ptr<ModelServer>> servers_;  // that this call may go to

  std::recursive_mutex mutex_;
  ChatSink* sink_;  // null once it has its last word
  bool cancelled_ = false, answered_ = false, said_done_ = false, paused_ = false;
  int attempts_ = 0, rounds_ = 0, sent_ = 0;
  std::set<ModelServer*> tried_;  // in this round
  Error last_error_;
  std::optional<ChatRefusal> refusal_;  // of the last attempt, when that was its end

  std::shared_ptr<ModelServer> server_;  // of this attempt, while its breaker waits for a word
  std::shared_ptr<ServerLease> lease_;   // of a server that would sleep
  Stage stage_ = Stage::kNone;
  Body body_ = Body::kEvents;
  ResponseHead head_;
  std::string gathered_;
  SseParser events_;
  ChatStreamRepair repair_;
  ChatAssembler reply_;
  std::unique_ptr<HttpCall> call_;  // last: its end calls nothing that is gone
};

}  // namespace pandora
