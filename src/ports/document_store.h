// Whole documents by path, under panda_system_docs/: the copy of the truth that a person can read.
//
// Paths are relative, "/"-separated, each component [A-Za-z0-9._-], not beginning with '.': "turns/turn_000012". A folder
// or a document is replaced as a whole: a reader sees the old or the new, never a part, also after a crash. kDeferred
// content is on disk after the next `sync`. Thread-safe. Errors as base/file_system.h.
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

class DocumentStore {
 public:
  virtual ~DocumentStore() = default;
  virtual Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                            const Deadline& deadline) = 0;
  virtual Status put(const std::string& path, std::string_view bytes, Durability durability,
                     const Deadline& deadline) = 0;
  virtual Result<std::string> read(const std::string& path, const Deadline& deadline) = 0;
  virtual Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) = 0;  // by name; none: empty
  virtual Result<bool> exists(const std::string& path, const Deadline& deadline) = 0;
  virtual Status move(const std::string& from, const std::string& to, const Deadline& deadline) = 0;  // on disk at once
  // Folder or document; missing is fine; on disk at once.
  virtual Status remove(const std::string& path, const Deadline& deadline) = 0;
  // Moves it to quarantine/<date>-<name>/ with a reason.txt beside it; never deletes. Returns where it is now.
  virtual Result<std::string> quarantine(const std::string& path, const std::string& reason,
                                         const Deadline& deadline) = 0;
  virtual Status sync(const Deadline& deadline) = 0;  // all that was put with kDeferred before this call began
};

// Where things stand.
std::string turn_folder(TurnNumber number);          // turns/turn_000012
std::string archived_turn_folder(TurnNumber number); // archive/turn_000012
std::string memory_path(const Uuid& id);             // memories/<id>.json
std::string research_path(const Uuid& id);           // research/<id>.json
std::string site_knowledge_path(const std::string& domain);  // site_knowledge/<domain>.json
// forgotten/<uid>.json: that a turn or memory was forgotten, without a word of it; nothing brings it back.
std::string tombstone_path(const Uuid& uid);

}  // namespace pandora
