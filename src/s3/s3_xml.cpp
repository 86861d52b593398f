#include "s3/s3_xml.h"

#include <sstream>

#include <pugixml.hpp>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxShown = 300;

// Entities of a document type are not read: pugixml knows those of XML alone.
bool parse(std::string_view xml, pugi::xml_document& document) {
  return document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
}

tl::unexpected<Error> no_answer() {
  return fail(ErrorCode::kUnavailable, "this is no answer of S3's API", "is S3_ENDPOINT right?");
}

Result<std::string> text_in(std::string_view xml, const char* root, const char* name) {
  pugi::xml_document document;
  if (!parse(xml, document)) return no_answer();
  const std::string text = document.child(root).child_value(name);
  if (text.empty()) return no_answer();
  return text;
}

}  // namespace

S3Fault read_s3_fault(std::string_view xml) {
  pugi::xml_document document;
  if (!parse(xml, document)) return {};
  const pugi::xml_node error = document.child("Error");
  return {sanitize_utf8(ellipsize(error.child_value("Code"), kMaxShown)),
          sanitize_utf8(ellipsize(error.child_value("Message"), kMaxShown))};
}

Result<std::string> read_s3_upload(std::string_view xml) {
  return text_in(xml, "InitiateMultipartUploadResult", "UploadId");
}
Result<std::string> read_s3_tag(std::string_view xml) { return text_in(xml, "CompleteMultipartUploadResult", "ETag"); }

Result<S3Page> read_s3_page(std::string_view xml) {
  pugi::xml_document document;
  if (!parse(xml, document) || !document.child("ListBucketResult")) return no_answer();
  const pugi::xml_node list = document.child("ListBucketResult");
  S3Page page;
  for (const pugi::xml_node object : list.children("Contents"))
    page.objects.push_back({object.child_value("Key"), object.child("Size").text().as_ullong()});
  for (const pugi::xml_node folder : list.children("CommonPrefixes"))
    page.folders.emplace_back(folder.child_value("Prefix"));
  if (list.child("IsTruncated").text().as_bool()) {
    page.next = list.child_value("NextContinuationToken");
    if (page.next.empty()) return no_answer();
  }
  return page;
}

std::string s3_part_list(const std::vector<std::string>& tags) {
  pugi::xml_document document;
  pugi::xml_node all = document.append_child("CompleteMultipartUpload");
  for (std::size_t i = 0; i < tags.size(); ++i) {
    pugi::xml_node part = all.append_child("Part");
    part.append_child("PartNumber").text() = static_cast<unsigned long long>(i + 1);
    part.append_child("ETag").text() = tags[i].c_str();
  }
  std::ostringstream text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

}  // namespace pandora
