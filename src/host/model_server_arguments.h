// The arguments that model servers document. Data, to be brought up to date with the programs.
#pragma once
#include <span>
#include <string_view>

namespace pandora {

enum class ArgumentValue { kNone, kText, kInteger, kNumber, kOptionalText, kTwoIntegers };
struct ProgramArgument {
  std::string_view names;  // "--ctx-size -c"
  ArgumentValue value = ArgumentValue::kText;
  std::string_view choices = "";  // "auto half float16"; empty: any
};
inline constexpr std::string_view kVllmVersion = "vLLM 0.8 to 0.12";
inline constexpr std::string_view kLlamaServerVersion = "llama-server, 2025 and 2026";

// `vllm serve`. A flag may also be given as --no-…; '_' counts as '-'; "--name.key value" sets a part of a JSON value.
std::span<const ProgramArgument> vllm_arguments();
std::span<const ProgramArgument> llama_server_arguments();

}  // namespace pandora
