#include "store_server/folder_bundle.h"

#include <charconv>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr std::string_view kForm = "pandora folder ";
constexpr std::string_view kHead = "pandora folder 1\n";

tl::unexpected<Error> torn(std::string_view what) {
  return fail(ErrorCode::kDataCorrupt, fmt::format("a folder in S3 is torn: {}", what));
}

}  // namespace

std::string encode_bundle(const FolderBundle& documents) {
  std::string out(kHead);
  for (const auto& [path, bytes] : documents) {
    out += fmt::format("{} {}\n", bytes.size(), path);
    out += bytes;
    out += '\n';
  }
  return out;
}

Result<FolderBundle> decode_bundle(std::string_view bytes) {
  if (!bytes.starts_with(kHead)) {
    if (bytes.starts_with(kForm) && bytes.find('\n') != std::string_view::npos)
      return fail(ErrorCode::kIncompatible, "a folder in S3 was written by a newer program", "upgrade this one");
    return torn("it does not begin as one");
  }
  FolderBundle documents;
  for (std::string_view left = bytes.substr(kHead.size()); !left.empty();) {
    const auto blank = left.find(' '), end = left.find('\n');
    std::size_t size = 0;
    const auto [digits, error] = std::from_chars(left.data(), left.data() + std::min(blank, left.size()), size);
    if (end == std::string_view::npos || blank >= end || error != std::errc() || digits != left.data() + blank)
      return torn("a document has no size");
    std::string path(left.substr(blank + 1, end - blank - 1));
    left.remove_prefix(end + 1);
    if (left.size() <= size || left[size] != '\n')
      return torn(fmt::format("a document of {} bytes is not whole", size));
    if (path.empty() || documents.size() == kMaxBundledDocuments ||
        !documents.emplace(std::move(path), left.substr(0, size)).second)
      return torn("a name is missing, or stands twice");
    left.remove_prefix(size + 1);
  }
  return documents;
}

}  // namespace pandora
