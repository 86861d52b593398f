#include "gateway/attached_images.h"

#include "base/base64.h"
#include "net/http_types.h"
#include "wire/openai_chat.h"

namespace pandora {
namespace {

constexpr std::string_view kScheme = "data:", kBase64 = ";base64";

bool is_data_url(std::string_view url) {
  return url.size() >= kScheme.size() && equal_ignoring_case(url.substr(0, kScheme.size()), kScheme);
}

}  // namespace

Result<Attachment> read_data_url(std::string_view url) {
  const std::size_t comma = url.find(',');
  if (!is_data_url(url) || comma == std::string_view::npos)
    return fail(ErrorCode::kInvalidArgument, "this is no data URL");
  const std::string_view head = url.substr(kScheme.size(), comma - kScheme.size()), data = url.substr(comma + 1);
  const bool is_base64 =
      head.size() >= kBase64.size() && equal_ignoring_case(head.substr(head.size() - kBase64.size()), kBase64);
  Attachment attachment;
  PANDORA_TRY(bytes, is_base64 ? base64_decode(data) : percent_decode(data));
  attachment.bytes = std::move(bytes);
  attachment.object.media_type = head.substr(0, head.find(';'));
  return attachment;
}

AttachedImages attached_images(const Json& message) {
  AttachedImages images;
  OpenAiMessage read;
  if (const auto content = message.find("content"); content != message.end()) read.content = *content;
  for (const auto& url : read.image_urls()) {
    if (!is_data_url(url)) continue;
    auto image = read_data_url(url);
    if (image)
      images.whole.push_back(*std::move(image));
    else
      ++images.unread;
  }
  return images;
}

}  // namespace pandora
