#include "turns/replayed_turns.h"

#include <algorithm>
#include <map>
#include <span>

#include <fmt/format.h>

#include "turns/documents.h"
#include "turns/redaction.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

// Any other error is of the row alone: whoever writes it says so.
bool is_away(const Error& error) { return error_info(error.code).retryable; }

// Byte by byte; what is there is synced with the next checkpoint.
Result<bool> has_its_files(TurnRecord record, const Turn& row, DocumentStore& documents, const Deadline& deadline) {
  record.turn = row;
  const std::string folder = row.archived ? archived_turn_folder(row.number) : turn_folder(row.number);
  for (const auto& document : turn_documents(record)) {
    const auto bytes = documents.read(fmt::format("{}/{}", folder, document.name), deadline);
    if (!bytes || *bytes != document.bytes) return false;
  }
  PANDORA_CHECK(documents.adopt(folder, deadline));
  return true;
}

// Rows were lost, and with them the numbers of turns whose folders are there.
Status give_numbers_back(std::vector<TurnRecordPtr>& records, Stores& stores, const Deadline& deadline) {
  TurnQuery newest;
  newest.limit = 1;
  const auto last = stores.turns.list(newest, Principal::system(), deadline);
  if (!last) return is_away(last.error()) ? Status(fail(last.error())) : Status();
  TurnNumber greatest = last->empty() ? TurnNumber{} : last->front().number;
  const TurnNumber known = greatest;
  std::map<Uuid, TurnNumber> numbers;
  for (const char* area : {"turns", "archive"}) {
    PANDORA_TRY(folders, stores.documents.list(area, deadline));
    for (const auto& folder : folders) {
      const auto number = parse_turn_directory_name(folder.name);
      if (!number || *number <= known) continue;
      greatest = std::max(greatest, *number);
      const auto bytes = stores.documents.read(fmt::format("{}/{}/metadata.json", area, folder.name), deadline);
      const auto record = bytes ? decode_metadata(*bytes) : Result<TurnRecord>(fail(bytes.error()));
      if (record && record->turn.number == *number) numbers.emplace(record->turn.uid, *number);
    }
  }
  if (greatest == known) return {};
  PANDORA_CHECK(stores.turns.reserve_through(greatest, Principal::system(), deadline));
  for (auto& record : records) {
    const auto found = numbers.find(record->turn.uid);
    if (found == numbers.end()) continue;
    TurnRecord numbered = *record;
    numbered.turn.number = found->second;
    record = std::make_shared<const TurnRecord>(std::move(numbered));
  }
  return {};
}

// Of turns without a row: who forgot meanwhile could not find their quotes.
Status leave_out_forgotten(std::vector<TurnRecordPtr>& records, Stores& stores, const Deadline& deadline) {
  std::vector<const TurnRecord*> all;
  for (const auto& record : records) all.push_back(record.get());
  PANDORA_TRY(forgotten, forgotten_of(all, stores.documents, deadline));
  if (forgotten.empty()) return {};
  for (auto& record : records) {
    TurnRecord cleaned = *record;
    if (redact_quotes_of(cleaned, forgotten)) record = std::make_shared<const TurnRecord>(std::move(cleaned));
  }
  return {};
}

}  // namespace

std::vector<Uuid> turns_with_points(const std::vector<Uuid>& uids, const PointSpace& space, Stores& stores,
                                    const Deadline& deadline) {
  std::vector<Uuid> ids, there;
  for (const Uuid& uid : uids) ids.push_back(turn_point_id(uid));
  if (ids.empty()) return there;
  const auto points = stores.vectors.retrieve(space.turns, ids, Principal::system(), deadline);
  for (std::size_t i = 0; points && i < uids.size(); ++i)
    if (std::ranges::find(*points, ids[i], &Point::id) != points->end()) there.push_back(uids[i]);
  return there;
}

Result<ReplayedTurns> compare_replayed(const std::vector<TurnRecordPtr>& records, Stores& stores,
                                       const Deadline& deadline) {
  ReplayedTurns found;
  // Many at once: a database that comes and goes must be able to answer for all of a long journal.
  for (std::size_t from = 0; from < records.size(); from += kMaxPage) {
    const std::span page = std::span(records).subspan(from, std::min(kMaxPage, records.size() - from));
    std::vector<Uuid> uids;
    for (const auto& record : page) uids.push_back(record->turn.uid);
    const auto rows = stores.turns.find_all(uids, Principal::system(), deadline);
    if (!rows && is_away(rows.error())) return fail(rows.error());
    std::map<Uuid, const Turn*> by_uid;
    if (rows)
      for (const Turn& row : *rows) by_uid.emplace(row.uid, &row);
    for (const auto& record : page) {
      const auto row = by_uid.find(record->turn.uid);
      if (row == by_uid.end()) {
        found.without_row.push_back(record);
        continue;
      }
      PANDORA_TRY(whole, has_its_files(*record, *row->second, stores.documents, deadline));
      if (whole)
        found.whole.push_back(record->turn.uid);
      else
        found.without_files.emplace_back(record->turn.uid, row->second->number);
    }
  }
  if (found.without_row.empty()) return found;
  PANDORA_CHECK(leave_out_forgotten(found.without_row, stores, deadline));
  PANDORA_CHECK(give_numbers_back(found.without_row, stores, deadline));
  return found;
}

}  // namespace pandora
