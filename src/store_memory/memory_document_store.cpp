#include "store_memory/memory_document_store.h"

#include <algorithm>

#include "ports/document_checks.h"

namespace pandora {
namespace {

bool within(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }

std::string last_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool MemoryDocumentStore::is_folder(const std::string& path) const {
  return std::ranges::any_of(documents_, [&](const auto& document) { return within(document.first, path); });
}

Status MemoryDocumentStore::no_document_above(const std::string& path) const {
  for (const auto& [document, bytes] : documents_)
    if (within(path, document)) return fail(ErrorCode::kConflict, document + " is a document");
  return {};
}

void MemoryDocumentStore::erase(const std::string& path) {
  std::erase_if(documents_,
                [&](const auto& document) { return document.first == path || within(document.first, path); });
}

void MemoryDocumentStore::rename(const std::string& from, const std::string& to) {
  std::map<std::string, std::string> renamed;
  for (const auto& [path, bytes] : documents_)
    renamed[path == from || within(path, from) ? to + path.substr(from.size()) : path] = bytes;
  documents_ = std::move(renamed);
}

Status MemoryDocumentStore::put_folder(const std::string& folder, const std::vector<Document>& documents, Durability,
                                       const Deadline& deadline) {
  PANDORA_CHECK(check_folder(folder, documents));
  PANDORA_CHECK(deadline.check("writing " + folder));
  const std::lock_guard lock(mutex_);
  PANDORA_CHECK(no_document_above(folder));
  if (documents_.contains(folder)) return fail(ErrorCode::kConflict, folder + " is a document");
  erase(folder);
  for (const auto& document : documents) documents_[folder + "/" + document.name] = document.bytes;
  return {};
}

Status MemoryDocumentStore::put(const std::string& path, std::string_view bytes, Durability, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(check_document_size(path, bytes.size()));
  PANDORA_CHECK(deadline.check("writing " + path));
  const std::lock_guard lock(mutex_);
  PANDORA_CHECK(no_document_above(path));
  if (is_folder(path)) return fail(ErrorCode::kConflict, path + " is a folder");
  documents_[path] = bytes;
  return {};
}

Result<std::string> MemoryDocumentStore::read(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("reading " + path));
  const std::lock_guard lock(mutex_);
  const auto document = documents_.find(path);
  if (document == documents_.end()) return fail(ErrorCode::kNotFound, "there is no document " + path);
  return document->second;
}

Result<std::vector<FileInfo>> MemoryDocumentStore::list(const std::string& folder, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(folder));
  PANDORA_CHECK(deadline.check("listing " + folder));
  const std::lock_guard lock(mutex_);
  std::map<std::string, FileInfo> entries;
  for (const auto& [path, bytes] : documents_) {
    if (!within(path, folder)) continue;
    const std::string rest = path.substr(folder.size() + 1);
    const std::string name = rest.substr(0, rest.find('/'));
    entries[name] = name == rest ? FileInfo{name, false, bytes.size()} : FileInfo{name, true, 0};
  }
  std::vector<FileInfo> listed;
  for (const auto& [name, entry] : entries) listed.push_back(entry);
  return listed;
}

Result<std::vector<FileInfo>> MemoryDocumentStore::list_after(const std::string& folder, const std::string& after,
                                                              std::size_t limit, const Deadline& deadline) {
  PANDORA_TRY(listed, list(folder, deadline));
  std::erase_if(listed, [&](const FileInfo& one) { return one.name <= after; });
  if (listed.size() > limit) listed.resize(limit);
  return listed;
}

Result<bool> MemoryDocumentStore::exists(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("looking for " + path));
  const std::lock_guard lock(mutex_);
  return documents_.contains(path) || is_folder(path);
}

Status MemoryDocumentStore::move(const std::string& from, const std::string& to, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(from));
  PANDORA_CHECK(check_document_path(to));
  if (within(to, from)) return fail(ErrorCode::kInvalidArgument, to + " is in " + from);
  PANDORA_CHECK(deadline.check("moving " + from));
  const std::lock_guard lock(mutex_);
  if (!documents_.contains(from) && !is_folder(from)) return fail(ErrorCode::kNotFound, "there is no " + from);
  if (documents_.contains(to) || is_folder(to)) return fail(ErrorCode::kConflict, to + " exists");
  PANDORA_CHECK(no_document_above(to));
  rename(from, to);
  return {};
}

Status MemoryDocumentStore::remove(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("removing " + path));
  const std::lock_guard lock(mutex_);
  erase(path);
  return {};
}

Result<std::string> MemoryDocumentStore::quarantine(const std::string& path, const std::string& reason,
                                                    const Deadline& deadline) {
  PANDORA_CHECK(check_quarantine(path));
  PANDORA_CHECK(deadline.check("setting aside " + path));
  const std::lock_guard lock(mutex_);
  if (!documents_.contains(path) && !is_folder(path)) return fail(ErrorCode::kNotFound, "there is no " + path);
  int n = 1;
  while (is_folder(quarantine_folder(path, clock_.now(), n))) ++n;
  const std::string place = quarantine_folder(path, clock_.now(), n);
  rename(path, place + "/" + last_of(path));
  documents_[place + "/reason.txt"] = reason + "\n";
  return place;
}

Status MemoryDocumentStore::sync(const Deadline& deadline) { return deadline.check("syncing documents"); }

}  // namespace pandora
