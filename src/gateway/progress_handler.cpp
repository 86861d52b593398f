#include "base/log.h"
#include "gateway/gateway_core.h"
#include "gateway/progress_path.h"
#include "wire/json_reader.h"
#include "wire/sse.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::seconds(5);  // with whoever knows of other gateways' turns

Json to_json(const TurnProgress& progress) {
  return {{"turn", progress.turn.to_string()},
          {"session", progress.session.empty() ? Json() : Json(progress.session.str())},
          {"stage", to_string(progress.stage)},
          {"detail", progress.detail},
          {"at", to_iso8601(progress.at)},
          {"last", is_last(progress.stage)}};
}

// A stream of one turn's steps: it ends with the last, or when its client leaves.
class Following final : public std::enable_shared_from_this<Following> {
 public:
  Following(HttpClient& later, std::shared_ptr<ResponseWriter> writer) : later_(later), writer_(std::move(writer)) {}

  void begin(TurnBoard& board, const TurnProgress& known) {
    auto follower = board.follow(known.turn, known.user,
                                 [self = shared_from_this()](const TurnProgress& progress) { self->tell(progress); });
    if (!follower) {
      HttpResponse full = error_response({ErrorCode::kResourceExhausted, "too many turns are followed",
                                          "ask without "
                                          "a stream"});
      full.headers.add("Retry-After", "1");
      return writer_->respond(std::move(full));
    }
    writer_->when_gone([self = shared_from_this()] { self->let_go(); });
    // What the turn has done since it was looked at comes behind that.
    auto now = board.find(known.turn, known.user, Deadline::never());
    tell(now && *now ? **now : known);
    std::unique_lock lock(mutex_);
    if (is_over_) {
      lock.unlock();
      return follower.reset();
    }
    follower_ = std::move(follower);
  }

 private:
  void tell(const TurnProgress& progress) {
    const std::lock_guard lock(mutex_);
    if (is_over_ || progress.step <= step_) return;
    if (step_ == 0) writer_->start(200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache"}});
    step_ = progress.step;
    (void)writer_->write(sse_event(dump_json(to_json(progress)), "pandora.progress"));
    if (!is_last(progress.stage)) return;
    writer_->finish();
    is_over_ = true;
    // Not from within its call.
    later_.after(Duration(0), [self = shared_from_this()] { self->let_go(); });
  }
  void let_go() {
    std::unique_ptr<TurnBoard::Follower> gone;
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    gone.swap(follower_);
  }

  HttpClient& later_;
  const std::shared_ptr<ResponseWriter> writer_;
  std::mutex mutex_;
  std::unique_ptr<TurnBoard::Follower> follower_;
  std::int64_t step_ = 0;  // the last one told
  bool is_over_ = false;
};

class ProgressHandler final : public GatewayHandler {
 public:
  explicit ProgressHandler(GatewayCore& core) : core_(core) {}

  void handle(HttpRequest request, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    const auto turn = Uuid::parse(turn_of_progress_path(request.path));
    if (!turn) return writer->respond(error_response(turn.error()));
    TurnBoard& board = *core_.parts.board;
    const auto found = board.find(*turn, caller.user, Deadline::after(core_.parts.clock, kPatience));
    if (!found) return writer->respond(error_response(found.error()));
    if (!*found)
      return writer->respond(error_response({ErrorCode::kNotFound, "no turn of this id is under way, or was lately",
                                             "GET /v1/turns lists those that are saved"}));
    if (request.method == "GET" && request.headers.lists("Accept", "text/event-stream"))
      return std::make_shared<Following>(core_.parts.client, std::move(writer))->begin(board, **found);
    writer->respond({200, {{"Content-Type", "application/json"}}, dump_json(to_json(**found))});
  }

 private:
  GatewayCore& core_;
};

}  // namespace

std::unique_ptr<GatewayHandler> make_progress_handler(GatewayCore& core) {
  return std::make_unique<ProgressHandler>(core);
}

}  // namespace pandora
