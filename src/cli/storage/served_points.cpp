#include "cli/storage/served_points.h"

#include <fmt/format.h>

#include "cli/storage/data_paths.h"
#include "net/io_threads.h"
#include "store_server/qdrant_vector_store.h"

namespace pandora {
namespace {

constexpr Duration kConnect = std::chrono::seconds(5);

QdrantStoreOptions options_of(const Config& config) {
  QdrantStoreOptions options;
  options.server.url = config.string("qdrant.url");
  if (options.server.url.empty())
    options.server.url = fmt::format("http://{}:{}", config.string("qdrant.host"), config.integer("qdrant.port"));
  options.server.api_key = config.string("qdrant.api_key");
  const Duration patience = std::chrono::milliseconds(config.integer("qdrant.timeout_ms"));
  options.server.timeouts = {std::min(kConnect, patience), patience, patience};
  options.spread = {config.integer("qdrant.shard_number"), config.integer("qdrant.replication_factor"),
                    config.integer("qdrant.write_consistency_factor")};
  options.prefix = config.string("qdrant.prefix");
  options.exact = config.boolean("qdrant.exact");
  return options;
}

class ServedPointsImpl final : public ServedPoints {
 public:
  explicit ServedPointsImpl(const Clock& clock) : threads_(clock) {}
  Status open(const Config& config, FileSystem& files) {
    PANDORA_TRY(client,
                HttpClient::create(
                    {.limits = {}, .ca_file = expanded_path(config.string("qdrant.ca")), .unix_socket = ""}, threads_));
    client_ = std::move(client);
    PANDORA_TRY(store, QdrantVectorStore::open(options_of(config), *client_, files));
    store_ = std::move(store);
    return {};
  }
  VectorStore& store() override { return *store_; }

 private:
  IoThreads threads_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<QdrantVectorStore> store_;
};

}  // namespace

Result<bool> points_are_served(const Config& config) {
  const std::string& where = config.string("points.store");
  if (where == "qdrant") return true;
  if (where == "embedded") return false;
  return fail(ErrorCode::kInvalidArgument, fmt::format("points.store is \"{}\"", where),
              "set it to embedded or qdrant");
}

Result<std::unique_ptr<ServedPoints>> open_served_points(const Config& config, FileSystem& files, const Clock& clock) {
  auto points = std::make_unique<ServedPointsImpl>(clock);
  PANDORA_CHECK(points->open(config, files));
  return std::unique_ptr<ServedPoints>(std::move(points));
}

Status drop_served_points(const Config& config, FileSystem& files, const Clock& clock) {
  PANDORA_TRY(served, points_are_served(config));
  if (!served) return {};
  PANDORA_TRY(points, open_served_points(config, files, clock));
  PANDORA_TRY(specs, points->store().collections(Deadline::never()));
  for (const auto& spec : specs) PANDORA_CHECK(points->store().drop_collection(spec.name, Deadline::never()));
  return {};
}

}  // namespace pandora
