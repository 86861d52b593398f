// Writes a part's file from parts that lie one behind the other. Internal to vecdb.
#pragma once
#include <memory>

#include "base/file_system.h"
#include "vecdb/block_file.h"
#include "vecdb/index_part.h"

namespace pandora {

struct PartSource {
  std::shared_ptr<const IndexPart> part;
  std::vector<std::optional<CodeTable::Copy>> codes;  // by dense vector; none: the part's file has them
};

struct PartContent {
  std::vector<PartSource> sources;  // by slot; nothing of them changes meanwhile
  Slot first = 0;
  std::uint32_t slots = 0;                // a multiple of 64
  SlotSet live;                           // of all else no byte is written
  std::vector<std::uint64_t> centred_at;  // of the codes, by dense vector
};

// Synced; its name is not. kDataCorrupt when a source is.
Result<PartName> write_part(FileSystem& files, const std::string& path, std::uint64_t number, const IndexShape& shape,
                            const PartContent& content);

}  // namespace pandora
