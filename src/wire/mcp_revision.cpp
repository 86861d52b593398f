#include "wire/mcp_revision.h"

#include <array>

#include <fmt/format.h>

#include "base/base64.h"

namespace pandora {
namespace {

constexpr std::array kRevisions = {McpRevision::k2026_07_28, McpRevision::k2025_11_25, McpRevision::k2025_06_18,
                                   McpRevision::k2025_03_26};  // the newest first

McpVerdict refuse(McpRevision revision, int code, std::string message, Json data = {}) {
  return {revision, RpcFault{code, std::move(message), std::move(data)}};
}

McpVerdict unsupported(McpRevision revision, const std::string& asked) {
  return refuse(revision, kMcpUnsupportedRevision, "this protocol version is not spoken here",
                {{"supported", mcp_revision_names()}, {"requested", asked}});
}

// The parameter that Mcp-Name repeats; empty: none.
const char* named_parameter(std::string_view method) {
  if (method == "tools/call" || method == "prompts/get") return "name";
  return method == "resources/read" ? "uri" : "";
}

// Null: there is none.
const Json* envelope_of(const RpcMessage& message) {
  const auto meta = message.params.find("_meta");
  return meta != message.params.end() && meta->is_object() ? &*meta : nullptr;
}

std::optional<RpcFault> disagreement(const RpcMessage& message, const McpHeaders& headers,
                                     const std::string& revision) {
  const auto differs = [](const char* header, const char* what) {
    return RpcFault{kMcpHeaderMismatch, fmt::format("the header {} is not the {} of the body", header, what)};
  };
  if (headers.doubled) return RpcFault{kMcpHeaderMismatch, "a header of MCP stands there more than once"};
  if (headers.revision != revision) return differs("MCP-Protocol-Version", "protocol version");
  if (headers.method != message.method) return differs("Mcp-Method", "method");
  const char* parameter = named_parameter(message.method);
  const auto value = message.params.find(parameter);
  if (value == message.params.end() || !value->is_string()) return std::nullopt;
  const auto named = headers.name ? mcp_header_value(*headers.name) : std::nullopt;
  if (named != value->get_ref<const std::string&>()) return differs("Mcp-Name", parameter);
  return std::nullopt;
}

McpVerdict judge_envelope(const RpcMessage& message, const McpHeaders* headers) {
  constexpr auto kNewest = McpRevision::k2026_07_28;
  const Json* envelope = envelope_of(message);
  for (const auto key : {kMcpRevisionKey, kMcpClientCapabilitiesKey})
    if (!envelope || !envelope->contains(std::string(key)))
      return refuse(kNewest, kRpcInvalidParams, fmt::format("params._meta lacks \"{}\"", key));
  const Json& said = (*envelope)[std::string(kMcpRevisionKey)];
  if (!said.is_string())
    return refuse(kNewest, kRpcInvalidParams, fmt::format("params._meta[\"{}\"] must be a string", kMcpRevisionKey));
  const std::string name = said.get<std::string>();
  if (headers)
    if (auto fault = disagreement(message, *headers, name)) return {kNewest, std::move(fault)};
  const auto revision = mcp_revision_named(name);
  if (!revision || !has_envelope(*revision)) return unsupported(kNewest, name);
  return {*revision, std::nullopt};
}

}  // namespace

std::string_view to_string(McpRevision revision) {
  switch (revision) {
    case McpRevision::k2025_03_26:
      return "2025-03-26";
    case McpRevision::k2025_06_18:
      return "2025-06-18";
    case McpRevision::k2025_11_25:
      return "2025-11-25";
    case McpRevision::k2026_07_28:
      return "2026-07-28";
  }
  return "";
}

std::optional<McpRevision> mcp_revision_named(std::string_view name) {
  for (const auto revision : kRevisions)
    if (to_string(revision) == name) return revision;
  return std::nullopt;
}

Json mcp_revision_names() {
  Json names = Json::array();
  for (const auto revision : kRevisions) names.push_back(to_string(revision));
  return names;
}

McpRevision negotiated_revision(std::string_view asked) {
  const auto revision = mcp_revision_named(asked);
  return revision && !has_envelope(*revision) ? *revision : McpRevision::k2025_11_25;
}

McpVerdict judge_mcp(const RpcMessage& message, const McpHeaders* headers) {
  const Json* envelope = envelope_of(message);
  const bool enveloped = envelope && envelope->contains(std::string(kMcpRevisionKey));
  if (!headers) {
    // A handshake is one, whatever a client puts into its envelope.
    if (!enveloped || message.method == "initialize") return {};
    return judge_envelope(message, nullptr);
  }
  if (!headers->revision && !enveloped) {
    if (message.method == "initialize") return {};
    return {McpRevision::k2025_03_26, std::nullopt};
  }
  if (headers->revision) {
    const auto revision = mcp_revision_named(*headers->revision);
    if (!enveloped && !revision) return unsupported(McpRevision::k2025_11_25, *headers->revision);
    if (!enveloped && !has_envelope(*revision)) return {*revision, std::nullopt};
  }
  return judge_envelope(message, headers);
}

std::optional<std::string> mcp_header_value(std::string_view text) {
  constexpr std::string_view kBegin = "=?base64?", kEnd = "?=";
  if (text.size() < kBegin.size() + kEnd.size() || !text.starts_with(kBegin) || !text.ends_with(kEnd))
    return std::string(text);
  auto decoded = base64_decode(text.substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size()));
  if (!decoded) return std::nullopt;
  return *std::move(decoded);
}

int mcp_http_status(McpRevision revision, int code) {
  switch (code) {
    case kRpcParseError:
    case kRpcInvalidRequest:
    case kMcpHeaderMismatch:
    case kMcpUnsupportedRevision:
      return 400;
    case kRpcInvalidParams:
      return has_envelope(revision) ? 400 : 200;
    case kRpcMethodNotFound:
      return has_envelope(revision) ? 404 : 200;
    case kMcpBusy:
      return 429;
    default:
      return 200;
  }
}

}  // namespace pandora
