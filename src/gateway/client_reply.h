// A turn's answer on its way to the client: chunks of a stream as they come, or the whole at once; a slow reader slows
// the model down, and one who leaves cancels it.
//
// In both forms the answer says which turn it is (Pandora-Turn, Pandora-Session, Pandora-Receipt). A stream ends, as
// OpenAI's do, with the usage when it was asked for and [DONE], as soon as the model has spoken; behind that, when the
// turn is saved, comes an event "pandora.turn" that says whether it is acknowledged. A whole answer says so in
// Pandora-Acknowledged, and waits for it no longer than kAcknowledgePatience: then it says "pending".
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "gateway/looped_reply.h"
#include "net/http_server.h"
#include "pipeline/turn_runtime.h"
#include "wire/chat_stream.h"

namespace pandora {

inline constexpr Duration kAcknowledgePatience = std::chrono::milliseconds(50);

struct ReplyOptions {
  bool streams = false, wants_usage = false;
  std::string model;                                  // of our own words' answers
  std::int64_t created = 0;                           // the same
  SessionId session;                                  // empty: it is no turn
  std::optional<std::set<std::string>> client_tools;  // its own, when tools of ours go along that it must not see
  std::string request_id;
  std::function<void(Duration, std::function<void()>)> after;  // calls once, later
  // Before the client hears of the end, for it may come back at once: the ids of the tools' calls that it was given,
  // and the turn that waits for what they give.
  std::function<void(const std::vector<std::string>& calls, OpenTurn open)> keep_open;
  std::function<void(const TurnOutcome& outcome)> when_finished;  // when everything is over
};

class ClientReply final : public TurnListener, public std::enable_shared_from_this<ClientReply> {
 public:
  ClientReply(ReplyOptions options, std::shared_ptr<ResponseWriter> writer)
      : options_(std::move(options)), writer_(std::move(writer)) {
    if (options_.client_tools) looped_.emplace(*options_.client_tools);
  }
  void attach(std::shared_ptr<RunningTurn> turn);  // once it has been started
  void refuse(const HttpResponse& response);       // it could not be

  void on_text(std::string_view text) override;
  void on_gathered(const Uuid& turn, const std::optional<Uuid>& receipt, const GatherSection& gathered) override;
  void on_model_call() override;
  void on_event(std::string_view json) override;
  void on_refusal(const ChatRefusal& refusal) override;
  void on_reply_end(const std::optional<Error>& broken) override;
  void on_finished(TurnOutcome outcome) override;

 private:
  enum class Stage { kOpen, kStreaming, kAnswered };
  void write(const std::string& bytes);
  void begin_stream();
  void pass_chunk(std::string_view json);
  void pass_whole(std::string_view json);
  void pass_looped(std::string_view json);
  void take_chunk(Json chunk);
  void end_loop();
  void send_chunk(Json delta, Json finish_reason);
  void note_calls(const Json& choices);
  void end_stream();
  void break_off(const Error& error);
  void answer();
  std::string whole_answer();
  HttpHeaders headers() const;
  Json frame(std::string_view object) const;
  Json own_frame(std::string_view object) const;
  std::shared_ptr<RunningTurn> turn();

  const ReplyOptions options_;
  const std::shared_ptr<ResponseWriter> writer_;
  mutable std::recursive_mutex mutex_;
  Stage stage_ = Stage::kOpen;
  bool ended_ = false, slow_ = false;
  std::shared_ptr<RunningTurn> turn_;
  std::string turn_uid_, receipt_;
  std::string words_;        // our own
  std::string whole_;        // the model's whole answer, as it came
  ChatAssembler assembled_;  // of chunks, where a whole answer was asked for
  std::string first_chunk_;  // of the model's: id, model and the like of those that are made here
  Json usage_;
  std::optional<LoopedReply> looped_;
  int model_calls_ = 0;
  Json last_whole_;  // of its calls, where a whole answer was asked for and given
  std::vector<std::string> calls_;
  std::optional<ChatRefusal> refusal_;
  std::optional<std::string> acknowledged_;
};

}  // namespace pandora
