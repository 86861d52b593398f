#include "turns/reconciled_objects.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "turns/turn_objects.h"

namespace pandora {
namespace {

constexpr const char* kLost = "nothing is done: import an export that holds it, or forget the turn";

}  // namespace

Status ReconciledObjects::run(bool any_named) {
  for (std::string after;;) {
    Page page;
    std::string last = after;
    while (page.size() < pages_.objects) {
      const std::size_t most = std::min(kMaxObjectList, pages_.objects - page.size());
      PANDORA_TRY(some, stores_.objects.list(last, most, deadline_));
      if (some.empty()) break;
      last = some.back().key;
      for (auto& object : some) page.emplace(object.key, object);
    }
    const bool is_last = page.size() < pages_.objects;
    found_.report().objects += static_cast<std::int64_t>(page.size());
    if (any_named) PANDORA_CHECK(take_named(page, after, is_last ? std::nullopt : std::optional(last)));
    PANDORA_CHECK(remove_unnamed(page));
    PANDORA_CHECK(found_.progress("objects", found_.report().objects));
    if (is_last) return {};
    after = last;
  }
}

// Looks at each object above `after`, up to and with `through`, that a row names, and takes it out of the page. Of lost
// ones as many are told as a page holds.
Status ReconciledObjects::take_named(Page& page, const std::string& after, const std::optional<std::string>& through) {
  std::set<std::string> seen;
  const std::size_t most = page.size() + pages_.objects;
  for (TurnNumber row;;) {
    PANDORA_TRY(turns, stores_.turns.scan(row, pages_.rows, Principal::system(), deadline_));
    if (turns.empty()) return {};
    row = turns.back().number;
    for (const auto& turn : turns)
      for (const auto& object : turn.objects) {
        if (object.key <= after || (through && object.key > *through) || seen.contains(object.key)) continue;
        const bool is_there = page.erase(object.key) > 0;
        if (!is_there && seen.size() == most) continue;
        seen.insert(object.key);
        const std::string what =
            fmt::format("turn {}: {} of {} bytes, {}", turn.number.value, object.media_type, object.size, object.key);
        if (is_there)
          PANDORA_CHECK(look_at(object.key, what));
        else
          found_.differs("turn without its object", what, kLost);
      }
    PANDORA_CHECK(found_.progress("objects", found_.report().objects));
  }
}

// Bytes that are lost nobody can make again; an export that holds them can bring them back.
Status ReconciledObjects::look_at(const std::string& key, const std::string& what) {
  const auto bytes = stores_.objects.get(key, deadline_);
  if (bytes || bytes.error().code == ErrorCode::kNotFound) return {};  // it went while we looked
  if (bytes.error().code != ErrorCode::kDataCorrupt)
    return found_.leave("object that cannot be read", what, bytes.error());
  found_.differs("damaged object", what, kLost);
  return {};
}

// A file that cannot be read may name any of them.
Status ReconciledObjects::leave_all(std::size_t unnamed, const Error& why) {
  return found_.leave("objects without a row", fmt::format("{} objects", unnamed), why);
}

// What a turn that is being saved or that is set aside names is left alone.
Status ReconciledObjects::remove_unnamed(const Page& page) {
  std::vector<std::string> unnamed, removed;
  for (const auto& [key, object] : page) unnamed.push_back(key);
  if (unnamed.empty()) return {};
  if (found_.applying()) {
    auto gone = saver_.remove_unnamed_objects(unnamed, deadline_);
    if (!gone) return leave_all(unnamed.size(), gone.error());
    removed = std::move(gone->keys);
    if (gone->are_left)
      log_info("objects.left", {{"count", unnamed.size()}, {"why", "other gateways may have turns that name them"}});
  } else {
    const auto named = named_objects(stores_, {unnamed.begin(), unnamed.end()}, deadline_);
    if (!named) return leave_all(unnamed.size(), named.error());
    for (const auto& key : unnamed)
      if (!named->contains(key)) removed.push_back(key);
  }
  for (const auto& key : removed) found_.differs("object without a turn", key, "it is removed");
  return {};
}

}  // namespace pandora
