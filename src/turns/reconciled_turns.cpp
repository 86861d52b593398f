#include "turns/reconciled_turns.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "ports/row_checks.h"
#include "turns/documents.h"
#include "turns/paged_merge.h"
#include "turns/row_commit.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

std::string named(TurnNumber number) { return fmt::format("turn {}", number.value); }

std::string folder_of(const Turn& row) {
  return row.archived ? archived_turn_folder(row.number) : turn_folder(row.number);
}

bool same_payload(const Point& point, const Turn& turn) {
  const auto field = [&](const char* name) { return point.payload.find(name); };
  const auto rejected = field("rejected"), session = field("session_id"), number = field("turn_number");
  return rejected != point.payload.end() && rejected->second == PayloadValue(turn.rejected) &&
         session != point.payload.end() && session->second == PayloadValue(turn.session.str()) &&
         number != point.payload.end() && number->second == PayloadValue(turn.number.value);
}

// Whether these files can be those of the row.
Status may_become(const Turn& row, const Turn& files) {
  PANDORA_CHECK(check_row(files));
  if (row.user == files.user && row.session == files.session) return {};
  return fail(ErrorCode::kDataCorrupt, "metadata.json is of another user or session than the row");
}

}  // namespace

TurnFolders ReconciledTurns::folders_of(const std::string& area) {
  const auto other = [this, area](const std::string& name) {
    return found_.set_aside(area + "/" + name, parse_turn_directory_name(name).error()).map([](bool) {});
  };
  return TurnFolders(stores_.documents, area, pages_.names, other, deadline_);
}

Result<std::vector<Turn>> ReconciledTurns::next_rows(TurnNumber after) {
  PANDORA_CHECK(found_.progress("rows of turns", rows_));
  PANDORA_TRY(page, stores_.turns.scan(after, pages_.rows, system_, deadline_));
  PANDORA_CHECK(look_at_points(page));
  rows_ += static_cast<std::int64_t>(page.size());
  return page;
}

Status ReconciledTurns::run() {
  TurnFolders live = folders_of("turns"), archive = folders_of("archive");
  PagedRows<Turn, TurnNumber> rows(
      [this](const std::optional<TurnNumber>& after) { return next_rows(after.value_or(TurnNumber())); },
      [](const Turn& turn) { return turn.number; });
  for (;;) {
    PANDORA_TRY(here, live.front());
    PANDORA_TRY(there, archive.front());
    PANDORA_TRY(next, rows.front());
    if (!here && !there && !next) return {};
    TurnNumber number{std::numeric_limits<std::int64_t>::max()};
    for (const auto& one : {here, there, next ? std::optional(next->number) : std::nullopt})
      if (one) number = std::min(number, *one);
    const Turn* row = next && next->number == number ? next : nullptr;
    bool stands = false;  // whether the row's folder is there
    for (TurnFolders* folders : {&live, &archive}) {
      if ((folders == &live ? here : there) != std::optional(number)) continue;
      PANDORA_TRY(is_of_row, look_at_folder(folders->path(number), number, row, folders == &archive));
      stands |= is_of_row;
      folders->pop();
      PANDORA_CHECK(found_.progress("turns on disk", ++found_.report().turns));
    }
    if (!row) continue;
    name_objects(*row);
    if (!stands) PANDORA_CHECK(without_folder(*row));
    rows.pop();
  }
}

// Its page may be of a while ago: it is asked for again, in an order that leaves nothing between. When its files do not
// wait they have been written since the row said this, and can be seen.
Status ReconciledTurns::without_folder(const Turn& listed) {
  PANDORA_TRY(waits, found_.is_waiting(OutboxKind::kTurnDirectory, listed.uid));
  PANDORA_TRY(rows, stores_.turns.find_all({&listed.uid, 1}, system_, deadline_));
  if (waits || rows.empty()) return {};
  PANDORA_TRY(there, stores_.documents.exists(folder_of(rows.front()), deadline_));
  if (there && damaged_ != listed.number) return {};
  found_.differs("row without files", named(listed.number), "the files are made again from the row");
  found_.bring_up_to_date(OutboxKind::kTurnDirectory, listed.uid.to_string());
  return {};
}

// Whether it is the folder of the row with this number, which was read a moment ago, and at its place.
Result<bool> ReconciledTurns::look_at_folder(const std::string& path, TurnNumber number, const Turn* row,
                                             bool in_archive) {
  auto record = read_turn_folder(stores_.documents, path, deadline_);
  if (!record && ReconcileFindings::is_unreadable(record.error())) {
    const auto there = stores_.documents.exists(path, deadline_);   // of one that is torn a store may not say so
    if (there && !*there) return false;                             // it went while we looked
    record = read_turn_folder(stores_.documents, path, deadline_);  // it may have been written while we looked
  }
  if (!record && ReconcileFindings::is_unreadable(record.error())) return set_aside(path, number, record.error());
  if (!record) {
    PANDORA_CHECK(found_.leave("files that cannot be read", path, record.error()));
    return true;
  }
  const Turn& turn = record->turn;
  if (turn.number != number) {
    const std::string why = fmt::format("metadata.json is of turn {}", turn.number.value);
    return set_aside(path, number, {ErrorCode::kDataCorrupt, why, {}});
  }
  name_objects(turn);
  if (!row || !(*row == turn)) {
    PANDORA_TRY(stands, unlike_its_row(*record, path));
    if (!stands) return false;
  }
  const auto response = stores_.documents.read(path + "/response.md", deadline_);
  if (!response && !ReconcileFindings::is_unreadable(response.error()))
    PANDORA_CHECK(found_.leave("files that cannot be read", path + "/response.md", response.error()));
  else if (!response || *response != (turn.reply ? turn.reply->text : std::string())) {
    found_.differs("response.md unlike metadata.json", named(number), "the folder is written again");
    found_.bring_up_to_date(OutboxKind::kTurnDirectory, turn.uid.to_string());
  }
  return row && row->uid == turn.uid && row->archived == in_archive;
}

// The row with this number, if there is one, makes the files again. false: nothing stands there any more.
Result<bool> ReconciledTurns::set_aside(const std::string& path, TurnNumber number, const Error& why) {
  PANDORA_TRY(is_aside, found_.set_aside(path, why));
  if (is_aside) damaged_ = number;
  return !is_aside;
}

// Compares with the row as it is now; whether the folder stays that of a row.
Result<bool> ReconciledTurns::unlike_its_row(const TurnRecord& record, const std::string& path) {
  const TurnNumber number = record.turn.number;
  PANDORA_TRY(rows, stores_.turns.find_all({&record.turn.uid, 1}, system_, deadline_));
  if (rows.empty()) {
    PANDORA_TRY(forgotten, found_.is_forgotten(record.turn.uid));
    if (forgotten) found_.differs("forgotten turn with files", named(number), "the files are removed");
    if (!forgotten) PANDORA_CHECK(restore(record, path));
    if (forgotten && found_.applying()) PANDORA_CHECK(stores_.documents.remove(path, deadline_));
    return false;
  }
  if (rows.front().number != number) {
    PANDORA_CHECK(renumber(record, path, rows.front()));
    return false;
  }
  return rows.front() == record.turn ? Result<bool>(true) : row_unlike_files(path, record.turn.uid);
}

// Somebody may have changed the turn since its files were read, and they are still to follow. So all is read again,
// in this order: when the files do not wait, they have been written since the row said this, and what is read of them
// then is at least as new. A row that is changed even now is left to the next run. false: they can be nobody's.
Result<bool> ReconciledTurns::row_unlike_files(const std::string& path, const Uuid& uid) {
  PANDORA_TRY(rows, stores_.turns.find_all({&uid, 1}, system_, deadline_));
  PANDORA_TRY(waits, found_.is_waiting(OutboxKind::kTurnDirectory, uid));
  if (rows.empty() || waits) return true;
  const auto record = read_turn_folder(stores_.documents, path, deadline_);
  if (!record && !ReconcileFindings::is_unreadable(record.error())) return fail(record.error());
  if (!record || record->turn.uid != uid || record->turn == rows.front()) return true;
  const TurnNumber number = rows.front().number;
  if (const Status fits = may_become(rows.front(), record->turn); !fits) return set_aside(path, number, fits.error());
  if (found_.applying()) {
    Status made = stores_.turns.rewrite(record->turn, system_, deadline_, &rows.front());
    if (!made && made.error().code == ErrorCode::kConflict) return true;
    PANDORA_CHECK(made);
  }
  found_.differs("row unlike its files", named(number), "the row is made equal to the files");
  return true;
}

// A row that was lost and given anew may have another number than the files. The number that was shown since then
// stands.
Status ReconciledTurns::renumber(TurnRecord record, const std::string& path, const Turn& row) {
  const std::string there = folder_of(row);
  const std::string second = fmt::format("it is a second copy of turn {}", row.number.value);
  Status fits = may_become(row, record.turn);
  if (fits && found_.has_file(there)) fits = fail(ErrorCode::kDataCorrupt, second);
  if (!fits) return found_.set_aside(path, fits.error()).map([](bool) {});
  found_.differs("files under another number", path, fmt::format("they become those of turn {}", row.number.value));
  if (!found_.applying()) return {};
  record.turn.number = row.number;
  record.turn.archived = row.archived;
  PANDORA_CHECK(stores_.documents.put_folder(there, turn_documents(record), Durability::kNow, deadline_));
  PANDORA_CHECK(stores_.turns.rewrite(record.turn, system_, deadline_));
  return stores_.documents.remove(path, deadline_);
}

// What no row may hold is set aside, as when a turn is saved. What the rows or the files have by itself is not made
// again.
Status ReconciledTurns::restore(const TurnRecord& record, const std::string& path) {
  TurnRecord kept = record;
  kept.fetches.clear();  // already counted in the sources' own files
  std::erase_if(kept.memories, [&](const Memory& memory) {
    return found_.has_file(tombstone_path(memory.id)) || found_.has_file(memory_path(memory.id)) ||
           stores_.memories.find(memory.id, system_, deadline_);
  });
  std::erase_if(kept.research, [&](const Research& research) {
    return found_.has_file(tombstone_path(research.id)) || found_.has_file(research_path(research.id)) ||
           stores_.research.find(research.id, system_, deadline_);
  });
  Status made = check_record(kept, Principal::of(kept.turn.user));
  if (made && found_.applying()) made = stores_.turns.commit_turn(kept, system_, deadline_).map([](auto) {});
  const ErrorCode refused = made ? ErrorCode::kInternal : made.error().code;
  const bool is_taken = refused == ErrorCode::kConflict;  // its number, by another turn
  if (is_taken || (!made && is_hopeless(stores_.turns, kept.turn, refused, deadline_)))
    return found_.set_aside(path, made.error()).map([](bool) {});
  PANDORA_CHECK(made);
  found_.differs("turn without row", named(kept.turn.number), "the row is made again from the files");
  return {};
}

Result<ReconciledTurns::Unlike> ReconciledTurns::unlike_points(const std::vector<Turn>& rows) {
  if (rows.empty()) return Unlike();
  std::vector<Uuid> ids;
  for (const auto& turn : rows) ids.push_back(turn_point_id(turn.uid));
  PANDORA_TRY(points, found_.points_of(space_.turns, ids));
  std::ranges::sort(points, {}, &Point::id);
  Unlike unlike;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto point = std::ranges::lower_bound(points, ids[i], {}, &Point::id);
    const bool is_there = point != points.end() && point->id == ids[i];
    if (!is_there || !same_payload(*point, rows[i])) unlike.emplace_back(&rows[i], is_there);
  }
  return unlike;
}

// What seems to have no point, or another, is looked at again where none is on its way.
Status ReconciledTurns::look_at_points(const std::vector<Turn>& page) {
  PANDORA_TRY(suspects, unlike_points(page));
  std::vector<Uuid> uids;
  for (const auto& [turn, is_there] : suspects) {
    PANDORA_TRY(waits, found_.is_waiting(OutboxKind::kTurnPoint, turn->uid));
    if (!waits) uids.push_back(turn->uid);
  }
  if (uids.empty()) return {};
  PANDORA_TRY(rows, stores_.turns.find_all(uids, system_, deadline_));
  PANDORA_TRY(unlike, unlike_points(rows));
  for (const auto& [turn, is_there] : unlike) {
    found_.differs(is_there ? "point unlike its row" : "row without point", named(turn->number),
                   "the point is made again");
    found_.bring_up_to_date(OutboxKind::kTurnPoint, turn->uid.to_string());
  }
  return {};
}

}  // namespace pandora
