#include "turns/set_aside.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {

Result<bool> is_there(DocumentStore& documents, const std::string& path, std::string_view bytes,
                      const Deadline& deadline) {
  std::string named = "-" + path + "-";
  std::ranges::replace(named, '/', '-');
  PANDORA_TRY(folders, documents.list("quarantine", deadline));
  for (const auto& folder : folders) {
    if (folder.name.find(named) == std::string::npos) continue;
    const auto there =
        documents.read(fmt::format("quarantine/{}/{}", folder.name, path.substr(path.rfind('/') + 1)), deadline);
    if (there && *there == bytes) return true;
  }
  return false;
}

}  // namespace

Status set_aside(DocumentStore& documents, const std::string& name, std::string_view bytes, const std::string& reason,
                 const Deadline& deadline) {
  const std::string path = "set_aside/" + name;
  PANDORA_TRY(known, is_there(documents, path, bytes, deadline));
  if (known) return {};
  log_warn("journal.quarantined", {{"what", name}, {"reason", reason}});
  PANDORA_CHECK(documents.put(path, bytes, Durability::kNow, deadline));
  return documents.quarantine(path, reason, deadline).map([](auto&&) {});
}

}  // namespace pandora
