#include "mcp/stdio_session.h"

#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

const std::string kOwner;  // one connection, one owner of all its calls

RpcFault too_many() { return {kMcpBusy, "too many requests are under way; send it again later"}; }

// Nobody can be told of a batch's progress or cancel one of it: it is answered as a whole, unless all of it ends.
class Silent final : public McpObserver {
 public:
  explicit Silent(const std::atomic<bool>& ending) : ending_(ending) {}
  void notify(std::string) override {}
  bool cancelled() override { return ending_; }

 private:
  const std::atomic<bool>& ending_;
};

}  // namespace

class McpStdioSession::Call final : public McpObserver {
 public:
  Call(McpStdioSession& session, std::shared_ptr<McpCallState> state) : session_(session), state_(std::move(state)) {}
  void notify(std::string message) override {
    if (!state_->cancelled()) session_.send(message);
  }
  bool cancelled() override { return state_->cancelled(); }

 private:
  McpStdioSession& session_;
  const std::shared_ptr<McpCallState> state_;
};

McpStdioSession::McpStdioSession(McpServer& server, ToolCaller caller, Write write)
    : server_(server),
      caller_(std::move(caller)),
      write_(std::move(write)),
      pool_(std::make_unique<WorkPool>(kMcpStdioThreads, kMcpStdioQueue)) {}

McpStdioSession::~McpStdioSession() {
  ending_ = true;
  calls_.cancel_all(kOwner);
  pool_.reset();
}

void McpStdioSession::take(std::string_view line) {
  if (trim(line).empty()) return;
  RpcInput input = read_rpc(line);
  if (input.batch) return take_batch(std::move(input));
  take_one(std::move(input.messages.front()));
}

void McpStdioSession::refuse_too_long(std::size_t bytes) {
  send(rpc_error(
      {}, {kRpcInvalidRequest, fmt::format("message of {} bytes, at most {} are read", bytes, kMaxRpcMessageBytes)}));
}

void McpStdioSession::finish() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return under_way_ == 0; });
}

void McpStdioSession::take_one(RpcReading reading) {
  if (reading.fault) return send(rpc_error(reading.message.id, *reading.fault));
  RpcMessage& message = reading.message;
  if (message.kind == RpcKind::kNotification && message.method == "notifications/cancelled") {
    (void)calls_.cancel(kOwner, message.params.value("requestId", Json()));  // one that has ended needs none
    return;
  }
  if (message.kind != RpcKind::kRequest) return;  // nothing else is wanted of us
  const Json id = message.id;
  auto state = calls_.begin(kOwner, id, {});
  if (!state) return send(rpc_error(id, {kRpcInvalidRequest, "a request of this id is under way"}));
  begin();
  const bool taken = pool_->submit([this, message = std::move(message), state] {
    Call call(*this, state);
    const std::string line = state->cancelled() ? std::string() : answer(message, call);
    calls_.end(kOwner, message.id);
    if (!state->cancelled()) send(line);  // a cancelled one gets no answer
    end();
  });
  if (taken) return;
  calls_.end(kOwner, id);
  end();
  send(rpc_error(id, too_many()));
}

void McpStdioSession::take_batch(RpcInput input) {
  const Json first = input.messages.front().message.id;
  begin();
  const bool taken = pool_->submit([this, input = std::move(input)] {
    Silent nobody(ending_);
    std::string lines;
    for (const auto& reading : input.messages) {
      if (ending_) break;
      std::string line;
      if (reading.fault)
        line = rpc_error(reading.message.id, *reading.fault);
      else if (reading.message.kind == RpcKind::kRequest)
        line = answer(reading.message, nobody);
      if (!line.empty()) lines += (lines.empty() ? "[" : ",") + line;
    }
    if (!lines.empty()) send(lines + "]");
    end();
  });
  if (taken) return;
  end();
  send(rpc_error(first, too_many()));
}

std::string McpStdioSession::answer(const RpcMessage& message, McpObserver& observer) {
  const McpVerdict verdict = judge_mcp(message, nullptr);
  if (verdict.fault) return rpc_error(message.id, *verdict.fault);
  const auto answer = server_.answer(message, verdict.revision, caller_, observer);
  return answer.fault ? rpc_error(message.id, *answer.fault) : rpc_result(message.id, answer.result);
}

void McpStdioSession::begin() {
  const std::lock_guard lock(mutex_);
  ++under_way_;
}

void McpStdioSession::end() {
  const std::lock_guard lock(mutex_);
  --under_way_;
  ended_.notify_all();
}

void McpStdioSession::send(std::string_view line) {
  const std::lock_guard lock(write_mutex_);
  write_(line);
}

}  // namespace pandora
