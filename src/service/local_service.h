// The service in the process that owns the data directory.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "access/key_ring.h"
#include "pipeline/turn_runtime.h"
#include "ports/cache.h"
#include "ports/journal_register.h"
#include "ports/stores.h"
#include "recall/recall.h"
#include "service/approval_desk.h"
#include "service/service.h"
#include "turns/mover.h"
#include "turns/turn_saver.h"

namespace pandora {

// What the operations work with, wired by the composition root; all of it outlives the service.
struct ServiceParts {
  Stores stores;
  PointSpaces& spaces;
  TurnSaver& saver;
  TurnRuntime& runtime;
  Recall& recall;
  FileSystem& files;
  const Clock& clock;
  UuidV7Generator& ids;
  KeyRing& keys;
  std::string journal_directory;
  std::int64_t message_bytes;       // limits.message_bytes
  std::int64_t archive_after_days;  // turns.archive_after_days
  RecallRequest recall_defaults;    // budget, limit and candidates of recall.*
  Duration recall_deadline;
  std::function<Status(const Deadline&)>
      overwrite_deleted;  // empties the databases' logs: after it no deleted byte is left
  // An encoder by its name in the settings; the one that they name now.
  std::function<Result<std::shared_ptr<Embedder>>(const std::string& model)> open_encoder;
  std::string encoder;
  // What `move` reads and writes: rows of the profile "embedded" or "server", and where points go ("embedded",
  // "qdrant"; empty: they stay). kInvalidArgument: everything is there already.
  std::function<Result<std::unique_ptr<MovePlaces>>(const std::string& to, const std::string& points)> open_move;
  ApprovalDesk* approvals = nullptr;                  // null: no tool waits for an approval here
  JournalRegister* journals = nullptr;                // null: nobody shares the rows
  std::string journal_id = {};                        // of this process's, there
  Cache* cache = nullptr;                             // null: there is none
  std::function<std::string()> rows_unwritable = {};  // why the server of the rows writes nothing; empty: it does
};

std::unique_ptr<Service> make_local_service(ServiceParts parts);

}  // namespace pandora
