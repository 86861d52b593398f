// What an S3 server answers: whatever the bytes, each reader gives a value or an error; a page that is cut says where
// to go on, and what is shown of a fault can be shown.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "s3/s3_xml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pandora;
  const std::string_view xml(reinterpret_cast<const char*>(data), size);
  const S3Fault fault = read_s3_fault(xml);
  if (!is_valid_utf8(fault.code) || !is_valid_utf8(fault.message)) std::abort();
  if (const auto upload = read_s3_upload(xml); upload && upload->empty()) std::abort();
  if (const auto tag = read_s3_tag(xml); tag && tag->empty()) std::abort();
  (void)read_s3_page(xml);
  const std::string tags = s3_part_list({std::string(xml.substr(0, xml.find('\0')))});
  if (!tags.starts_with("<CompleteMultipartUpload>")) std::abort();
  return 0;
}
