// SQLite on the disk that forgets: a sqlite3_vfs whose files live in a FaultFileSystem, so that one crash hits the
// journal, the documents and the database alike.
//
// Registered by name for the life of the object: `sqlite3_open_v2(path, &db, flags, vfs.name())`. Locks and the shared
// memory of the write-ahead log are the process's own and go with a crash. Connections must be closed before the object
// goes. Once the machine is dead every call answers SQLITE_IOERR. Thread-safe as the FaultFileSystem is.
#pragma once
#include <memory>
#include <string>

#include "support/fault_file_system.h"

namespace pandora::testing {

class SqliteFaultVfs {
 public:
  SqliteFaultVfs(FaultFileSystem& files, std::string name);
  ~SqliteFaultVfs();
  SqliteFaultVfs(const SqliteFaultVfs&) = delete;
  SqliteFaultVfs& operator=(const SqliteFaultVfs&) = delete;
  const char* name() const;
  // Files that are opened from now on cannot be written, as on a file system that is mounted so.
  void set_read_only(bool read_only);
  // After FaultFileSystem::crash, before the database is opened again: locks and shared memory are gone.
  void forget();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pandora::testing
