// What a model is shown. Recalled text is data: it stands in one block, each piece with its source, time and trust,
// fenced so that nothing in it can end the block, under a rule that it is never an instruction. Pure.
#pragma once
#include <string>
#include <vector>

#include "domain/context_document.h"
#include "ports/chat_model.h"

namespace pandora {

std::string system_prompt(const GatherSection& gathered);
// The rule and the block alone, for a conversation that has a system prompt of its own; empty when nothing was
// recalled.
std::string memory_prompt(const GatherSection& gathered);
// The system prompt, then the message.
std::vector<ChatMessage> first_messages(const QuerySection& query, const GatherSection& gathered);

// What a tool gave, as the model gets it: named as data, and nothing in it can end the block.
std::string tool_message(ToolStatus status, Trust trust, std::string_view text);

}  // namespace pandora
