// Answers of a model server in which nothing needs to be put right, read without taking them apart: they go on as they
// came. Whatever is unusual is none of these, and is read by openai_chat.h. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "wire/openai_chat.h"

namespace pandora {

// A chunk of a stream in the middle of its one choice: some words, no tool call, no end, no usage, no error.
struct PlainChunk {
  std::string content;
};
std::optional<PlainChunk> skim_chat_chunk(std::string_view data);

// A whole answer of one choice, which calls no tool.
struct PlainAnswer {
  std::string model, content, finish_reason;
  std::optional<OpenAiUsage> usage;
};
std::optional<PlainAnswer> skim_chat_response(std::string_view body);

}  // namespace pandora
