#include "store_server/s3_document_store.h"

#include <algorithm>

#include <fmt/format.h>

#include "ports/document_checks.h"

namespace pandora {
namespace {

constexpr const char* kDocumentType = "application/octet-stream";
constexpr const char* kFolderType = "text/plain";  // as far as it can be read by a person
constexpr int kMaxChanges = 32;                    // of others, while one of ours waits its turn
constexpr int kMaxSetAside = 10'000;               // of one path in a day

bool within(std::string_view path, std::string_view folder) {
  return folder.empty() || (path.size() > folder.size() + 1 && path.starts_with(folder) && path[folder.size()] == '/');
}
std::string below(const std::string& path, const std::string& folder) {
  return folder.empty() ? path : path.substr(folder.size() + 1);
}
std::string joined(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : name.empty() ? folder : folder + "/" + name;
}
std::string last_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

tl::unexpected<Error> is_document(const std::string& path) {
  return fail(ErrorCode::kConflict, path + " is a document");
}
tl::unexpected<Error> is_folder(const std::string& path) { return fail(ErrorCode::kConflict, path + " is a folder"); }

// That `path` may be written in the folder: nothing above it is a document.
Status check_above(const FolderBundle& folder, const std::string& path) {
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (folder.contains(path.substr(0, slash))) return is_document(path.substr(0, slash));
  return {};
}

}  // namespace

S3DocumentStore::Place S3DocumentStore::place_of(const std::string& path) {
  const auto first = path.find('/');
  if (first == std::string::npos) return {};
  const auto second = path.find('/', first + 1);
  if (second == std::string::npos) return {path, ""};
  return {path.substr(0, second), path.substr(second + 1)};
}

Result<std::optional<S3DocumentStore::Kept>> S3DocumentStore::folder(const std::string& object,
                                                                     const Deadline& deadline) {
  auto found = bucket_->get(folder_key(object), deadline);
  if (!found && found.error().code == ErrorCode::kNotFound) return std::optional<Kept>();
  if (!found) return fail(std::move(found).error());
  auto documents = decode_bundle(found->bytes);
  if (!documents) return fail(std::move(documents).error().with_context(object));
  return std::optional(Kept{*std::move(documents), std::move(found->tag)});
}

Result<bool> S3DocumentStore::has(const std::string& key, const Deadline& deadline) {
  const auto found = bucket_->head(key, deadline);
  if (!found && found.error().code != ErrorCode::kNotFound) return fail(found.error());
  return found.has_value();
}

// Again from what is there when somebody else was quicker.
Status S3DocumentStore::change(const std::string& object, const std::function<Status(FolderBundle&)>& edit,
                               const Deadline& deadline) {
  for (int attempt = 0; attempt < kMaxChanges; ++attempt) {
    PANDORA_CHECK(deadline.check("changing " + object));
    PANDORA_TRY(kept, folder(object, deadline));
    FolderBundle documents = kept ? std::move(kept->documents) : FolderBundle();
    PANDORA_CHECK(edit(documents));
    if (documents.size() > kMaxBundledDocuments)
      return fail(ErrorCode::kTooLarge, fmt::format("{} documents in {}", documents.size(), object));
    const std::string bytes = encode_bundle(documents);
    const auto written = kept ? bucket_->replace(folder_key(object), bytes, kFolderType, kept->tag, deadline)
                              : bucket_->put(folder_key(object), bytes, kFolderType, S3When::kNew, deadline);
    if (written) return {};
    // Gone meanwhile is changed meanwhile.
    if (written.error().code != ErrorCode::kConflict && written.error().code != ErrorCode::kNotFound)
      return fail(written.error());
  }
  return fail(ErrorCode::kUnavailable, object + " is changed all the time by others", "try again");
}

Status S3DocumentStore::put_folder(const std::string& path, const std::vector<Document>& documents, Durability,
                                   const Deadline& deadline) {
  PANDORA_CHECK(check_folder(path, documents));
  PANDORA_CHECK(deadline.check("writing " + path));
  Thing thing;
  for (const auto& document : documents) thing.documents[document.name] = document.bytes;
  return store(path, thing, deadline);
}

Status S3DocumentStore::put(const std::string& path, std::string_view bytes, Durability, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(check_document_size(path, bytes.size()));
  PANDORA_CHECK(deadline.check("writing " + path));
  return store(path, {true, {{"", std::string(bytes)}}}, deadline);
}

Status S3DocumentStore::store(const std::string& path, const Thing& thing, const Deadline& deadline) {
  const Place place = place_of(path);
  if (place.object.empty())
    return thing.is_document ? Status(is_folder(path))
                             : Status(fail(ErrorCode::kInvalidArgument, path + " cannot be replaced as a whole in S3"));
  const bool whole = place.within.empty();
  PANDORA_TRY(other, has(whole && thing.is_document ? folder_key(place.object) : document_key(place.object), deadline));
  if (other) return whole && thing.is_document ? is_folder(place.object) : is_document(place.object);
  if (whole && thing.is_document)
    return bucket_->put(document_key(place.object), thing.documents.at(""), kDocumentType, S3When::kAlways, deadline)
        .map([](auto&&) {});
  if (whole)
    return bucket_
        ->put(folder_key(place.object), encode_bundle(thing.documents), kFolderType, S3When::kAlways, deadline)
        .map([](auto&&) {});
  return change(
      place.object,
      [&](FolderBundle& folder) -> Status {
        PANDORA_CHECK(check_above(folder, place.within));
        const bool has_below =
            std::ranges::any_of(folder, [&](const auto& one) { return within(one.first, place.within); });
        if (thing.is_document && has_below) return is_folder(path);
        if (!thing.is_document && folder.contains(place.within)) return is_document(path);
        std::erase_if(folder, [&](const auto& one) { return within(one.first, place.within); });
        for (const auto& [name, bytes] : thing.documents) folder[joined(place.within, name)] = bytes;
        return {};
      },
      deadline);
}

Result<std::optional<S3DocumentStore::Thing>> S3DocumentStore::find(const std::string& path, const Deadline& deadline) {
  const Place place = place_of(path);
  if (place.within.empty()) {
    auto document = bucket_->get(document_key(place.object), deadline);
    if (document) return std::optional(Thing{true, {{"", std::move(document->bytes)}}});
    if (document.error().code != ErrorCode::kNotFound) return fail(std::move(document).error());
  }
  PANDORA_TRY(kept, folder(place.object, deadline));
  if (!kept) return std::optional<Thing>();
  if (const auto document = kept->documents.find(place.within); document != kept->documents.end())
    return std::optional(Thing{true, {{"", std::move(document->second)}}});
  Thing found;
  for (auto& [name, bytes] : kept->documents)
    if (within(name, place.within)) found.documents[below(name, place.within)] = std::move(bytes);
  if (found.documents.empty() && !place.within.empty()) return std::optional<Thing>();
  return std::optional(std::move(found));
}

Result<std::string> S3DocumentStore::read(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("reading " + path));
  const auto missing = [&] { return fail(ErrorCode::kNotFound, "there is no document " + path); };
  const Place place = place_of(path);
  if (place.object.empty()) return missing();
  if (place.within.empty()) {
    auto found = bucket_->get(document_key(place.object), deadline);
    if (found) return std::move(found->bytes);
    if (found.error().code == ErrorCode::kNotFound) return missing();
    return fail(std::move(found).error());
  }
  PANDORA_TRY(kept, folder(place.object, deadline));
  if (!kept) return missing();
  const auto document = kept->documents.find(place.within);
  if (document == kept->documents.end()) return missing();
  return std::move(document->second);
}

Result<std::vector<FileInfo>> S3DocumentStore::list_objects(const std::string& area, const std::string& after,
                                                            std::size_t limit, const Deadline& deadline) {
  std::vector<FileInfo> listed;
  for (const bool folders : {false, true}) {
    const std::string prefix = (folders ? folder_key(area) : document_key(area)) + "/";
    S3Bucket::Listing asked{.prefix = prefix, .after = after.empty() ? "" : prefix + after};
    for (std::size_t left = limit; left > 0;) {
      asked.limit = left;
      PANDORA_TRY(page, bucket_->list(asked, deadline));
      for (const auto& object : page.objects)
        listed.push_back({object.key.substr(prefix.size()), folders, folders ? 0 : object.size});
      left -= std::min(left, page.objects.size());
      if (page.next.empty()) break;
      asked.next = page.next;
    }
  }
  std::ranges::sort(listed, {}, &FileInfo::name);
  if (listed.size() > limit) listed.resize(limit);
  return listed;
}

Result<std::vector<FileInfo>> S3DocumentStore::list(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("listing " + path));
  const Place place = place_of(path);
  if (place.object.empty()) return list_objects(path, "", SIZE_MAX, deadline);
  PANDORA_TRY(kept, folder(place.object, deadline));
  std::map<std::string, FileInfo> entries;
  if (kept)
    for (const auto& [name, bytes] : kept->documents) {
      if (!within(name, place.within)) continue;
      const std::string rest = below(name, place.within);
      const std::string entry = rest.substr(0, rest.find('/'));
      entries[entry] = entry == rest ? FileInfo{entry, false, bytes.size()} : FileInfo{entry, true, 0};
    }
  std::vector<FileInfo> listed;
  for (auto& [name, entry] : entries) listed.push_back(std::move(entry));
  return listed;
}

Result<std::vector<FileInfo>> S3DocumentStore::list_after(const std::string& path, const std::string& after,
                                                          std::size_t limit, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("listing " + path));
  if (place_of(path).object.empty()) return list_objects(path, after, limit, deadline);
  PANDORA_TRY(listed, list(path, deadline));  // one object
  std::erase_if(listed, [&](const FileInfo& one) { return one.name <= after; });
  if (listed.size() > limit) listed.resize(limit);
  return listed;
}

Result<bool> S3DocumentStore::exists(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("looking for " + path));
  const Place place = place_of(path);
  if (place.object.empty()) {
    for (const std::string& prefix : {document_key(path) + "/", folder_key(path) + "/"}) {
      PANDORA_TRY(page, bucket_->list({.prefix = prefix, .limit = 1}, deadline));
      if (!page.objects.empty()) return true;
    }
    return false;
  }
  if (place.within.empty()) {
    PANDORA_TRY(document, has(document_key(place.object), deadline));
    if (document) return true;
    return has(folder_key(place.object), deadline);
  }
  PANDORA_TRY(found, find(path, deadline));
  return found.has_value();
}

Status S3DocumentStore::move(const std::string& from, const std::string& to, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(from));
  PANDORA_CHECK(check_document_path(to));
  if (to.starts_with(from + "/")) return fail(ErrorCode::kInvalidArgument, to + " is in " + from);
  PANDORA_CHECK(deadline.check("moving " + from));
  if (place_of(from).object.empty() || place_of(to).object.empty())
    return fail(ErrorCode::kInvalidArgument, from + " cannot be moved as a whole in S3");
  PANDORA_TRY(thing, find(from, deadline));
  if (!thing) return fail(ErrorCode::kNotFound, "there is no " + from);
  PANDORA_TRY(there, find(to, deadline));
  // The same already: this move began before, and did not end.
  if (there && (from == to || *there != *thing)) return fail(ErrorCode::kConflict, to + " exists");
  if (!there) PANDORA_CHECK(store(to, *thing, deadline));
  return remove(from, deadline);
}

Status S3DocumentStore::remove(const std::string& path, const Deadline& deadline) {
  PANDORA_CHECK(check_document_path(path));
  PANDORA_CHECK(deadline.check("removing " + path));
  const Place place = place_of(path);
  if (place.object.empty()) {
    PANDORA_TRY(all, list_objects(path, "", SIZE_MAX, deadline));
    for (const auto& entry : all) PANDORA_CHECK(remove(path + "/" + entry.name, deadline));
    return {};
  }
  if (place.within.empty()) {
    PANDORA_CHECK(bucket_->remove(document_key(place.object), deadline));
    return bucket_->remove(folder_key(place.object), deadline);
  }
  PANDORA_TRY(there, find(path, deadline));
  if (!there) return {};
  return change(
      place.object,
      [&](FolderBundle& folder) -> Status {
        folder.erase(place.within);
        std::erase_if(folder, [&](const auto& one) { return within(one.first, place.within); });
        return {};
      },
      deadline);
}

Result<std::string> S3DocumentStore::quarantine(const std::string& path, const std::string& reason,
                                                const Deadline& deadline) {
  PANDORA_CHECK(check_quarantine(path));
  PANDORA_CHECK(deadline.check("setting aside " + path));
  const Place from = place_of(path);
  if (from.object.empty()) return fail(ErrorCode::kInvalidArgument, path + " cannot be set aside as a whole in S3");
  FolderBundle kept = {{"reason.txt", reason + "\n"}};
  auto thing = find(path, deadline);
  if (!thing && thing.error().code == ErrorCode::kDataCorrupt && from.within.empty()) {
    PANDORA_TRY(torn, bucket_->get(folder_key(from.object), deadline));  // as it is: nobody can tell its documents
    kept[last_of(path)] = std::move(torn.bytes);
  } else {
    if (!thing) return fail(std::move(thing).error());
    if (!*thing) return fail(ErrorCode::kNotFound, "there is no " + path);
    for (auto& [name, bytes] : (*thing)->documents) kept[joined(last_of(path), name)] = std::move(bytes);
  }
  const std::string bytes = encode_bundle(kept);
  for (int n = 1; n <= kMaxSetAside; ++n) {
    const std::string place = quarantine_folder(path, clock_.now(), n);
    const auto written = bucket_->put(folder_key(place), bytes, kFolderType, S3When::kNew, deadline);
    if (!written && written.error().code == ErrorCode::kConflict) continue;
    if (!written) return fail(written.error());
    PANDORA_CHECK(remove(path, deadline));
    return place;
  }
  return fail(ErrorCode::kResourceExhausted, path + " was set aside too often today");
}

Status S3DocumentStore::sync(const Deadline& deadline) { return deadline.check("syncing documents"); }

}  // namespace pandora
