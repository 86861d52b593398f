// The pictures that a message of OpenAI's shape carries in itself, as `data:` URLs (RFC 2397). Pure.
#pragma once
#include <string_view>

#include "pipeline/turn_runtime.h"
#include "wire/json_reader.h"

namespace pandora {

// Of a message's content, in its order. One that lies elsewhere (http:) is no picture of the message's own, and is left
// there.
AttachedImages attached_images(const Json& message);

// Bytes and media type as it is written; kInvalidArgument.
Result<Attachment> read_data_url(std::string_view url);

}  // namespace pandora
