#include "metrics/measured_chat_model.h"

#include <array>

namespace pandora {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"reflex", "nerves", "mind", "voice", "eyes"};

// Between a model and who listens to it. Its calls come one at a time (ports/chat_model.h).
class MeasuredCall final : public ChatHandle, private ChatSink {
 public:
  MeasuredCall(Metrics& metrics, const Clock& clock, ChatSink& sink) : metrics_(metrics), clock_(clock), sink_(sink) {}
  void start(ChatModel& model, ChatRequest request, const Deadline& deadline) {
    figures_.model =
        request.model.empty() ? std::string(kRoles[static_cast<std::size_t>(request.role)]) : request.model;
    begun_ = clock_.steady();
    handle_ = model.start(std::move(request), deadline, *this);
  }
  void cancel() override { handle_->cancel(); }
  void pause() override { handle_->pause(); }
  void resume() override { handle_->resume(); }

 private:
  Duration passed() const { return std::chrono::duration_cast<Duration>(clock_.steady() - begun_); }
  void note_chunk() {
    if (figures_.to_first_chunk == Duration(0)) figures_.to_first_chunk = std::max(Duration(1), passed());
  }
  void on_delta(std::string_view text) override {
    note_chunk();
    sink_.on_delta(text);
  }
  void on_event(std::string_view json) override {
    note_chunk();
    sink_.on_event(json);
  }
  void on_refusal(const ChatRefusal& refusal) override { sink_.on_refusal(refusal); }
  void on_done(ChatResult result) override {
    if (!result.model.empty()) figures_.model = result.model;
    figures_.tokens_in = result.tokens_in;
    figures_.tokens_out = result.tokens_out;
    note_end();
    sink_.on_done(std::move(result));
  }
  void on_error(Error error) override {
    figures_.error = error_info(error.code).name;
    note_end();
    sink_.on_error(std::move(error));
  }
  // Before whoever listens is told: what he looks at then counts this call.
  void note_end() {
    figures_.took = passed();
    metrics_.model_call(figures_);
  }

  Metrics& metrics_;
  const Clock& clock_;
  ChatSink& sink_;
  SteadyTime begun_{};
  ModelCallFigures figures_;
  std::unique_ptr<ChatHandle> handle_;  // last: while it ends it still speaks to this
};

class MeasuredChatModel final : public ChatModel {
 public:
  MeasuredChatModel(std::unique_ptr<ChatModel> inner, Metrics& metrics, const Clock& clock)
      : inner_(std::move(inner)), metrics_(metrics), clock_(clock) {}
  std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline& deadline, ChatSink& sink) override {
    auto call = std::make_unique<MeasuredCall>(metrics_, clock_, sink);
    call->start(*inner_, std::move(request), deadline);
    return call;
  }

 private:
  const std::unique_ptr<ChatModel> inner_;
  Metrics& metrics_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<ChatModel> measured(std::unique_ptr<ChatModel> model, Metrics& metrics, const Clock& clock) {
  return std::make_unique<MeasuredChatModel>(std::move(model), metrics, clock);
}

}  // namespace pandora
