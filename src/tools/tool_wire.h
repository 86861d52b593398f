// How a call of a tool and its outcome travel over HTTP, both ways. Pure.
#pragma once
#include "net/http_types.h"
#include "ports/tool_runner.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::size_t kMaxToolRequestBytes = 65 * 1024;  // the registry's own limit says no before
inline constexpr std::size_t kMaxToolAnswerBytes = 16 << 20;

// Pandora-User, Pandora-Session, Pandora-Turn, Pandora-Key; the body is the arguments.
HttpHeaders caller_headers(const ToolCaller& caller);
// kInvalidArgument, naming the header.
Result<ToolCaller> read_caller(const HttpHeaders& headers, const UserId& otherwise);

Json to_json(const ToolOutcome& outcome);
// kUnavailable: no outcome.
Result<ToolOutcome> outcome_from_json(std::string_view text);
// The error that an answer in OpenAI's shape stands for.
Error error_from_answer(int status, std::string_view body);

}  // namespace pandora
