// Inside s3: what a server writes and reads as XML.
#pragma once
#include <string>
#include <vector>

#include "s3/s3_bucket.h"

namespace pandora {

struct S3Fault {
  std::string code, message;  // empty: the text is no error
};
S3Fault read_s3_fault(std::string_view xml);
// Each kUnavailable when it is not what was asked for.
Result<std::string> read_s3_upload(std::string_view xml);  // the upload's id
Result<std::string> read_s3_tag(std::string_view xml);     // of an upload that is complete
Result<S3Page> read_s3_page(std::string_view xml);
std::string s3_part_list(const std::vector<std::string>& tags);

}  // namespace pandora
