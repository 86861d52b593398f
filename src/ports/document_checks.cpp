#include "ports/document_checks.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxShown = 100;

tl::unexpected<Error> no_path(const std::string& path) {
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is no path of a document", one_line(ellipsize(path, kMaxShown))));
}

bool good_component(std::string_view name) {
  return !name.empty() && name.size() <= kMaxDocumentName && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

}  // namespace

Status check_document_path(const std::string& path) {
  if (path.size() > kMaxDocumentPath) return no_path(path);
  std::string_view rest = path;
  for (;;) {
    const auto slash = rest.find('/');
    if (!good_component(rest.substr(0, slash))) return no_path(path);
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Status check_document_size(const std::string& path, std::size_t bytes) {
  if (bytes <= kMaxDocumentBytes) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("{} of {} bytes, at most {} are kept", path, bytes, kMaxDocumentBytes));
}

Status check_folder(const std::string& folder, const std::vector<Document>& documents) {
  PANDORA_CHECK(check_document_path(folder));
  if (folder.size() > kMaxFolderPath) return no_path(folder);
  if (documents.empty()) return fail(ErrorCode::kInvalidArgument, folder + " would hold no documents");
  if (documents.size() > kMaxFolderDocuments)
    return fail(ErrorCode::kTooLarge,
                fmt::format("{}: {} documents, at most {}", folder, documents.size(), kMaxFolderDocuments));
  std::set<std::string> names, folders;
  for (const auto& document : documents) {
    PANDORA_CHECK(check_document_path(folder + "/" + document.name));
    if (std::ranges::count(document.name, '/') > 1) return no_path(document.name);
    PANDORA_CHECK(check_document_size(document.name, document.bytes.size()));
    const bool added = names.insert(document.name).second;
    if (!added) return fail(ErrorCode::kInvalidArgument, fmt::format("{} would hold {} twice", folder, document.name));
    if (const auto slash = document.name.find('/'); slash != std::string::npos)
      folders.insert(document.name.substr(0, slash));
  }
  for (const auto& name : folders)
    if (names.contains(name))
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}/{} would be document and folder", folder, name));
  return {};
}

Status check_quarantine(const std::string& path) {
  PANDORA_CHECK(check_document_path(path));
  if (path != "quarantine" && path.substr(path.rfind('/') + 1) != "reason.txt") return {};
  return fail(ErrorCode::kInvalidArgument, path + " cannot be set aside");
}

std::string quarantine_folder(const std::string& path, Timestamp now, int n) {
  constexpr std::size_t kMaxFlat = 200;  // date and number fit beside it
  std::string flat = path.substr(0, kMaxFlat);
  std::ranges::replace(flat, '/', '-');
  return fmt::format("quarantine/{}-{}-{}", to_iso8601(now).substr(0, 10), flat, n);
}

}  // namespace pandora
