// A SQLite file with one writer thread and a few readers.
//
// Writes are jobs. The writer takes what waits, runs each in a savepoint of its own inside one transaction, and commits
// once: one sync for all of them (docs/adr/0003). A job that fails is rolled back alone. `write` returns after the
// commit: what succeeded is on disk. Reads run on the caller's thread, each on one snapshot. Thread-safe.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "sql/migrations.h"
#include "sqlite/connection.h"

namespace pandora {

inline constexpr std::size_t kMaxQueuedWrites = 1'024;  // each is a thread that waits
inline constexpr std::size_t kMaxBatchedWrites = 256;
inline constexpr std::size_t kMaxReaders = 8;  // idle ones that are kept

// A look at the structure reads the whole file, some 2 GB a second. Of one that is larger than this it may be done
// beside other work: what it finds is logged, and fails every read and write from then on. It ends with the database,
// finished or not. A file whose schema is about to change is looked at before.
inline constexpr std::int64_t kCheckedAtOpenBytes = std::int64_t{64} << 20;
enum class IntegrityCheck {
  kThorough,  // at once, and each index against the rows that it is of: what finds nothing is as bad as what is torn
  kAtOpen,
  kBesideWhenLarge
};

class SqliteDatabase {
 public:
  // Opens or creates, checks, migrates to what schemas/<schema>/ has. kDataCorrupt, kIncompatible (newer schema, edited
  // migration), kPermissionDenied, kStorageFull: each with its remedy. `page_bytes`: as Connection::open.
  static Result<std::unique_ptr<SqliteDatabase>> open(const std::string& path, const std::string& schema,
                                                      const std::string& vfs, const Clock& clock,
                                                      IntegrityCheck check = IntegrityCheck::kAtOpen,
                                                      int page_bytes = 0);
  bool checked() const { return checked_; }  // or the check has ended
  Status fault() const;                      // kDataCorrupt once the check has found damage
  ~SqliteDatabase();                         // waits for the jobs that were accepted

  using Job = std::function<Status(Connection&)>;
  // kResourceExhausted when too many wait; kDeadlineExceeded when its turn comes too late (it then did not run).
  Status write(const Job& job, const Deadline& deadline);
  // The same for a job that gives a value.
  template <class Function>
  auto write_for(Function&& function, const Deadline& deadline) -> std::invoke_result_t<Function, Connection&> {
    std::invoke_result_t<Function, Connection&> result = fail(ErrorCode::kInternal, "the job did not run");
    PANDORA_CHECK(write(
                      [&](Connection& connection) -> Status {
                        result = function(connection);
                        if (!result) return fail(result.error());
                        return {};
                      },
                      deadline)
                      .map_error([this](Error error) { return explained(std::move(error)); }));
    return result;
  }
  template <class Function>
  auto read(Function&& function, const Deadline& deadline) -> std::invoke_result_t<Function, Connection&> {
    PANDORA_CHECK(deadline.check("reading " + path_));
    PANDORA_CHECK(fault());
    PANDORA_TRY(connection, take_reader());
    connection->set_deadline(deadline);
    PANDORA_CHECK(connection->run("BEGIN"));  // all that the function asks is of one snapshot
    auto result = function(*connection);
    connection->set_deadline(Deadline::never());
    if (!connection->in_transaction() || connection->run("ROLLBACK")) give_reader(std::move(connection));
    if (!result) return fail(explained(std::move(result).error()));
    return result;
  }
  // Empties the write-ahead log into the file, so that overwritten bytes are gone from both.
  Status checkpoint(const Deadline& deadline);
  // A compact copy of what is committed, without deleted bytes, in a new file.
  Status copy_to(const std::string& path, const Deadline& deadline);
  std::size_t waiting();  // jobs that the writer has not taken yet
  const std::string& path() const { return path_; }

 private:
  SqliteDatabase(std::string path, std::string vfs, std::unique_ptr<Connection> writer);
  struct Pending {
    const Job* job;
    const Deadline* deadline;
    std::promise<Status> done;
  };
  Status begin_check();
  Error explained(Error error) const;  // a row that does not parse: which file, and the remedy
  void write_loop();
  void run_batch(std::vector<std::unique_ptr<Pending>> batch);
  Result<std::unique_ptr<Connection>> take_reader();
  void give_reader(std::unique_ptr<Connection> connection);

  const std::string path_, vfs_;
  std::unique_ptr<Connection> writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Pending>> queue_;
  bool stopping_ = false;
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::unique_ptr<Connection> checker_;
  std::atomic<bool> checked_ = true, has_fault_ = false, ending_ = false;
  std::optional<Error> fault_;  // once has_fault_
  std::future<void> checking_;
  std::thread thread_;
};

}  // namespace pandora
