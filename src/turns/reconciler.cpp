#include "turns/reconciler.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "turns/documents.h"
#include "turns/turn_objects.h"
#include "wire/turn_json.h"

namespace pandora {

// One run: the pieces share the report and what was learnt on the way.
class Reconciler::Run {
 public:
  Run(Reconciler& parts, Apply apply, const Progress& progress, const Deadline& deadline)
      : stores_(parts.stores_),
        space_(parts.spaces_.current()),
        saver_(parts.saver_),
        forgetting_(parts.forgetting_),
        clock_(parts.clock_),
        apply_(apply),
        progress_(progress),
        deadline_(deadline) {}

  Result<ReconcileReport> run() {
    PANDORA_CHECK(saver_.drain(deadline_));
    PANDORA_CHECK(read_tombstones());
    PANDORA_CHECK(turn_files());
    PANDORA_CHECK(turn_rows());
    PANDORA_CHECK((knowledge_files<Memory>("memories", "memory", OutboxKind::kMemoryFile, decode_memory)));
    PANDORA_CHECK((knowledge_files<Research>("research", "research", OutboxKind::kResearchFile, decode_research)));
    PANDORA_CHECK(source_files());
    PANDORA_CHECK(knowledge_rows());
    PANDORA_CHECK(points());
    PANDORA_CHECK(objects());
    if (apply_ == Apply::kApply) {
      PANDORA_CHECK(ask_for_repairs(1));
      PANDORA_CHECK(saver_.checkpoint(deadline_));
    }
    return std::move(report_);
  }

 private:
  bool applying() const { return apply_ == Apply::kApply; }
  const Principal system_ = Principal::system();

  void differs(std::string kind, std::string what, std::string repair) {
    if (report_.differences.size() < kMaxDifferences)
      report_.differences.push_back({std::move(kind), std::move(what), std::move(repair)});
    else
      ++report_.more;
  }
  void bring_up_to_date(OutboxKind kind, std::string key) {
    if (applying()) repairs_.push_back({kind, std::move(key)});
  }
  // Once there are so many.
  Status ask_for_repairs(std::size_t many) {
    if (repairs_.size() < many) return {};
    PANDORA_CHECK(stores_.outbox.enqueue(repairs_, deadline_));
    repairs_.clear();
    return {};
  }
  Status progress(std::string_view stage, std::int64_t done) {
    PANDORA_CHECK(ask_for_repairs(kMaxPage));
    return progress_(stage, done);
  }
  Status quarantine(const std::string& path, const Error& why) {
    differs("damaged files", path, "set aside in quarantine: " + why.to_line());
    if (!applying()) return {};
    return stores_.documents.quarantine(path, why.to_line(), deadline_).map([](auto&&) {});
  }
  static bool unreadable(const Error& error) {
    return error.code == ErrorCode::kDataCorrupt || error.code == ErrorCode::kNotFound ||
           error.code == ErrorCode::kTooLarge;
  }

  // What was forgotten stays so: an interrupted forgetting is completed.
  Status read_tombstones() {
    PANDORA_TRY(files, stores_.documents.list("forgotten", deadline_));
    for (const auto& file : files) {
      const auto uid = Uuid::parse(file.name.substr(0, file.name.find('.')));
      if (!uid) continue;
      tombstones_.insert(*uid);
      PANDORA_TRY(rows, stores_.turns.find_all({&*uid, 1}, system_, deadline_));
      for (const auto& turn : rows) {
        differs("forgotten turn with a row", fmt::format("turn {}", turn.number.value), "forgetting is completed");
        if (applying()) PANDORA_CHECK(forgetting_.forget_turn(turn.number, system_, deadline_).map([](auto&&) {}));
      }
      if (stores_.memories.find(*uid, system_, deadline_)) {
        differs("forgotten memory with a row", uid->to_string(), "forgetting is completed");
        if (applying()) PANDORA_CHECK(forgetting_.forget_memory(*uid, system_, deadline_).map([](auto&&) {}));
      }
    }
    return {};
  }

  // Since the tombstones were read: whoever forgets takes the row first, and the files when everything else is done.
  Result<bool> was_forgotten_meanwhile(const Uuid& uid) {
    return stores_.documents.exists(tombstone_path(uid), deadline_);
  }

  Status turn_files() {
    for (const char* area : {"turns", "archive"}) {
      PANDORA_TRY(folders, stores_.documents.list(area, deadline_));
      for (const auto& folder : folders) {
        PANDORA_CHECK(turn_file(fmt::format("{}/{}", area, folder.name), folder.name));
        PANDORA_CHECK(progress("turns on disk", ++report_.turns));
      }
    }
    return {};
  }

  Status turn_file(const std::string& path, const std::string& name) {
    const auto number = parse_turn_directory_name(name);
    if (!number) return quarantine(path, number.error());
    auto record = read_turn_folder(stores_.documents, path, deadline_);
    if (!record && !unreadable(record.error())) return fail(std::move(record).error());
    if (!record) {
      const auto there = stores_.documents.exists(path, deadline_);  // of one that is torn a store may not say so
      if (there && !*there) return {};                               // it went while we looked
      damaged_.insert(number->value);
      return quarantine(path, record.error());
    }
    if (record->turn.number != *number)
      return quarantine(
          path, {ErrorCode::kDataCorrupt, fmt::format("metadata.json is of turn {}", record->turn.number.value), {}});
    name_objects(record->turn);
    if (tombstones_.contains(record->turn.uid)) {
      differs("forgotten turn with files", fmt::format("turn {}", number->value), "the files are removed");
      return applying() ? stores_.documents.remove(path, deadline_) : Status();
    }
    PANDORA_TRY(rows, stores_.turns.find_all({&record->turn.uid, 1}, system_, deadline_));
    if (rows.empty()) {
      PANDORA_TRY(forgotten, was_forgotten_meanwhile(record->turn.uid));
      if (forgotten) return {};
      differs("turn without row", fmt::format("turn {}", number->value), "the row is made again from the files");
      if (!applying()) restored_.insert(record->turn.uid);
      return applying() ? restore_turn(*record, path) : Status();
    }
    if (rows.front().number != *number) return renumber(*std::move(record), path, rows.front());
    if (!(rows.front() == record->turn)) PANDORA_CHECK(row_unlike_files(path, record->turn.uid));
    const auto response = stores_.documents.read(path + "/response.md", deadline_);
    if (!response && !unreadable(response.error())) return fail(response.error());
    if (!response || *response != (record->turn.reply ? record->turn.reply->text : std::string())) {
      differs("response.md unlike metadata.json", fmt::format("turn {}", number->value), "the folder is written again");
      bring_up_to_date(OutboxKind::kTurnDirectory, record->turn.uid.to_string());
    }
    return {};
  }

  // Somebody may have changed the turn since its files were read, and they are still to follow. So all is read again,
  // in this order: when the files do not wait, they have been written since the row said this, and what is read of them
  // then is at least as new. A row that is changed even now is left to the next run.
  Status row_unlike_files(const std::string& path, const Uuid& uid) {
    PANDORA_TRY(rows, stores_.turns.find_all({&uid, 1}, system_, deadline_));
    PANDORA_TRY(waits, stores_.outbox.is_waiting({OutboxKind::kTurnDirectory, uid.to_string()}, deadline_));
    if (rows.empty() || waits) return {};
    const auto record = read_turn_folder(stores_.documents, path, deadline_);
    if (!record && !unreadable(record.error())) return fail(record.error());
    if (!record || record->turn.uid != uid || record->turn == rows.front()) return {};
    if (applying()) {
      Status made = stores_.turns.rewrite(record->turn, system_, deadline_, &rows.front());
      if (!made && made.error().code == ErrorCode::kConflict) return {};
      PANDORA_CHECK(made);
    }
    differs("row unlike its files", fmt::format("turn {}", rows.front().number.value),
            "the row is made equal to the files");
    return {};
  }

  // A row that was lost and given anew may have another number than the files. The number that was shown since then
  // stands.
  Status renumber(TurnRecord record, const std::string& path, const Turn& row) {
    const std::string there = row.archived ? archived_turn_folder(row.number) : turn_folder(row.number);
    if (has_file(there))
      return quarantine(path,
                        {ErrorCode::kDataCorrupt, fmt::format("it is a second copy of turn {}", row.number.value), {}});
    differs("files under another number", path, fmt::format("they become those of turn {}", row.number.value));
    if (!applying()) return {};
    record.turn.number = row.number;
    record.turn.archived = row.archived;
    PANDORA_CHECK(stores_.documents.put_folder(there, turn_documents(record), Durability::kNow, deadline_));
    PANDORA_CHECK(stores_.turns.rewrite(record.turn, system_, deadline_));
    return stores_.documents.remove(path, deadline_);
  }

  Status restore_turn(const TurnRecord& record, const std::string& path) {
    TurnRecord kept = record;
    kept.fetches.clear();  // already counted in the sources' own files
    std::erase_if(kept.memories, [&](const Memory& memory) {
      return tombstones_.contains(memory.id) || has_file(memory_path(memory.id));
    });
    std::erase_if(kept.research, [&](const Research& research) {
      return tombstones_.contains(research.id) || has_file(research_path(research.id));
    });
    const auto committed = stores_.turns.commit_turn(kept, system_, deadline_);
    if (committed) return {};
    if (committed.error().code != ErrorCode::kConflict) return fail(committed.error());
    return quarantine(path, committed.error());
  }
  bool has_file(const std::string& path) { return stores_.documents.exists(path, deadline_).value_or(false); }

  Status turn_rows() {
    TurnNumber after;
    std::int64_t done = 0;
    for (;;) {
      PANDORA_TRY(page, stores_.turns.scan(after, kMaxPage, system_, deadline_));
      if (page.empty()) return {};
      for (const auto& turn : page) {
        after = turn.number;
        name_objects(turn);
        const std::string folder = turn.archived ? archived_turn_folder(turn.number) : turn_folder(turn.number);
        PANDORA_TRY(there, stores_.documents.exists(folder, deadline_));
        if (!there || damaged_.contains(turn.number.value)) {
          differs("row without files", fmt::format("turn {}", turn.number.value),
                  "the files are made again from the row");
          bring_up_to_date(OutboxKind::kTurnDirectory, turn.uid.to_string());
        }
      }
      PANDORA_CHECK(turn_points(page));
      done += static_cast<std::int64_t>(page.size());
      PANDORA_CHECK(progress("rows of turns", done));
    }
  }

  Status turn_points(const std::vector<Turn>& page) {
    std::vector<Uuid> ids;
    for (const auto& turn : page) ids.push_back(turn_point_id(turn.uid));
    PANDORA_TRY(points, retrieve(space_->turns, ids));
    std::set<Uuid> there;
    for (const auto& point : points) there.insert(point.id);
    for (const auto& turn : page) {
      const Uuid id = turn_point_id(turn.uid);
      const auto point = std::ranges::find(points, id, &Point::id);
      const bool stale = point != points.end() && !same_payload(*point, turn);
      if (there.contains(id) && !stale) continue;
      differs(stale ? "point unlike its row" : "row without point", fmt::format("turn {}", turn.number.value),
              "the point is made again");
      bring_up_to_date(OutboxKind::kTurnPoint, turn.uid.to_string());
    }
    return {};
  }

  static bool same_payload(const Point& point, const Turn& turn) {
    const auto field = [&](const char* name) { return point.payload.find(name); };
    const auto rejected = field("rejected"), session = field("session_id"), number = field("turn_number");
    return rejected != point.payload.end() && rejected->second == PayloadValue(turn.rejected) &&
           session != point.payload.end() && session->second == PayloadValue(turn.session.str()) &&
           number != point.payload.end() && number->second == PayloadValue(turn.number.value);
  }

  // A collection that does not exist yet holds nothing.
  Result<std::vector<Point>> retrieve(const std::string& collection, const std::vector<Uuid>& ids) {
    auto points = stores_.vectors.retrieve(collection, ids, system_, deadline_);
    if (!points && points.error().code == ErrorCode::kNotFound) return std::vector<Point>();
    return points;
  }

  template <class T, class Decode>
  Status knowledge_files(const char* area, const char* what, OutboxKind file_kind, Decode decode) {
    PANDORA_TRY(files, stores_.documents.list(area, deadline_));
    for (const auto& file : files) {
      const std::string path = fmt::format("{}/{}", area, file.name);
      const auto bytes = stores_.documents.read(path, deadline_);
      if (!bytes && bytes.error().code == ErrorCode::kNotFound) continue;  // it went while we looked
      if (!bytes) return fail(bytes.error());
      auto value = decode(*bytes);
      if (!value && !unreadable(value.error())) return fail(std::move(value).error());
      if (!value) {
        PANDORA_CHECK(quarantine(path, value.error()));
        continue;
      }
      if (tombstones_.contains(value->id)) {
        differs(fmt::format("forgotten {} with a file", what), value->id.to_string(), "the file is removed");
        if (applying()) PANDORA_CHECK(stores_.documents.remove(path, deadline_));
        continue;
      }
      PANDORA_TRY(row, find_row(*value));
      if (row && *row == *value) continue;
      if (row) {  // as with turns: is its file still to follow, or was it written since?
        PANDORA_TRY(waits, stores_.outbox.is_waiting({file_kind, value->id.to_string()}, deadline_));
        const auto now = waits ? Result<std::string>(std::string()) : stores_.documents.read(path, deadline_);
        if (!now && now.error().code != ErrorCode::kNotFound) return fail(now.error());
        if (waits || !now || *now != *bytes) continue;
      }
      if (!row) {
        PANDORA_TRY(forgotten, was_forgotten_meanwhile(value->id));
        if (forgotten) continue;
        if (!applying()) restored_.insert(value->id);
      }
      differs(row ? fmt::format("{} unlike its file", what) : fmt::format("{} without row", what),
              value->id.to_string(), "the row is made from the file");
      if (applying()) PANDORA_CHECK(put_row(*value));
    }
    return {};
  }
  template <class T>
  Result<std::optional<T>> optional(Result<T> found) {
    if (found) return std::optional<T>(*std::move(found));
    if (found.error().code == ErrorCode::kNotFound) return std::nullopt;
    return fail(std::move(found).error());
  }
  Result<std::optional<Memory>> find_row(const Memory& memory) {
    return optional(stores_.memories.find(memory.id, system_, deadline_));
  }
  Result<std::optional<Research>> find_row(const Research& research) {
    return optional(stores_.research.find(research.id, system_, deadline_));
  }
  Status put_row(const Memory& memory) { return stores_.memories.put(memory, {}, system_, deadline_); }
  Status put_row(const Research& research) { return stores_.research.put(research, system_, deadline_); }

  Status source_files() {
    PANDORA_TRY(files, stores_.documents.list("site_knowledge", deadline_));
    for (const auto& file : files) {
      const std::string path = "site_knowledge/" + file.name;
      PANDORA_TRY(bytes, stores_.documents.read(path, deadline_));
      auto source = decode_source(bytes);
      if (!source && !unreadable(source.error())) return fail(std::move(source).error());
      if (!source) {
        PANDORA_CHECK(quarantine(path, source.error()));
        continue;
      }
      ++report_.sources;
      const auto row = stores_.sources.find(source->domain, clock_.now(), deadline_);
      if (row || row.error().code != ErrorCode::kNotFound) continue;
      differs("source without row", source->domain, "the row is made from the file");
      if (applying()) PANDORA_CHECK(stores_.sources.restore(*source, deadline_));
    }
    PANDORA_TRY(rows, stores_.sources.list(clock_.now(), deadline_));
    for (const auto& source : rows)
      if (!has_file(site_knowledge_path(source.domain))) {
        differs("source without file", source.domain, "the file is written");
        bring_up_to_date(OutboxKind::kSourceFile, source.domain);
      }
    return {};
  }

  template <class List>
  Status knowledge_rows_of(List list, const char* what, const std::string& collection, OutboxKind file,
                           OutboxKind point_kind, std::string (*path)(const Uuid&), std::int64_t& count) {
    std::optional<Uuid> after;
    for (;;) {
      PANDORA_TRY(page, list(after));
      if (page.empty()) return {};
      std::vector<Uuid> ids;
      for (const auto& value : page) ids.push_back(point_id(what, value.id.to_string()));
      PANDORA_TRY(points, retrieve(collection, ids));
      for (const auto& value : page) {
        after = value.id;
        ++count;
        if (!has_file(path(value.id))) {
          differs(fmt::format("{} without file", what), value.id.to_string(), "the file is written");
          bring_up_to_date(file, value.id.to_string());
        }
        if (std::ranges::find(points, point_id(what, value.id.to_string()), &Point::id) == points.end()) {
          differs(fmt::format("{} without point", what), value.id.to_string(), "the point is made");
          bring_up_to_date(point_kind, value.id.to_string());
        }
      }
      PANDORA_CHECK(ask_for_repairs(kMaxPage));
    }
  }
  Status knowledge_rows() {
    const auto memories = [&](const std::optional<Uuid>& after) {
      MemoryQuery query;
      query.include_superseded = true;
      query.after = after;
      return stores_.memories.list(query, system_, deadline_);
    };
    const auto research = [&](const std::optional<Uuid>& after) {
      ResearchQuery query;
      query.after = after;
      return stores_.research.list(query, system_, deadline_);
    };
    PANDORA_CHECK(knowledge_rows_of(memories, "memory", space_->memories, OutboxKind::kMemoryFile,
                                    OutboxKind::kMemoryPoint, memory_path, report_.memories));
    return knowledge_rows_of(research, "research", space_->research, OutboxKind::kResearchFile,
                             OutboxKind::kResearchPoint, research_path, report_.research);
  }

  // Points whose row is gone.
  Status points() {
    struct Kind {
      const std::string& collection;
      const char* field;
    };
    for (const auto& [collection, field] : {Kind{space_->turns, "turn_uid"}, Kind{space_->memories, "memory_id"},
                                            Kind{space_->research, "research_id"}}) {
      std::optional<Uuid> after;
      for (;;) {
        auto page = stores_.vectors.scroll(collection, {}, after, kMaxPage, system_, deadline_);
        if (!page && page.error().code == ErrorCode::kNotFound) break;
        if (!page) return fail(page.error());
        if (page->empty()) break;
        std::vector<Uuid> strays;
        for (const auto& point : *page) {
          after = point.id;
          PANDORA_TRY(known, has_row(point, collection, field));
          if (known) continue;
          differs("point without row", point.id.to_string(), "the point is removed");
          strays.push_back(point.id);
        }
        if (applying() && !strays.empty())
          PANDORA_CHECK(stores_.vectors.remove(collection, strays, system_, deadline_).map([](auto) {}));
        report_.points += static_cast<std::int64_t>(page->size());
        PANDORA_CHECK(progress("points", report_.points));
      }
    }
    return {};
  }

  void name_objects(const Turn& turn) {
    for (const auto& object : turn.objects)
      named_.try_emplace(object.key, fmt::format("turn {}: {} of {} bytes, {}", turn.number.value, object.media_type,
                                                 object.size, object.key));
  }

  // Bytes that are lost nobody can make again; an export that holds them can bring them back.
  Status objects() {
    constexpr const char* kLost = "nothing is done: import an export that holds it, or forget the turn";
    std::set<std::string> there;
    std::vector<std::string> unnamed;
    for (std::string after;;) {
      PANDORA_TRY(page, stores_.objects.list(after, kMaxObjectList, deadline_));
      if (page.empty()) break;
      for (const auto& object : page) {
        after = object.key;
        there.insert(object.key);
        const auto turn = named_.find(object.key);
        if (turn == named_.end()) {
          unnamed.push_back(object.key);
          continue;
        }
        const auto bytes = stores_.objects.get(object.key, deadline_);
        if (!bytes && bytes.error().code == ErrorCode::kDataCorrupt)
          differs("damaged object", turn->second, kLost);
        else if (!bytes && bytes.error().code != ErrorCode::kNotFound)
          return fail(bytes.error());
      }
      report_.objects += static_cast<std::int64_t>(page.size());
      PANDORA_CHECK(progress("objects", report_.objects));
    }
    for (const auto& [key, turn] : named_)
      if (!there.contains(key)) differs("turn without its object", turn, kLost);
    // What a turn that is being saved or that is set aside names is left alone.
    if (unnamed.empty()) return {};
    std::vector<std::string> removed;
    if (applying()) {
      PANDORA_TRY(gone, saver_.remove_unnamed_objects(unnamed, deadline_));
      removed = std::move(gone.keys);
      if (gone.are_left)
        log_info("objects.left", {{"count", unnamed.size()}, {"why", "other gateways may have turns that name them"}});
    } else {
      PANDORA_TRY(named, named_objects(stores_, {unnamed.begin(), unnamed.end()}, deadline_));
      for (const auto& key : unnamed)
        if (!named.contains(key)) removed.push_back(key);
    }
    for (const auto& key : removed) differs("object without a turn", key, "it is removed");
    return {};
  }

  Result<bool> has_row(const Point& point, const std::string& collection, const char* field) {
    const auto value = point.payload.find(field);
    const auto* text = value == point.payload.end() ? nullptr : std::get_if<std::string>(&value->second);
    const auto id = text ? Uuid::parse(*text) : Result<Uuid>(fail(ErrorCode::kDataCorrupt, "no id"));
    if (!id) return false;
    if (restored_.contains(*id)) return true;
    if (collection == space_->turns) {
      PANDORA_TRY(rows, stores_.turns.find_all({&*id, 1}, system_, deadline_));
      return !rows.empty();
    }
    const auto exists = [](const auto& found) -> Result<bool> {
      if (found) return true;
      if (found.error().code == ErrorCode::kNotFound) return false;
      return fail(found.error());
    };
    return collection == space_->memories ? exists(stores_.memories.find(*id, system_, deadline_))
                                          : exists(stores_.research.find(*id, system_, deadline_));
  }

  Stores stores_;
  const std::shared_ptr<const PointSpace> space_;  // that answers; another that is being made is made of the rows
  TurnSaver& saver_;
  Forgetting& forgetting_;
  const Clock& clock_;
  const Apply apply_;
  const Progress& progress_;
  const Deadline& deadline_;
  ReconcileReport report_;
  std::set<Uuid> tombstones_;
  std::set<Uuid> restored_;  // whose row would be made again by a run that applies
  std::set<std::int64_t> damaged_;
  std::map<std::string, std::string> named_;  // object → the first turn that names it, and as what
  std::vector<OutboxItem> repairs_;           // to be asked for
};

Result<ReconcileReport> Reconciler::run(Apply apply, const Progress& progress, const Deadline& deadline) {
  return Run(*this, apply, progress, deadline).run();
}

}  // namespace pandora
