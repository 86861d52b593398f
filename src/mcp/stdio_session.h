// MCP over lines: each message is one line of JSON, in and out. A client that starts `pandora mcp` speaks so.
//
// `take` is called from one thread, line by line; requests are answered on a few threads of its own, each by one line
// when it is ready, so answers may overtake each other. `write` is called with whole lines, one call at a time.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "mcp/calls_under_way.h"
#include "mcp/mcp_server.h"
#include "net/work_pool.h"

namespace pandora {

inline constexpr std::size_t kMcpStdioThreads = 4;
inline constexpr std::size_t kMcpStdioQueue = 64;  // requests that wait; one more is refused, and may be sent again

class McpStdioSession {
 public:
  using Write = std::function<void(std::string_view line)>;
  McpStdioSession(McpServer& server, ToolCaller caller, Write write);
  ~McpStdioSession();  // cancels what is under way, and waits until it has ended

  void take(std::string_view line);         // without its line break; an empty one is nothing
  void refuse_too_long(std::size_t bytes);  // a line of so many, which was not kept
  void finish();                            // waits until everything that was taken is answered

 private:
  class Call;
  void take_one(RpcReading reading);
  void take_batch(RpcInput input);
  std::string answer(const RpcMessage& message, McpObserver& observer);
  void begin();
  void end();
  void send(std::string_view line);

  McpServer& server_;
  const ToolCaller caller_;
  const Write write_;
  CallsUnderWay calls_;
  std::mutex write_mutex_, mutex_;
  std::condition_variable ended_;
  std::size_t under_way_ = 0;
  std::atomic<bool> ending_ = false;
  std::unique_ptr<WorkPool> pool_;  // ended first
};

}  // namespace pandora
