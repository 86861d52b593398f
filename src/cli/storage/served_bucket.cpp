#include "cli/storage/served_bucket.h"

#include <fmt/format.h>

#include "base/ids.h"
#include "base/random.h"
#include "cli/storage/data_paths.h"
#include "net/io_threads.h"
#include "store_server/s3_document_store.h"
#include "store_server/s3_object_store.h"

namespace pandora {
namespace {

constexpr Duration kConnect = std::chrono::seconds(5);
constexpr std::size_t kMaxPrefix = 128;
constexpr std::string_view kProbe = "whether objects can be kept here";

Result<bool> is_served(const Config& config, std::string_view setting) {
  const std::string& where = config.string(setting);
  if (where == "s3") return true;
  if (where == "embedded") return false;
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} is \"{}\"", setting, where), "set it to embedded or s3");
}

Result<S3Options> s3_options(const Config& config) {
  S3Options options;
  options.endpoint = config.string("s3.endpoint");
  options.region = config.string("s3.region");
  options.bucket = config.string("s3.bucket");
  options.credentials = {config.string("s3.access_key"), config.string("s3.secret_key"),
                         config.string("s3.session_token")};
  const Duration patience = std::chrono::milliseconds(config.integer("s3.timeout_ms"));
  options.timeouts = {std::min(kConnect, patience), patience, patience};
  if (options.endpoint.empty()) options.endpoint = fmt::format("https://s3.{}.amazonaws.com", options.region);
  const std::string& style = config.string("s3.style");
  if (style != "path" && style != "virtual")
    return fail(ErrorCode::kInvalidArgument, fmt::format("s3.style is \"{}\"", style), "set it to path or virtual");
  options.style = style == "virtual" ? S3Style::kVirtual : S3Style::kPath;
  return options;
}

class ServedBucketImpl final : public ServedBucket {
 public:
  explicit ServedBucketImpl(const Clock& clock) : clock_(clock), threads_(clock) {}
  Status open(const Config& config) {
    const std::string& prefix = config.string("s3.prefix");
    if (prefix.size() > kMaxPrefix)
      return fail(ErrorCode::kTooLarge, fmt::format("s3.prefix has {} bytes, at most {}", prefix.size(), kMaxPrefix));
    PANDORA_TRY(options, s3_options(config));
    PANDORA_TRY(client,
                HttpClient::create({.limits = {}, .ca_file = expanded_path(config.string("s3.ca")), .unix_socket = ""},
                                   threads_));
    client_ = std::move(client);
    PANDORA_TRY(of_objects, S3Bucket::create(options, *client_, clock_));
    PANDORA_TRY(of_documents, S3Bucket::create(options, *client_, clock_));
    PANDORA_TRY(itself, S3Bucket::create(options, *client_, clock_));
    bucket_ = std::move(itself);
    objects_ = std::make_unique<S3ObjectStore>(std::move(of_objects), prefix + "objects/");
    documents_ = std::make_unique<S3DocumentStore>(std::move(of_documents), prefix, clock_);
    return {};
  }
  ObjectStore& objects() override { return *objects_; }
  DocumentStore& documents() override { return *documents_; }
  S3Bucket& bucket() { return *bucket_; }

 private:
  const Clock& clock_;
  IoThreads threads_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<S3ObjectStore> objects_;
  std::unique_ptr<S3DocumentStore> documents_;
  std::unique_ptr<S3Bucket> bucket_;
};

}  // namespace

Result<bool> objects_are_served(const Config& config) { return is_served(config, "objects.store"); }
Result<bool> documents_are_served(const Config& config) { return is_served(config, "documents.store"); }

Result<std::unique_ptr<ServedBucket>> open_served_bucket(const Config& config, const Clock& clock) {
  auto bucket = std::make_unique<ServedBucketImpl>(clock);
  PANDORA_CHECK(bucket->open(config));
  return std::unique_ptr<ServedBucket>(std::move(bucket));
}

Result<std::string> look_at_objects_in_s3(const Config& config, const Clock& clock, const Deadline& deadline) {
  ServedBucketImpl bucket(clock);
  PANDORA_CHECK(bucket.open(config));
  ObjectStore& store = bucket.objects();
  PANDORA_TRY(before, store.list("", 1, deadline));
  PANDORA_TRY(key, store.put(kProbe, "text/plain", deadline));
  PANDORA_CHECK(store.get(key, deadline));
  PANDORA_CHECK(store.remove(key, deadline));
  return fmt::format("S3, {}, keeps and gives back{}", bucket.bucket().place(),
                     before.empty() ? "; it has no object of ours" : "");
}

Result<std::string> look_at_documents_in_s3(const Config& config, const Clock& clock, const Deadline& deadline) {
  ServedBucketImpl bucket(clock);
  PANDORA_CHECK(bucket.open(config));
  SystemRandom random;
  UuidV7Generator ids(clock, random);
  const std::string key = fmt::format("{}checks/{}", config.string("s3.prefix"), ids.next().to_string());
  PANDORA_CHECK(bucket.bucket().check_conditions(key, deadline));
  PANDORA_TRY(turns, bucket.documents().exists("turns", deadline));
  return fmt::format("S3, {}, keeps and gives back, and keeps conditions{}", bucket.bucket().place(),
                     turns ? "" : "; it has no turn of ours");
}

}  // namespace pandora
