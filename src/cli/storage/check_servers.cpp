#include "cli/storage/check_servers.h"

#include <fmt/format.h>

#include "cli/storage/postgres_settings.h"
#include "cli/storage/served_bucket.h"
#include "cli/storage/served_points.h"
#include "cli/storage/shared_cache.h"
#include "cli/terminal/output.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);

Result<std::string> look_at_points(const Config& config, const Deadline& deadline) {
  const SystemClock clock;
  const auto files = make_posix_file_system();
  PANDORA_TRY(points, open_served_points(config, *files, clock));
  PANDORA_TRY(collections, points->store().collections(deadline));
  return fmt::format("Qdrant answers and has {} collections of ours", collections.size());
}

}  // namespace

int check_servers(const Config& config, bool json) {
  const SystemClock clock;
  const auto rows = rows_are_served(config), points = points_are_served(config), cache = cache_is_shared(config),
             objects = objects_are_served(config), documents = documents_are_served(config);
  if (!rows) return report(rows.error());
  if (!points) return report(points.error());
  if (!cache) return report(cache.error());
  if (!objects) return report(objects.error());
  if (!documents) return report(documents.error());
  int code = 0;
  Json answers = Json::array();
  const auto note = [&](const char* setting, const Result<std::string>& found) {
    if (!found && code == 0) code = error_info(found.error().code).exit_code;
    answers.push_back({{"setting", setting},
                       {"ok", found.has_value()},
                       {"found", found ? *found : found.error().message},
                       {"remedy", found ? "" : found.error().remedy}});
    if (!json) print_out(fmt::format("{}: {}\n", setting, found ? *found : found.error().to_line()));
  };
  const auto patience = [&] { return Deadline::after(clock, kPatience); };
  note("rows.store", *rows ? look_at_postgres(config, clock, patience()) : Result<std::string>("embedded"));
  note("points.store", *points ? look_at_points(config, patience()) : Result<std::string>("embedded"));
  note("objects.store", *objects ? look_at_objects_in_s3(config, clock, patience()) : Result<std::string>("embedded"));
  note("documents.store",
       *documents ? look_at_documents_in_s3(config, clock, patience()) : Result<std::string>("embedded"));
  note("cache.store", *cache ? look_at_redis(config, clock, patience()) : Result<std::string>("embedded"));
  if (json) print_out(Json{{"checks", answers}}.dump(2) + "\n");
  return code;
}

}  // namespace pandora
