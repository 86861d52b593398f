// Inside gateway: what its handlers share.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

#include "gateway/caller.h"
#include "gateway/gateway.h"
#include "gateway/guard.h"
#include "gateway/open_turns.h"
#include "net/work_pool.h"

namespace pandora {

struct GatewayCore {
  GatewayCore(GatewayOptions given, GatewayParts the_parts)
      : options(std::move(given)),
        parts(std::move(the_parts)),
        guard(parts.keys, parts.cache, options.owner, exposure_of(options.server.address), parts.clock),
        pool(std::make_unique<WorkPool>(options.blocking_threads, 4 * options.turns)),
        tool_pool(std::make_unique<WorkPool>(options.tool_threads, options.turns)),
        save_pool(std::make_unique<WorkPool>(options.save_threads, options.turns)) {}

  // A queue has room for every turn under way: each has one step, one tool or its save there at a time.
  TurnThreads turn_threads() {
    const auto on = [](WorkPool& threads) -> RunBlocking {
      return [&threads](std::function<void()> work) {
        if (!threads.submit(work)) work();
      };
    };
    return {on(*pool), on(*tool_pool), on(*save_pool)};
  }
  // One more turn; false: there are too many.
  bool begin_turn() {
    const std::lock_guard lock(mutex);
    if (ending || under_way >= options.turns) return false;
    ++under_way;
    return true;
  }
  void end_turn() {
    const std::lock_guard lock(mutex);
    --under_way;
    changed.notify_all();
  }
  // Until none is left; false: the deadline came before.
  bool wait_for_turns(const Deadline& deadline) {
    constexpr Duration kLookAgain = std::chrono::milliseconds(10);
    std::unique_lock lock(mutex);
    while (under_way > 0 && !deadline.expired()) changed.wait_for(lock, kLookAgain);
    return under_way == 0;
  }

  const GatewayOptions options;
  const GatewayParts parts;
  Guard guard;
  OpenTurns open_turns;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t under_way = 0;
  bool ending = false;
  std::unique_ptr<WorkPool> pool, tool_pool, save_pool;  // ended before the handlers go: what it runs uses them
};

// The handlers, by what they answer.
std::unique_ptr<GatewayHandler> make_chat_handler(GatewayCore& core);
std::unique_ptr<GatewayHandler> make_models_handler(GatewayCore& core);  // the list, and one by its name
std::unique_ptr<GatewayHandler> make_embeddings_handler(GatewayCore& core);
std::unique_ptr<GatewayHandler> make_resource_handler(GatewayCore& core);
std::unique_ptr<GatewayHandler> make_progress_handler(GatewayCore& core);  // with a board
std::unique_ptr<GatewayHandler> make_description_handler();
std::unique_ptr<GatewayHandler> make_metrics_handler(GatewayCore& core);
std::unique_ptr<GatewayHandler> make_live_handler();
std::unique_ptr<GatewayHandler> make_ready_handler(GatewayCore& core);

// Which server a model of that name is asked at; "pandora" is nobody's. kNotFound, kUnavailable.
Result<ServedModel> find_model(GatewayCore& core, const std::string& name);

}  // namespace pandora
