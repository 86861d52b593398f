// A stranger's JSON-RPC: nothing that it holds breaks the reader, and what was read is answered by text that reads.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/mcp_revision.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const pandora::RpcInput input = pandora::read_rpc(text);
  if (input.messages.empty() || input.messages.size() > pandora::kMaxRpcBatch) std::abort();
  if (!input.batch && input.messages.size() != 1) std::abort();
  const pandora::McpHeaders none, some{"2026-07-28", "tools/call", std::string(text.substr(0, 40)), false};
  for (const auto& reading : input.messages) {
    const auto& message = reading.message;
    if (!message.params.is_object()) std::abort();
    if (!reading.fault && message.kind == pandora::RpcKind::kRequest && message.id.is_null()) std::abort();
    for (const auto* headers : {static_cast<const pandora::McpHeaders*>(nullptr), &none, &some}) {
      const auto verdict = pandora::judge_mcp(message, headers);
      if (!verdict.fault) continue;
      const auto answer = pandora::read_rpc(pandora::rpc_error(message.id, *verdict.fault));
      if (answer.messages.front().fault) std::abort();
    }
  }
  return 0;
}
