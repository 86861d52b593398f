#include "store_server/qdrant_vector_store.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <unordered_map>

#include <fmt/format.h>

#include "ports/vector_checks.h"
#include "store_server/collection_copy.h"
#include "store_server/point_json.h"
#include "wire/qdrant_vectors.h"

namespace pandora {
namespace {

constexpr std::size_t kScrolledAtOnce = 512;                       // points of one page, without vectors
constexpr std::size_t kFetchedBytes = std::size_t{32} << 20;       // about, of one answer with vectors
constexpr std::size_t kBytesOfNumber = 12, kBytesOfPoint = 2'048;  // about
constexpr std::size_t kWrittenAtOnce = 1 << 20;                    // bytes of a snapshot

// The smallest id above; none above the last one.
std::optional<Uuid> successor(Uuid id) {
  for (std::size_t i = id.bytes.size(); i > 0; --i)
    if (++id.bytes[i - 1] != 0) return id;
  return std::nullopt;
}

class QdrantVectorStoreImpl final : public QdrantVectorStore {
 public:
  QdrantVectorStoreImpl(std::unique_ptr<QdrantApi> api, QdrantStoreOptions options, FileSystem& files)
      : api_(std::move(api)), options_(std::move(options)), files_(files) {}

  Status check(const Deadline& deadline) override {
    return api_->get("/collections", deadline).map([](auto&&) {});
  }

  Status ensure_collection(const CollectionSpec& spec, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("making a collection"));
    PANDORA_CHECK(check_spec(spec));
    const std::lock_guard shaping(shaping_);
    PANDORA_TRY(aliases, all_aliases(deadline));
    if (aliases.contains(there(spec.name))) return fail(ErrorCode::kConflict, spec.name + " is an alias");
    auto known = look(spec.name, deadline);
    if (!known && known.error().code == ErrorCode::kNotFound) {
      auto made = api_->send("PUT", path_of(spec.name), create_json(spec, options_.spread), Repeatable::kNo, deadline);
      // Somebody else made it meanwhile: what it is, is seen below.
      if (!made && made.error().code != ErrorCode::kConflict) return fail(std::move(made).error());
      known = look(spec.name, deadline);
    }
    if (!known) return fail(std::move(known).error());
    if (**known == spec) return {};
    const CollectionSpec& old = **known;
    return fail(
        ErrorCode::kIncompatible,
        fmt::format("collection {} of {} was made with {} ({} dimensions, analyser {}), this is {} ({}, analyser {})",
                    there(spec.name), api_->shown(), old.embedder, old.dimension, old.analyzer_version, spec.embedder,
                    spec.dimension, spec.analyzer_version),
        "use the encoder that it was made with, or remove that collection and run `pandora reconcile --apply`");
  }

  Result<std::vector<CollectionSpec>> collections(const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("listing collections"));
    PANDORA_TRY(names, collection_names(*api_, deadline));
    std::vector<CollectionSpec> specs;
    for (const std::string& name : names) {
      if (!name.starts_with(options_.prefix)) continue;
      const std::string here = name.substr(options_.prefix.size());
      if (!check_vector_name("collection", here)) continue;
      const auto known = look(here, deadline);
      if (known && (*known)->name == here) specs.push_back(**known);
      if (known || known.error().code == ErrorCode::kNotFound || known.error().code == ErrorCode::kIncompatible)
        continue;  // gone just now, or not ours
      return fail(known.error());
    }
    return specs;
  }

  Status drop_collection(const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("dropping a collection"));
    PANDORA_CHECK(check_vector_name("collection", name));
    const std::lock_guard shaping(shaping_);
    const auto known = look(name, deadline);
    if (!known && known.error().code == ErrorCode::kNotFound) return {};
    if (!known) return fail(known.error());
    auto dropped = api_->send("DELETE", path_of(name), "", Repeatable::kYes, deadline);
    forget_specs();
    return dropped.map([](auto&&) {});
  }

  Status alias_switch(const std::string& alias, const std::string& name, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("switching an alias"));
    PANDORA_CHECK(check_vector_name("alias", alias));
    PANDORA_CHECK(check_vector_name("collection", name));
    const std::lock_guard shaping(shaping_);
    PANDORA_TRY(names, collection_names(*api_, deadline));
    if (std::ranges::binary_search(names, there(alias)))
      return fail(ErrorCode::kConflict, fmt::format("{} is a collection", alias));
    if (!std::ranges::binary_search(names, there(name))) return no_collection(name);
    auto switched = api_->ask("/collections/aliases",
                              fmt::format(R"({{"actions":[{{"delete_alias":{{"alias_name":"{0}"}}}},)"
                                          R"({{"create_alias":{{"alias_name":"{0}","collection_name":"{1}"}}}}]}})",
                                          there(alias), there(name)),
                              deadline);
    forget_specs();
    return switched.map([](auto&&) {});
  }

  Result<std::size_t> upsert(const std::string& name, std::span<const Point> points, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("writing points"));
    PANDORA_TRY(spec, spec_of(name, deadline));
    PANDORA_CHECK(check_points(*spec, points, who));
    for (const Point& point : points) PANDORA_CHECK(check_times(point.payload));
    if (points.empty()) return 0;
    const std::shared_lock writing(writing_);
    PANDORA_TRY(written, newer_ones(name, points, who, deadline));
    for (std::span<const Point* const> left = written.points; !left.empty();) {
      std::string body = R"({"points":[)";
      std::size_t n = 0;
      for (; n < left.size() && body.size() < kMaxBatchBytes; ++n) {
        const std::size_t before = body.size();
        if (n > 0) body += ',';
        append_normalised(body, *spec, *left[n]);
        if (n == 0 || body.size() <= kMaxBatchBytes) continue;
        body.resize(before);  // it begins the next one
        break;
      }
      body += R"(],"update_filter":)" + replaceable_json(left.first(n), who) + '}';
      auto put = api_->send("PUT", path_of(name) + "/points?wait=true", std::move(body), Repeatable::kYes, deadline);
      if (!put) return fail(seen(std::move(put).error()));
      left = left.subspan(n);
    }
    return written.count;
  }

  Result<std::size_t> remove(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("removing points"));
    PANDORA_CHECK(check_ids(ids));
    PANDORA_TRY(spec, spec_of(name, deadline));
    const std::shared_lock writing(writing_);
    PANDORA_TRY(stored, heads(name, ids, deadline));
    std::vector<Uuid> gone;
    for (const auto& [id, point] : stored)
      if (writable_by(point.payload, who)) gone.push_back(id);
    if (gone.empty()) return 0;
    auto removed = api_->send("POST", path_of(name) + "/points/delete?wait=true",
                              R"({"filter":)" + removable_json(gone, who) + '}', Repeatable::kYes, deadline);
    if (!removed) return fail(seen(std::move(removed).error()));
    return gone.size();
  }

  Result<std::vector<ScoredPoint>> query(const std::string& name, const PointQuery& query, const Principal& who,
                                         const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("searching"));
    PANDORA_TRY(spec, spec_of(name, deadline));
    PANDORA_CHECK(check_query(*spec, query));
    PANDORA_CHECK(check_times(query.filter));
    const auto* sparse = std::get_if<SparseVector>(&query.nearest);
    if (query.limit == 0 || (sparse && sparse->indices.empty())) return std::vector<ScoredPoint>();
    const std::string asked = query_json(*spec, query, who);
    // One more than is wanted shows whether the last score goes on behind it; then all of that score are looked at.
    for (std::size_t limit = query.limit + 1;; limit *= 2) {
      limit = std::min(limit, std::max(kMostTied, query.limit));
      auto answer =
          api_->ask(path_of(name) + "/points/query", fmt::format("{},\"limit\":{}}}", asked, limit), deadline);
      if (!answer) return fail(seen(std::move(answer).error()));
      std::vector<ScoredPoint> found;
      const JsonNode points = answer->result().find("points");
      for (JsonNode node = points ? points.first() : JsonNode(); node; node = node.next()) {
        auto point = read_point(node);
        if (!point) continue;
        const JsonNode score = node.find("score");
        found.push_back(
            {point->id, score ? static_cast<float>(score.number()) : 0.0F, fields_of(point->payload, query.fields)});
      }
      std::ranges::sort(found, [](const ScoredPoint& a, const ScoredPoint& b) {
        return a.score != b.score ? a.score > b.score : a.id < b.id;
      });
      const bool tied = found.size() > query.limit && found[query.limit - 1].score == found.back().score;
      if (tied && found.size() == limit && limit < kMostTied) continue;
      if (found.size() > query.limit) found.resize(query.limit);
      return found;
    }
  }

  Result<std::vector<Point>> retrieve(const std::string& name, std::span<const Uuid> ids, const Principal& who,
                                      const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("fetching points"));
    PANDORA_CHECK(check_ids(ids));
    PANDORA_TRY(spec, spec_of(name, deadline));
    const std::size_t at_once =
        std::max<std::size_t>(1, kFetchedBytes / (spec->dimension * kBytesOfNumber + kBytesOfPoint));
    std::unordered_map<Uuid, Point> found;
    for (auto left = ids; !left.empty(); left = left.subspan(std::min(at_once, left.size())))
      PANDORA_CHECK(fetch(name, left.first(std::min(at_once, left.size())), R"("with_payload":true,"with_vector":true)",
                          found, deadline));
    std::vector<Point> points;
    for (const Uuid& id : ids)
      if (const auto point = found.find(id); point != found.end() && visible_to(point->second.payload, who))
        points.push_back(point->second);
    return points;
  }

  Result<std::vector<Point>> scroll(const std::string& name, const Filter& filter, const std::optional<Uuid>& after,
                                    std::size_t limit, const Principal& who, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("listing points"));
    PANDORA_CHECK(check_limit(limit));
    PANDORA_CHECK(check_filter(filter));
    PANDORA_CHECK(check_times(filter));
    PANDORA_TRY(spec, spec_of(name, deadline));
    std::vector<Point> points;
    const std::string only = filter_json(*spec, filter, who);
    // Ids that are numbers, of whoever else writes there, come before all of ours.
    for (auto from = after ? successor(*after) : std::optional(Uuid()); from && points.size() < limit;) {
      const std::size_t page = std::min(kScrolledAtOnce, limit - points.size());
      auto answer = api_->ask(path_of(name) + "/points/scroll",
                              fmt::format(R"({{"limit":{},"offset":"{}","with_payload":true,"with_vector":false{}}})",
                                          page, from->to_string(), only.empty() ? "" : ",\"filter\":" + only),
                              deadline);
      if (!answer) return fail(seen(std::move(answer).error()));
      std::size_t n = 0;
      const JsonNode list = answer->result().find("points");
      for (JsonNode node = list ? list.first() : JsonNode(); node; node = node.next(), ++n)
        if (auto point = read_point(node)) points.push_back(*std::move(point));
      if (n < page || points.empty()) break;
      from = successor(points.back().id);
    }
    return points;
  }

  Result<std::int64_t> count(const std::string& name, const Filter& filter, const Principal& who,
                             const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("counting points"));
    PANDORA_CHECK(check_filter(filter));
    PANDORA_CHECK(check_times(filter));
    PANDORA_TRY(spec, spec_of(name, deadline));
    const std::string only = filter_json(*spec, filter, who);
    auto answer = api_->ask(path_of(name) + "/points/count",
                            fmt::format(R"({{"exact":true{}}})", only.empty() ? "" : ",\"filter\":" + only), deadline);
    if (!answer) return fail(seen(std::move(answer).error()));
    const JsonNode count = answer->result().find("count");
    return count ? count.integer().value_or(0) : 0;
  }

  // Lines of JSON (store_server/collection_copy.h). Writes of this process wait for it; what others write meanwhile may
  // be in it or not.
  Status snapshot(const std::string& name, const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(deadline.check("copying a collection"));
    PANDORA_TRY(spec, spec_of(name, deadline));
    if (files_.exists(path)) return fail(ErrorCode::kConflict, path + " exists");
    const std::unique_lock alone(writing_);
    PANDORA_TRY(file, files_.open(path, OpenMode::kCreateNew));
    Status copied = copy_to(*file, there(spec->name), deadline);
    file.reset();
    if (!copied) (void)files_.remove_file(path);
    return copied;
  }

 private:
  using Spec = std::shared_ptr<const CollectionSpec>;

  static tl::unexpected<Error> no_collection(const std::string& name) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no collection {}", name));
  }
  std::string there(const std::string& name) const { return options_.prefix + name; }
  std::string path_of(const std::string& name) const { return "/collections/" + there(name); }

  // By name or alias, as it was seen last.
  Result<Spec> spec_of(const std::string& name, const Deadline& deadline) {
    {
      const std::shared_lock lock(specs_mutex_);
      if (const auto found = specs_.find(name); found != specs_.end()) return found->second;
    }
    if (!check_vector_name("collection", name)) return no_collection(name);
    return look(name, deadline);
  }

  // As it is now. kNotFound; kIncompatible: not ours, or not what it should be.
  Result<Spec> look(const std::string& name, const Deadline& deadline) {
    const std::uint64_t generation = generation_;
    auto answer = api_->get(path_of(name), deadline);
    if (!answer && answer.error().code == ErrorCode::kNotFound) return no_collection(name);
    if (!answer) return fail(std::move(answer).error());
    const std::string shown = fmt::format("collection {} of {}", there(name), api_->shown());
    PANDORA_TRY(known, read_collection(answer->result(), shown));
    if (!known)
      return fail(ErrorCode::kIncompatible, shown + " was not made by Pandora",
                  "remove it, or set qdrant.prefix so that other names are used");
    for (const auto& [field, type] : known->lacking)
      PANDORA_CHECK(
          api_->send("PUT", path_of(name) + "/index?wait=true", index_json(field, type), Repeatable::kYes, deadline)
              .map([](auto&&) {}));
    const Spec spec = std::make_shared<const CollectionSpec>(std::move(known->spec));
    const std::unique_lock lock(specs_mutex_);
    if (generation == generation_) specs_[name] = spec;
    return spec;
  }
  void forget_specs() {
    const std::unique_lock lock(specs_mutex_);
    ++generation_;
    specs_.clear();
  }
  // A collection that is not what it was: somebody else changed it.
  Error seen(Error error) {
    if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kIncompatible) forget_specs();
    return error;
  }

  Result<std::set<std::string>> all_aliases(const Deadline& deadline) {
    PANDORA_TRY(answer, api_->get("/aliases", deadline));
    std::set<std::string> names;
    const JsonNode list = answer.result().find("aliases");
    for (JsonNode one = list ? list.first() : JsonNode(); one; one = one.next())
      if (const JsonNode name = one.find("alias_name")) names.insert(name.text());
    return names;
  }

  Status fetch(const std::string& name, std::span<const Uuid> ids, std::string_view with,
               std::unordered_map<Uuid, Point>& found, const Deadline& deadline) {
    std::string body = R"({"ids":)";
    append_ids(body, ids);
    auto answer = api_->ask(path_of(name) + "/points", fmt::format("{},{}}}", body, with), deadline);
    if (!answer) return fail(seen(std::move(answer).error()));
    for (JsonNode node = answer->result().first(); node; node = node.next())
      if (auto point = read_point(node)) found[point->id] = *std::move(point);
    return {};
  }
  // Whose they are, and their versions.
  Result<std::unordered_map<Uuid, Point>> heads(const std::string& name, std::span<const Uuid> ids,
                                                const Deadline& deadline) {
    std::unordered_map<Uuid, Point> found;
    if (ids.empty()) return found;
    const std::string with = fmt::format(R"("with_payload":["user_id","{}"],"with_vector":false)", kVersionField);
    PANDORA_CHECK(fetch(name, ids, with, found, deadline));
    return found;
  }

  struct Newer {
    std::vector<const Point*> points;  // the last one of each id
    std::size_t count = 0;             // as if each had been written by itself
  };
  Result<Newer> newer_ones(const std::string& name, std::span<const Point> points, const Principal& who,
                           const Deadline& deadline) {
    std::vector<Uuid> ids;
    for (const Point& point : points) ids.push_back(point.id);
    PANDORA_TRY(stored, heads(name, ids, deadline));
    for (const auto& [id, point] : stored)
      if (!writable_by(point.payload, who))
        return fail(ErrorCode::kPermissionDenied, fmt::format("point {} belongs to another user", id.to_string()));
    Newer newer;
    std::unordered_map<Uuid, std::size_t> place;
    for (const Point& point : points) {
      const auto before = stored.find(point.id);
      if (before != stored.end() && point.version < before->second.version) continue;
      stored[point.id].version = point.version;
      ++newer.count;
      const auto [at, is_new] = place.try_emplace(point.id, newer.points.size());
      if (is_new)
        newer.points.push_back(&point);
      else
        newer.points[at->second] = &point;
    }
    return newer;
  }

  static void append_normalised(std::string& out, const CollectionSpec& spec, const Point& point) {
    Point normal = point;
    for (auto& [name, vector] : normal.dense) normalise(vector);
    append_point(out, spec, normal);
  }

  // Open: without its limit.
  std::string query_json(const CollectionSpec& spec, const PointQuery& query, const Principal& who) const {
    std::string out = R"({"query":)";
    if (const auto* dense = std::get_if<std::vector<float>>(&query.nearest)) {
      std::vector<float> vector = *dense;
      normalise(vector);
      qdrant::append_dense(out, vector.data(), vector.size());
      if (options_.exact) out += R"(,"params":{"exact":true})";
    } else {
      qdrant::append_sparse(out, std::get<SparseVector>(query.nearest));
      out += fmt::format(R"(,"using":"{}")", query.vector);
    }
    if (const std::string only = filter_json(spec, query.filter, who); !only.empty()) out += R"(,"filter":)" + only;
    out += R"(,"with_payload":)";
    if (!query.with_payload || query.fields.empty()) return out += query.with_payload ? "true" : "false";
    for (std::size_t i = 0; i < query.fields.size(); ++i)
      out += fmt::format(R"({}"{}")", i == 0 ? '[' : ',', query.fields[i]);
    return out += fmt::format(R"(,"{}"])", kFractionsField);
  }

  Status copy_to(File& file, const std::string& name, const Deadline& deadline) {
    std::string waiting;
    const auto write = [&](std::string_view line) -> Status {
      waiting.append(line) += '\n';
      if (waiting.size() < kWrittenAtOnce) return {};
      return file.append(std::exchange(waiting, {}));
    };
    const auto progress = [](std::int64_t, const std::string&) { return Status(); };
    PANDORA_CHECK(export_collection(*api_, name, write, progress, deadline).map([](auto) {}));
    PANDORA_CHECK(file.append(waiting));
    return file.sync();
  }

  const std::unique_ptr<QdrantApi> api_;
  const QdrantStoreOptions options_;
  FileSystem& files_;
  std::mutex shaping_;         // held while collections and aliases change
  std::shared_mutex writing_;  // shared by whoever writes points
  std::shared_mutex specs_mutex_;
  std::atomic<std::uint64_t> generation_ = 0;  // changed under specs_mutex_
  std::unordered_map<std::string, Spec> specs_;
};

}  // namespace

Result<std::unique_ptr<QdrantVectorStore>> QdrantVectorStore::open(QdrantStoreOptions options, HttpClient& client,
                                                                   FileSystem& files) {
  if (!options.prefix.empty()) PANDORA_CHECK(check_vector_name("prefix", options.prefix));
  if (options.prefix.size() > kMaxPrefixBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a prefix of {} bytes, at most {}", options.prefix.size(), kMaxPrefixBytes));
  PANDORA_TRY(api, QdrantApi::create(options.server, client));
  return std::make_unique<QdrantVectorStoreImpl>(std::move(api), std::move(options), files);
}

}  // namespace pandora
