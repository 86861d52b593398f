#include "support/sqlite_fault_vfs.h"

#include <array>
#include <atomic>
#include <cstring>
#include <new>

#include <sqlite3.h>

namespace pandora::testing {
namespace {

// What the connections to one database share in this process.
struct Shared {
  std::recursive_mutex mutex;
  int shared = 0;  // holders of SHARED or more
  const void* reserved = nullptr;
  const void* pending = nullptr;
  const void* exclusive = nullptr;
  std::vector<std::unique_ptr<char[]>> regions;
  std::array<int, SQLITE_SHM_NLOCK> readers{};
  std::array<const void*, SQLITE_SHM_NLOCK> writers{};
};

}  // namespace

struct SqliteFaultVfs::State {
  FaultFileSystem& files;
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* system = nullptr;  // time, sleep and randomness
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Shared>> shared;
  std::uint64_t temporaries = 0;
  std::atomic<bool> read_only = false;

  State(FaultFileSystem& f, std::string n) : files(f), name(std::move(n)) {}
  std::shared_ptr<Shared> shared_of(const std::string& path) {
    const std::lock_guard guard(mutex);
    auto& slot = shared[path];
    if (!slot) slot = std::make_shared<Shared>();
    return slot;
  }
};

namespace {

struct Handle {
  std::unique_ptr<FaultFile> file;
  FaultFileSystem* files;
  std::shared_ptr<Shared> shared;
  std::string delete_on_close;
  int lock = SQLITE_LOCK_NONE;
  std::array<bool, SQLITE_SHM_NLOCK> reads{}, writes{};
};
struct SqliteFile {  // begins as sqlite3_file does
  sqlite3_file base;
  Handle* handle;
};

Handle& of(sqlite3_file* file) { return *reinterpret_cast<SqliteFile*>(file)->handle; }
int code_of(const Status& status, int otherwise) {
  if (status) return SQLITE_OK;
  return status.error().code == ErrorCode::kStorageFull ? SQLITE_FULL : otherwise;
}

int unlock(sqlite3_file* file, int level) {
  Handle& handle = of(file);
  Shared& shared = *handle.shared;
  const std::lock_guard guard(shared.mutex);
  if (level >= handle.lock) return SQLITE_OK;
  for (const void** owner : {&shared.exclusive, &shared.pending, &shared.reserved})
    if (*owner == &handle) *owner = nullptr;
  if (level == SQLITE_LOCK_NONE) --shared.shared;
  handle.lock = level;
  return SQLITE_OK;
}

int lock(sqlite3_file* file, int level) {
  Handle& handle = of(file);
  Shared& shared = *handle.shared;
  const std::lock_guard guard(shared.mutex);
  if (level <= handle.lock) return SQLITE_OK;
  const auto other = [&](const void* owner) { return owner != nullptr && owner != &handle; };
  if (other(shared.exclusive) || other(shared.pending)) return SQLITE_BUSY;
  if (handle.lock == SQLITE_LOCK_NONE) {
    ++shared.shared;
    handle.lock = SQLITE_LOCK_SHARED;
  }
  if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
  if (other(shared.reserved)) return SQLITE_BUSY;
  shared.reserved = &handle;
  handle.lock = SQLITE_LOCK_RESERVED;
  if (level == SQLITE_LOCK_RESERVED) return SQLITE_OK;
  shared.pending = &handle;
  handle.lock = SQLITE_LOCK_PENDING;
  if (shared.shared > 1) return SQLITE_BUSY;
  shared.exclusive = &handle;
  handle.lock = SQLITE_LOCK_EXCLUSIVE;
  return SQLITE_OK;
}

int check_reserved(sqlite3_file* file, int* out) {
  const std::lock_guard guard(of(file).shared->mutex);
  *out = of(file).shared->reserved != nullptr;
  return SQLITE_OK;
}

int shm_unmap(sqlite3_file* file, int) {
  Handle& handle = of(file);
  const std::lock_guard guard(handle.shared->mutex);
  for (std::size_t i = 0; i < SQLITE_SHM_NLOCK; ++i) {
    if (handle.reads[i]) --handle.shared->readers[i];
    if (handle.writes[i]) handle.shared->writers[i] = nullptr;
    handle.reads[i] = handle.writes[i] = false;
  }
  return SQLITE_OK;
}

int close(sqlite3_file* file) {
  Handle* handle = &of(file);
  if (handle->shared) {
    shm_unmap(file, 0);
    unlock(file, SQLITE_LOCK_NONE);
  }
  if (!handle->delete_on_close.empty()) static_cast<void>(handle->files->remove_file(handle->delete_on_close));
  delete handle;
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) {
  const auto bytes = of(file).file->read_at(static_cast<std::uint64_t>(offset), static_cast<std::size_t>(amount));
  if (!bytes) return SQLITE_IOERR_READ;
  std::memcpy(out, bytes->data(), bytes->size());
  if (bytes->size() == static_cast<std::size_t>(amount)) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + bytes->size(), 0, static_cast<std::size_t>(amount) - bytes->size());
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
  const std::string_view bytes(static_cast<const char*>(data), static_cast<std::size_t>(amount));
  return code_of(of(file).file->write_at(static_cast<std::uint64_t>(offset), bytes), SQLITE_IOERR_WRITE);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return code_of(of(file).file->truncate(static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int sync(sqlite3_file* file, int) { return code_of(of(file).file->sync(), SQLITE_IOERR_FSYNC); }

int file_size(sqlite3_file* file, sqlite3_int64* out) {
  const auto size = of(file).file->size();
  if (!size) return SQLITE_IOERR_FSTAT;
  *out = static_cast<sqlite3_int64>(*size);
  return SQLITE_OK;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  Shared& shared = *of(file).shared;
  const std::lock_guard guard(shared.mutex);
  const auto index = static_cast<std::size_t>(region);
  *out = nullptr;
  if (index >= shared.regions.size() && !extend) return SQLITE_OK;
  while (shared.regions.size() <= index)
    shared.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
  *out = shared.regions[index].get();
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  Handle& handle = of(file);
  Shared& shared = *handle.shared;
  const std::lock_guard guard(shared.mutex);
  const auto first = static_cast<std::size_t>(offset), last = first + static_cast<std::size_t>(count);
  for (std::size_t i = first; i < last && (flags & SQLITE_SHM_LOCK); ++i) {
    if (shared.writers[i] != nullptr && shared.writers[i] != &handle) return SQLITE_BUSY;
    if ((flags & SQLITE_SHM_EXCLUSIVE) && shared.readers[i] - (handle.reads[i] ? 1 : 0) > 0) return SQLITE_BUSY;
  }
  for (std::size_t i = first; i < last; ++i) {
    if (flags & SQLITE_SHM_SHARED) {
      const bool want = flags & SQLITE_SHM_LOCK;
      if (want != handle.reads[i]) shared.readers[i] += want ? 1 : -1;
      handle.reads[i] = want;
    } else {
      handle.writes[i] = flags & SQLITE_SHM_LOCK;
      shared.writers[i] = handle.writes[i] ? &handle : nullptr;
    }
  }
  return SQLITE_OK;
}

void shm_barrier(sqlite3_file* file) { const std::lock_guard guard(of(file).shared->mutex); }

constexpr int kSectorSize = 4096;
const sqlite3_io_methods kMethods = {
    2,
    close,
    read,
    write,
    truncate,
    sync,
    file_size,
    lock,
    unlock,
    check_reserved,
    [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
    [](sqlite3_file*) { return kSectorSize; },
    [](sqlite3_file*) { return 0; },  // promises nothing: no atomic writes, no safe append
    shm_map,
    shm_lock,
    shm_barrier,
    shm_unmap,
    nullptr,
    nullptr};

template <class State>
int open_file(State& state, const char* given, sqlite3_file* out, int flags, int* out_flags) {
  out->pMethods = nullptr;
  const std::string path = given ? given : "/sqlite-temporary-" + std::to_string(state.temporaries++);
  auto file = state.files.open_positional(path, !given || (flags & SQLITE_OPEN_CREATE));
  if (!file) return SQLITE_CANTOPEN;
  auto* handle = new Handle{std::move(*file), &state.files, state.shared_of(path), {}, SQLITE_LOCK_NONE, {}, {}};
  if (!given || (flags & SQLITE_OPEN_DELETEONCLOSE)) handle->delete_on_close = path;
  reinterpret_cast<SqliteFile*>(out)->handle = handle;
  out->pMethods = &kMethods;
  // As the system's own does: what cannot be opened for writing is opened for reading, and SQLite is told.
  if (out_flags) *out_flags = state.read_only ? (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY : flags;
  return SQLITE_OK;
}
}  // namespace

SqliteFaultVfs::SqliteFaultVfs(FaultFileSystem& files, std::string name)
    : state_(std::make_unique<State>(files, std::move(name))) {
  sqlite3_vfs& vfs = state_->vfs;
  state_->system = sqlite3_vfs_find(nullptr);
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(SqliteFile);
  vfs.mxPathname = 1024;
  vfs.zName = state_->name.c_str();
  vfs.pAppData = state_.get();
  vfs.xOpen = [](sqlite3_vfs* self, const char* path, sqlite3_file* file, int flags, int* out) {
    return open_file(*static_cast<State*>(self->pAppData), path, file, flags, out);
  };
  vfs.xDelete = [](sqlite3_vfs* self, const char* path, int sync_directory) -> int {
    FaultFileSystem& disk = static_cast<State*>(self->pAppData)->files;
    const Status removed = disk.remove_file(path);
    if (!removed) return removed.error().code == ErrorCode::kNotFound ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
    const std::string_view text(path);
    const auto slash = text.rfind('/');
    const std::string parent = slash == 0 ? "/" : std::string(text.substr(0, slash));
    return sync_directory ? code_of(disk.sync_directory(parent), SQLITE_IOERR_DIR_FSYNC) : SQLITE_OK;
  };
  vfs.xAccess = [](sqlite3_vfs* self, const char* path, int, int* out) -> int {
    const auto info = static_cast<State*>(self->pAppData)->files.info(path);
    if (!info && info.error().code != ErrorCode::kNotFound) return SQLITE_IOERR_ACCESS;
    *out = info.has_value();
    return SQLITE_OK;
  };
  vfs.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) -> int {
    sqlite3_snprintf(size, out, "%s%s", path[0] == '/' ? "" : "/", path);
    return SQLITE_OK;
  };
  vfs.xRandomness = [](sqlite3_vfs* self, int size, char* out) {
    sqlite3_vfs* system = static_cast<State*>(self->pAppData)->system;
    return system->xRandomness(system, size, out);
  };
  vfs.xSleep = [](sqlite3_vfs* self, int micros) {
    sqlite3_vfs* system = static_cast<State*>(self->pAppData)->system;
    return system->xSleep(system, micros);
  };
  vfs.xCurrentTime = [](sqlite3_vfs* self, double* out) {
    sqlite3_vfs* system = static_cast<State*>(self->pAppData)->system;
    return system->xCurrentTime(system, out);
  };
  vfs.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
  vfs.xCurrentTimeInt64 = [](sqlite3_vfs* self, sqlite3_int64* out) {
    sqlite3_vfs* system = static_cast<State*>(self->pAppData)->system;
    return system->xCurrentTimeInt64(system, out);
  };
  sqlite3_vfs_register(&vfs, 0);
}

SqliteFaultVfs::~SqliteFaultVfs() { sqlite3_vfs_unregister(&state_->vfs); }
const char* SqliteFaultVfs::name() const { return state_->name.c_str(); }
void SqliteFaultVfs::set_read_only(bool read_only) { state_->read_only = read_only; }
void SqliteFaultVfs::forget() {
  const std::lock_guard guard(state_->mutex);
  state_->shared.clear();
}

}  // namespace pandora::testing
