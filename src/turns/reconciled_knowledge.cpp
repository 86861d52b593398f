#include "turns/reconciled_knowledge.h"

#include <set>

#include <fmt/format.h>

#include "ports/row_checks.h"
#include "turns/paged_merge.h"
#include "wire/turn_json.h"

namespace pandora {

template <class T>
struct ReconciledKnowledge::Kind {
  const char* area;
  const char* what;
  Result<T> (*decode)(std::string_view);
  const std::string& collection;
  OutboxKind file, point;
  std::string (*path)(const Uuid&);
  std::int64_t& count;
  std::function<Result<std::vector<T>>(const std::optional<Uuid>& after)> list;
  std::function<Result<T>(const Uuid&)> find;
  std::function<Status(const T&)> put;
};

namespace {

template <class T>
Result<std::optional<T>> if_there(Result<T> found) {
  if (found) return std::optional<T>(*std::move(found));
  if (found.error().code == ErrorCode::kNotFound) return std::nullopt;
  return fail(std::move(found).error());
}

}  // namespace

// By id, which is also a file's name.
template <class T>
Status ReconciledKnowledge::run(const Kind<T>& kind) {
  PagedRows<FileInfo, std::string> files(
      [&](const std::optional<std::string>& after) {
        return stores_.documents.list_after(kind.area, after.value_or(""), pages_.names, deadline_);
      },
      [](const FileInfo& file) { return file.name; });
  PagedRows<T, Uuid> rows(
      [&](const std::optional<Uuid>& after) -> Result<std::vector<T>> {
        PANDORA_CHECK(found_.progress(kind.area, kind.count));
        PANDORA_TRY(page, kind.list(after));
        PANDORA_CHECK(look_at_points(kind, page));
        kind.count += static_cast<std::int64_t>(page.size());
        return page;
      },
      [](const T& row) { return row.id; });
  for (;;) {
    PANDORA_TRY(file, files.front());
    PANDORA_TRY(row, rows.front());
    if (!file && !row) return {};
    const std::string path = file ? fmt::format("{}/{}", kind.area, file->name) : "";
    const std::string place = row ? kind.path(row->id) : "";
    const bool has_file = file && (!row || path <= place), has_row = row && (!has_file || path == place);
    bool stands = false;
    if (has_file) {
      PANDORA_TRY(is_whole, look_at_file(kind, path, has_row ? row : nullptr));
      stands = is_whole;
      files.pop();
      PANDORA_CHECK(found_.ask_for_repairs());
    }
    if (!has_row) continue;
    if (!stands) PANDORA_CHECK(without_file(kind, row->id));
    rows.pop();
  }
}

// As with turns: is it on its way, or was it forgotten meanwhile?
template <class T>
Status ReconciledKnowledge::without_file(const Kind<T>& kind, const Uuid& id) {
  PANDORA_TRY(waits, found_.is_waiting(kind.file, id));
  PANDORA_TRY(row, if_there(kind.find(id)));
  if (waits || !row || found_.has_file(kind.path(id))) return {};
  found_.differs(fmt::format("{} without file", kind.what), id.to_string(), "the file is written");
  found_.bring_up_to_date(kind.file, id.to_string());
  return {};
}

template <class T>
Status ReconciledKnowledge::look_at_points(const Kind<T>& kind, const std::vector<T>& page) {
  const auto point_of = [&](const Uuid& id) { return point_id(kind.what, id.to_string()); };
  const auto without_point = [&](const std::vector<Uuid>& ids) -> Result<std::vector<Uuid>> {
    std::vector<Uuid> points, without;
    if (ids.empty()) return without;
    for (const Uuid& id : ids) points.push_back(point_of(id));
    PANDORA_TRY(present, found_.points_of(kind.collection, points));
    std::set<Uuid> there;
    for (const auto& point : present) there.insert(point.id);
    for (const Uuid& id : ids)
      if (!there.contains(point_of(id))) without.push_back(id);
    return without;
  };
  std::vector<Uuid> ids, still;
  for (const auto& row : page) ids.push_back(row.id);
  PANDORA_TRY(suspects, without_point(ids));
  for (const Uuid& id : suspects) {
    PANDORA_TRY(waits, found_.is_waiting(kind.point, id));
    PANDORA_TRY(row, if_there(kind.find(id)));
    if (!waits && row) still.push_back(id);
  }
  PANDORA_TRY(without, without_point(still));
  for (const Uuid& id : without) {
    found_.differs(fmt::format("{} without point", kind.what), id.to_string(), "the point is made");
    found_.bring_up_to_date(kind.point, id.to_string());
  }
  return {};
}

// false: nothing stands there any more.
Result<bool> ReconciledKnowledge::set_aside(const std::string& path, const Error& why) {
  return found_.set_aside(path, why).map([](bool is_aside) { return !is_aside; });
}

// Whether it stands; `row` is the one with its name, read a moment ago.
template <class T>
Result<bool> ReconciledKnowledge::look_at_file(const Kind<T>& kind, const std::string& path, const T* row) {
  const auto bytes = stores_.documents.read(path, deadline_);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return false;  // it went while we looked
  const auto value = bytes ? kind.decode(*bytes) : Result<T>(fail(bytes.error()));
  if (!value && ReconcileFindings::is_unreadable(value.error())) return set_aside(path, value.error());
  if (!value) {
    PANDORA_CHECK(found_.leave("files that cannot be read", path, value.error()));
    return true;
  }
  if (row && *row == *value) return true;
  const std::string id = value->id.to_string();
  PANDORA_TRY(now, if_there(kind.find(value->id)));
  if (now && *now == *value) return true;
  if (now) {  // as with turns: is its file still to follow, or was it written since?
    PANDORA_TRY(waits, found_.is_waiting(kind.file, value->id));
    const auto again = waits ? Result<std::string>(std::string()) : stores_.documents.read(path, deadline_);
    if (!again && again.error().code != ErrorCode::kNotFound) return fail(again.error());
    if (waits || !again || *again != *bytes) return true;
    if (now->user != value->user) return set_aside(path, {ErrorCode::kDataCorrupt, "its row is another user's", {}});
  } else {
    PANDORA_TRY(forgotten, found_.is_forgotten(value->id));
    if (forgotten) {
      found_.differs(fmt::format("forgotten {} with a file", kind.what), id, "the file is removed");
      if (found_.applying()) PANDORA_CHECK(stores_.documents.remove(path, deadline_));
      return false;
    }
  }
  if (const Status may_be_kept = check_row(*value); !may_be_kept) return set_aside(path, may_be_kept.error());
  found_.differs(fmt::format("{} {}", kind.what, now ? "unlike its file" : "without row"), id,
                 "the row is made from the file");
  if (found_.applying()) PANDORA_CHECK(kind.put(*value));
  return true;
}

Status ReconciledKnowledge::memories() {
  return run<Memory>({"memories", "memory", decode_memory, space_.memories, OutboxKind::kMemoryFile,
                      OutboxKind::kMemoryPoint, memory_path, found_.report().memories,
                      [this](const std::optional<Uuid>& after) {
                        MemoryQuery query;
                        query.include_superseded = true;
                        query.after = after;
                        query.limit = pages_.rows;
                        return stores_.memories.list(query, system_, deadline_);
                      },
                      [this](const Uuid& id) { return stores_.memories.find(id, system_, deadline_); },
                      [this](const Memory& memory) { return stores_.memories.put(memory, {}, system_, deadline_); }});
}

Status ReconciledKnowledge::research() {
  return run<Research>({"research", "research", decode_research, space_.research, OutboxKind::kResearchFile,
                        OutboxKind::kResearchPoint, research_path, found_.report().research,
                        [this](const std::optional<Uuid>& after) {
                          ResearchQuery query;
                          query.after = after;
                          query.limit = pages_.rows;
                          return stores_.research.list(query, system_, deadline_);
                        },
                        [this](const Uuid& id) { return stores_.research.find(id, system_, deadline_); },
                        [this](const Research& one) { return stores_.research.put(one, system_, deadline_); }});
}

Status ReconciledKnowledge::look_at_source(const std::string& path) {
  const auto bytes = stores_.documents.read(path, deadline_);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return {};  // it went while we looked
  const auto source = bytes ? decode_source(*bytes) : Result<Source>(fail(bytes.error()));
  const bool is_readable = source || !ReconcileFindings::is_unreadable(source.error());
  if (!is_readable) return set_aside(path, source.error()).map([](bool) {});
  if (!source) return found_.leave("files that cannot be read", path, source.error());
  if (const Status may_be_kept = check_row(*source); !may_be_kept)
    return set_aside(path, may_be_kept.error()).map([](bool) {});
  ++found_.report().sources;
  const auto row = stores_.sources.find(source->domain, clock_.now(), deadline_);
  if (row) return {};
  if (row.error().code != ErrorCode::kNotFound) return fail(row.error());
  found_.differs("source without row", source->domain, "the row is made from the file");
  return found_.applying() ? stores_.sources.restore(*source, deadline_) : Status();
}

Status ReconciledKnowledge::sources() {
  for (std::string after;;) {
    PANDORA_TRY(files, stores_.documents.list_after("site_knowledge", after, pages_.names, deadline_));
    if (files.empty()) break;
    after = files.back().name;
    for (const auto& file : files) PANDORA_CHECK(look_at_source("site_knowledge/" + file.name));
  }
  PANDORA_TRY(rows, stores_.sources.list(clock_.now(), deadline_));
  for (const auto& source : rows) {
    if (found_.has_file(site_knowledge_path(source.domain))) continue;
    found_.differs("source without file", source.domain, "the file is written");
    found_.bring_up_to_date(OutboxKind::kSourceFile, source.domain);
    PANDORA_CHECK(found_.ask_for_repairs());
  }
  return {};
}

}  // namespace pandora
