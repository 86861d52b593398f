#include "gateway/pass_through.h"

#include <mutex>
#include <utility>

namespace pandora {
namespace {

class PassThrough final : public RunningTurn, private ChatSink, public std::enable_shared_from_this<PassThrough> {
 public:
  PassThrough(std::shared_ptr<TurnListener> listener, RunLater later)
      : listener_(std::move(listener)), later_(std::move(later)) {}

  void start(ChatModel& model, ChatRequest request, const Deadline& deadline) {
    self_ = shared_from_this();
    std::shared_ptr<ChatHandle> handle = model.start(std::move(request), deadline, *this);
    bool paused = false, cancelled = false;
    {
      const std::lock_guard lock(mutex_);
      handle_ = handle;
      paused = paused_, cancelled = cancelled_;
    }
    if (paused) {
      handle->pause();
      const bool is_still = [&] {
        const std::lock_guard lock(mutex_);
        return paused_;
      }();
      if (!is_still) handle->resume();  // which was asked for before there was anything to resume
    }
    if (cancelled) handle->cancel();
    release(Has::kStarted);
  }

  void cancel() override {
    if (const auto handle = note([&] { cancelled_ = true; })) handle->cancel();
  }
  void pause() override {
    if (const auto handle = note([&] { paused_ = true; })) handle->pause();
  }
  void resume() override {
    if (const auto handle = note([&] { paused_ = false; })) handle->resume();
  }

 private:
  template <class Change>
  std::shared_ptr<ChatHandle> note(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    return handle_;
  }

  void on_delta(std::string_view) override {}
  void on_event(std::string_view json) override { listener_->on_event(json); }
  void on_refusal(const ChatRefusal& refusal) override { listener_->on_refusal(refusal); }
  void on_done(ChatResult result) override {
    outcome_.tokens_in = result.tokens_in;
    outcome_.tokens_out = result.tokens_out;
    listener_->on_reply_end(std::nullopt);
    release(Has::kEnded);
  }
  void on_error(Error error) override {
    outcome_.ending = error.code == ErrorCode::kCancelled ? Ending::kCancelled : Ending::kFailed;
    outcome_.error = error;
    listener_->on_reply_end(error);
    release(Has::kEnded);
  }

  // The model may end before its `start` returns; the handle goes when both have happened, and never within its own
  // call.
  enum class Has { kStarted, kEnded };
  void release(Has what) {
    {
      const std::lock_guard lock(mutex_);
      (what == Has::kStarted ? started_ : ended_) = true;
      if (!started_ || !ended_) return;
    }
    later_([self = std::move(self_)] {
      std::shared_ptr<ChatHandle> gone;
      {
        const std::lock_guard lock(self->mutex_);
        gone.swap(self->handle_);
      }
      gone.reset();
      self->listener_->on_finished(std::move(self->outcome_));
    });
  }

  std::shared_ptr<TurnListener> listener_;
  RunLater later_;
  std::shared_ptr<PassThrough> self_;  // until it has ended
  TurnOutcome outcome_;
  std::mutex mutex_;
  bool started_ = false, ended_ = false, paused_ = false, cancelled_ = false;
  std::shared_ptr<ChatHandle> handle_;
};

}  // namespace

std::shared_ptr<RunningTurn> pass_through(ChatModel& model, ChatRequest request, const Deadline& deadline,
                                          std::shared_ptr<TurnListener> listener, RunLater later) {
  auto passing = std::make_shared<PassThrough>(std::move(listener), std::move(later));
  passing->start(model, std::move(request), deadline);
  return passing;
}

}  // namespace pandora
