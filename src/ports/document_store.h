// Whole documents by path, under panda_system_docs/: the copy of the truth that a person can read.
//
// Paths are relative, "/"-separated, of at most kMaxDocumentPath bytes; each component is 1 to kMaxDocumentName of
// [A-Za-z0-9._-], not beginning with '.': "turns/turn_000012". Folders come with their documents and need not be made;
// one that lost its last may stay.
//
// A folder or a document is replaced, moved and removed as a whole: a reader sees the old or the new, never a part and
// never a gap, also after a crash; nothing is listed that was not put. A failed call leaves the old or the new, and can
// be done again. kDeferred content is on disk after the next `sync`; until then a crash may leave the old, the new, or,
// where nothing was before, a part. Thread-safe.
//
// Errors as base/file_system.h, and kInvalidArgument (a path that is none), kConflict (a document where a folder is
// meant or the other way round), kDeadlineExceeded (also a deadline that had passed before: nothing is done).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/ids.h"
#include "base/result.h"

namespace pandora {

struct Document {
  std::string name;  // "context.md"; may hold one "/" ("webpage_cache/1.html")
  std::string bytes;
};
inline constexpr std::size_t kMaxDocumentBytes = 64 * 1024 * 1024;
inline constexpr std::size_t kMaxDocumentPath = 512;
inline constexpr std::size_t kMaxDocumentName = 255;  // of one component
inline constexpr std::size_t kMaxFolderPath = 200;    // of put_folder
inline constexpr std::size_t kMaxFolderDocuments = 1'000;

class DocumentStore {
 public:
  virtual ~DocumentStore() = default;
  // The folder has these documents and no others. At least one (kInvalidArgument), at most kMaxFolderDocuments
  // (kTooLarge); no name twice, nor as the folder of another (kInvalidArgument).
  virtual Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                            const Deadline& deadline) = 0;
  virtual Status put(const std::string& path, std::string_view bytes, Durability durability,
                     const Deadline& deadline) = 0;
  virtual Result<std::string> read(const std::string& path,
                                   const Deadline& deadline) = 0;  // kNotFound: no document there
  // What is directly in it, by name; nothing when there is no such folder. `size` is said of documents only.
  virtual Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) = 0;
  // Of these the first `limit` names above `after` ("": of all), by their bytes. Holds no more than these: it is how to
  // walk through a folder of any size.
  virtual Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after,
                                                   std::size_t limit, const Deadline& deadline) = 0;
  virtual Result<bool> exists(const std::string& path, const Deadline& deadline) = 0;  // folder or document
  // Folder or document; on disk at once. kNotFound when `from` is missing, kConflict when `to` is there,
  // kInvalidArgument when it is in `from`.
  virtual Status move(const std::string& from, const std::string& to, const Deadline& deadline) = 0;
  // Folder or document; missing is fine; on disk at once.
  virtual Status remove(const std::string& path, const Deadline& deadline) = 0;
  // Moves it to quarantine/<date>-<path with '-' for '/'>-<n>/, beside a reason.txt; never deletes. A path too long for
  // a name is cut there. Returns that folder. kNotFound when it is missing, kInvalidArgument for "quarantine" itself
  // and for what is called reason.txt.
  virtual Result<std::string> quarantine(const std::string& path, const std::string& reason,
                                         const Deadline& deadline) = 0;
  // Counts a folder or document as put with kDeferred: a process that died wrote it, and may not have synced it. A
  // store that defers nothing has nothing to do.
  virtual Status adopt(const std::string&, const Deadline&) { return {}; }
  virtual Status sync(const Deadline& deadline) = 0;  // all that was put with kDeferred before this call began
};

// Where things stand.
std::string turn_folder(TurnNumber number);           // turns/turn_000012
std::string archived_turn_folder(TurnNumber number);  // archive/turn_000012
std::string memory_path(const Uuid& id);              // memories/<id>.json
std::string research_path(const Uuid& id);            // research/<id>.json
// site_knowledge/<domain>.json; of a domain that is too long for a name, its SHA-256.
std::string site_knowledge_path(const std::string& domain);
// forgotten/<uid>.json: that a turn or memory was forgotten, without a word of it; nothing brings it back.
std::string tombstone_path(const Uuid& uid);

}  // namespace pandora
