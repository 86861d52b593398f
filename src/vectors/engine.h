// All collections of a directory.
//
// One process owns the directory (a lock). A collection is listed once it is on disk, and is removed from the list
// before its files are; what a crash left of those is removed at the start. Nothing else ever is: a folder that the
// catalogue does not know stays where it is, and is warned of; without a catalogue nothing opens. A thread keeps what
// has changed in parts
// (`Collection::keep`), of whichever collection wants it, and gives memory back to the system. Thread-safe.
#pragma once
#include <shared_mutex>

#include "base/random.h"
#include "vectors/catalogue.h"
#include "vectors/collection.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxCollections = 10'000;

class Engine {
 public:
  // kConflict when another process has it; kDataCorrupt when there are collections, but nothing that names them.
  static Result<std::unique_ptr<Engine>> open(const std::string& directory, FileSystem& files, const Clock& clock,
                                              Random& random);
  ~Engine();

  // By name or alias. 404.
  Outcome<std::shared_ptr<Collection>> find(const std::string& name) const;
  bool exists(const std::string& name) const;
  std::vector<std::string> names() const;
  std::map<std::string, std::shared_ptr<Collection>> collections() const;

  Outcome<void> create(const std::string& name, CollectionParams params);  // 409, 400 when an alias has the name
  Outcome<bool> remove(const std::string& name);                           // false: there was none
  Outcome<void> change_aliases(const std::vector<AliasAction>& actions);   // all or none
  std::map<std::string, std::string> aliases() const;                      // alias → collection

 private:
  Engine(std::string directory, FileSystem& files, const Clock& clock, Random& random, std::unique_ptr<FileLock> lock);
  std::string path_of(const std::string& id) const;
  Status write(const Catalogue& catalogue);
  Result<Catalogue> read_catalogue();
  Status remove_removed();
  void keep_all();

  const std::string directory_;
  FileSystem& files_;
  const Clock& clock_;
  Random& random_;
  std::unique_ptr<FileLock> lock_;
  std::mutex changing_;  // held while catalogue and files change
  mutable std::shared_mutex mutex_;
  Catalogue catalogue_;
  std::map<std::string, std::shared_ptr<Collection>, std::less<>> open_;  // by name
  std::mutex ending_mutex_;
  std::condition_variable ending_changed_;
  bool ending_ = false;
  std::thread keeper_;
};

}  // namespace pandora::qdrant
