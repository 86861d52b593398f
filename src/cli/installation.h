// The composition root: everything behind a data directory, wired.
//
// One process owns a data directory (a lock). `open` owns it, or, when another process does, reaches that one over its
// socket; a caller cannot tell. While this process owns it, others reach it over <data>/pandora.sock.
#pragma once
#include <memory>
#include <string>

#include "access/key_ring.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/random.h"
#include "cli/storage/storage.h"
#include "cli/toolbox.h"
#include "metrics/metrics.h"
#include "models/model_directory.h"
#include "net/io_threads.h"
#include "pipeline/turn_runtime.h"
#include "ports/cache.h"
#include "ports/point_space.h"
#include "service/service.h"

namespace pandora {

struct OpenOptions {
  Damage damage = Damage::kReport;
  bool thorough = false;  // looks at every page and row of the databases, however many, before it returns
  // The owner's encoder keeps its vectors there and takes them from there (embed/vector_cache.h), and another owner is
  // kConflict; empty: it does not.
  std::string vectors_file;
  ToolPlace tools = ToolPlace::kHere;
  // Opens also while the server of the rows is away: turns wait in the journal, and the rest is made up for when it is
  // back.
  bool without_rows = false;
};

// What a server works with, besides the service; lives as long as its installation.
struct ServingParts {
  TurnRuntime& runtime;
  ChatModel* model = nullptr;           // null: none is configured
  ModelDirectory* directory = nullptr;  // null with it
  PointSpaces& spaces;
  IoThreads& threads;
  HttpClient& client;
  UuidV7Generator& ids;
  Random& random;
  const Clock& clock;
  KeyRing& keys;
  Cache& cache;
  TurnBoard& board;
  Metrics& metrics;
  ToolRunner* runner = nullptr;   // of the tools; null: they are switched off
  ToolRegistry* tools = nullptr;  // null: they are switched off, or run elsewhere
};

class Installation {
 public:
  // Errors carry their remedy: an unreadable, read-only or full disk, a damaged database, a newer schema. Data that
  // another encoder made goes on with that one, which is logged (`pandora reindex` moves over).
  static Result<std::unique_ptr<Installation>> open(const Config& config, const OpenOptions& options = {});
  virtual ~Installation() = default;  // lets the lock go last
  virtual Service& service() = 0;
  virtual bool is_owner() const = 0;  // false: another process is
  // kConflict: another process owns the data directory.
  virtual Result<ServingParts> serving() = 0;
};

}  // namespace pandora
