// The revisions of the Model Context Protocol, and what tells them apart on the wire. Pure.
//
// Up to 2025-11-25 a client begins with `initialize`, and over HTTP names the revision in the header
// MCP-Protocol-Version of every later request; without one it is 2025-03-26, the only one with batches. From 2026-07-28
// on there is no handshake: every request says in `params._meta` which revision it is, and over HTTP repeats that, its
// method and what it names in headers, so that what stands between need not read the body. A request whose headers and
// body disagree is refused.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "wire/json_rpc.h"

namespace pandora {

enum class McpRevision { k2025_03_26, k2025_06_18, k2025_11_25, k2026_07_28 };
std::string_view to_string(McpRevision revision);
std::optional<McpRevision> mcp_revision_named(std::string_view name);
Json mcp_revision_names();  // of all that are spoken here, the newest first
// Of what `initialize` asks for: the same when it is spoken here, otherwise the newest that begins with a handshake.
McpRevision negotiated_revision(std::string_view asked);
inline bool has_envelope(McpRevision revision) { return revision >= McpRevision::k2026_07_28; }

// Errors of MCP's own.
inline constexpr int kMcpResourceNotFound = -32002;     // up to 2025-11-25; later it is kRpcInvalidParams
inline constexpr int kMcpHeaderMismatch = -32020;       // from 2026-07-28
inline constexpr int kMcpUnsupportedRevision = -32022;  // from 2026-07-28
inline constexpr int kMcpBusy = -32000;                 // ours: too much is under way

inline constexpr std::string_view kMcpRevisionKey = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kMcpClientCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view kMcpServerInfoKey = "io.modelcontextprotocol/serverInfo";

// What of a request's headers says what its body says. Absent is not empty.
struct McpHeaders {
  std::optional<std::string> revision, method, name;
  bool doubled = false;  // one of them stands there more than once
};

// Which revision a request is of. Without headers (stdio) the envelope alone decides, and without one it is the last
// with a handshake.
struct McpVerdict {
  McpRevision revision = McpRevision::k2025_11_25;
  std::optional<RpcFault> fault;
};
McpVerdict judge_mcp(const RpcMessage& message, const McpHeaders* headers);

// "=?base64?…?=" of a header's value; none when that is broken.
std::optional<std::string> mcp_header_value(std::string_view text);

// The HTTP status of an answer that is an error.
int mcp_http_status(McpRevision revision, int code);

}  // namespace pandora
