#include "s3/s3_bucket.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "s3/s3_xml.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{4} << 20;  // of what is no object
constexpr std::size_t kMaxBucket = 63, kMinBucket = 3, kMaxRegion = 64, kMaxKey = 1'024;
constexpr int kOk = 200, kNoContent = 204;

bool is_name(std::string_view text, std::string_view more) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
  });
}

tl::unexpected<Error> wrong(std::string_view what, std::string_view remedy) {
  return fail(ErrorCode::kInvalidArgument, std::string(what), std::string(remedy));
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The server had no time, or two calls met; another attempt may find it in a better hour.
bool is_worth_repeating(int status) {
  return status == 409 || status == 429 || status == 500 || status == 502 || status == 503;
}

}  // namespace

Result<std::unique_ptr<S3Bucket>> S3Bucket::create(S3Options options, HttpClient& client, const Clock& clock) {
  if (options.endpoint.empty()) return wrong("S3 has no endpoint", "set S3_ENDPOINT, as http://127.0.0.1:7070");
  PANDORA_TRY(endpoint, parse_url(options.endpoint));
  if (endpoint.target != "/")
    return wrong("the endpoint of S3 has a path", "set S3_ENDPOINT without one, and S3_BUCKET");
  if (options.bucket.size() < kMinBucket || options.bucket.size() > kMaxBucket || !is_name(options.bucket, ".-"))
    return wrong(fmt::format("\"{}\" is no name of a bucket", one_line(ellipsize(options.bucket, kMaxBucket))),
                 "set S3_BUCKET: 3 to 63 small letters, digits, - and .");
  if (options.region.size() > kMaxRegion || !is_name(options.region, "-"))
    return wrong("AWS_REGION names no region", "set it as us-east-1");
  if (options.credentials.access_key.empty() || options.credentials.secret_key.empty())
    return wrong("S3 has no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or their _FILE");
  return std::unique_ptr<S3Bucket>(new S3Bucket(std::move(options), std::move(endpoint), client, clock));
}

S3Bucket::S3Bucket(S3Options options, Url endpoint, HttpClient& client, const Clock& clock)
    : options_(std::move(options)), endpoint_(std::move(endpoint)), client_(client), clock_(clock) {}

std::string S3Bucket::place() const {
  return fmt::format("{} at {}://{}", options_.bucket, endpoint_.scheme, endpoint_.authority());
}

Result<HttpResponse> S3Bucket::send_once(const Call& call, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("asking S3"));
  S3Request request;
  request.method = call.method;
  request.host = endpoint_.authority();
  request.path = "/" + call.key;
  if (options_.style == S3Style::kPath)
    request.path = fmt::format("/{}{}", options_.bucket, call.key.empty() ? "" : request.path);
  else
    request.host = options_.bucket + "." + request.host;
  request.query = call.query;
  request.headers = call.headers;
  request.payload_sha256 = call.sha256.empty() ? sha256_hex(call.body) : call.sha256;
  const std::string query = s3_query(call.query);
  HttpCallRequest sent;
  sent.method = call.method;
  sent.url = fmt::format("{}://{}{}{}{}", endpoint_.scheme, request.host, s3_encoded(request.path, Slash::kKept),
                         query.empty() ? "" : "?", query);
  sent.headers = s3_signed(request, options_.credentials, options_.region, clock_.now());
  sent.body = call.body;
  sent.options.timeouts = options_.timeouts;
  sent.options.repeatable = Repeatable::kYes;
  sent.options.max_body_bytes = call.method == "GET" && !call.key.empty() ? kMaxS3Bytes : kMaxAnswerBytes;
  return client_.fetch(std::move(sent), deadline);
}

Result<HttpResponse> S3Bucket::send(const Call& call, const Deadline& deadline) {
  Duration pause = options_.pause;
  for (int attempt = 1;; ++attempt) {
    auto response = send_once(call, deadline);
    const bool again =
        response ? is_worth_repeating(response->status) : response.error().code == ErrorCode::kUnavailable;
    if (again && attempt < kS3Attempts && deadline.remaining() > pause) {
      std::this_thread::sleep_for(pause);
      pause *= 2;
      continue;
    }
    if (!response) {
      Error error = std::move(response).error();
      if (error.code == ErrorCode::kUnavailable)
        error.remedy = error.message.find("no TLS") != std::string::npos
                           ? "is it https, and does S3_CA name who signed its certificate? It is tried again"
                           : "is it running, and S3_ENDPOINT right? It is tried again";
      return fail(std::move(error).with_context("S3 (" + place() + ")"));
    }
    if (response->status == kOk || response->status == kNoContent) return response;
    return fail(error_of(*response, call));
  }
}

Error S3Bucket::error_of(const HttpResponse& response, const Call& call) const {
  const S3Fault fault = read_s3_fault(response.body);
  const int status = response.status;
  const auto error = [&](ErrorCode code, std::string_view remedy) {
    const std::string said =
        fault.code.empty() ? fmt::format("status {}", status) : fmt::format("{}: {}", fault.code, fault.message);
    return Error{code, fmt::format("S3 ({}): {}", place(), one_line(said)), std::string(remedy)};
  };
  using enum ErrorCode;
  constexpr std::string_view kKeys = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or their _FILE";
  if (fault.code == "RequestTimeTooSkewed")
    return error(kUnavailable, "its clock and this one differ: set the system's clock");
  if (fault.code == "InvalidAccessKeyId" || fault.code == "SignatureDoesNotMatch" || status == 401 ||
      fault.code == "XAdminUserNotFound")  // of versitygw
    return error(kUnauthenticated, kKeys);
  if (fault.code == "ExpiredToken" || fault.code == "InvalidToken")
    return error(kUnauthenticated, "set AWS_SESSION_TOKEN anew");
  if (fault.code == "AuthorizationHeaderMalformed")
    return error(kInvalidArgument, "set AWS_REGION to that of the bucket");
  if (fault.code == "NoSuchBucket") return error(kInvalidArgument, "make the bucket, or set another S3_BUCKET");
  if (fault.code.find("Quota") != std::string::npos || fault.code == "XMinioStorageFull" || status == 507)
    return error(kStorageFull, "make room there");
  if (status == 403)
    return error(kPermissionDenied, "let these credentials read, write, list and delete in the bucket");
  // HEAD has no body to say more.
  if (fault.code == "NoSuchUpload") return error(kNotFound, "it is tried again");
  if (status == 404 && !call.key.empty() && (fault.code.empty() || fault.code == "NoSuchKey"))
    return {kNotFound, fmt::format("{} is not in {}", call.key, place()), ""};
  if (status == 404 && fault.code.empty()) return error(kInvalidArgument, "make the bucket, or set another S3_BUCKET");
  if (status == 412) return error(kConflict, "");
  if (status == 413 || fault.code == "EntityTooLarge") return error(kTooLarge, "raise its limit");
  if (status == 429 || fault.code == "SlowDown")
    return error(kResourceExhausted, "it has too much to do: try again later");
  if (status == 301 || status == 307)
    return error(kInvalidArgument, "it is elsewhere: set S3_ENDPOINT and AWS_REGION to those of the bucket");
  if (status == 501 || status == 405) return error(kIncompatible, "it does not serve this: use another server");
  return error(kUnavailable, status >= 500 ? "see its log" : "is S3_ENDPOINT right?");
}

Result<std::string> S3Bucket::put(const std::string& key, std::string_view bytes, const std::string& media_type,
                                  S3When when, const Deadline& deadline) {
  Call call;
  if (when == S3When::kNew) call.headers["if-none-match"] = "*";
  return store(std::move(call), key, bytes, media_type, deadline);
}

Result<std::string> S3Bucket::replace(const std::string& key, std::string_view bytes, const std::string& media_type,
                                      const std::string& tag, const Deadline& deadline) {
  Call call;
  call.headers["if-match"] = tag;
  return store(std::move(call), key, bytes, media_type, deadline);
}

Status S3Bucket::check_conditions(const std::string& key, const Deadline& deadline) {
  constexpr const char* kType = "text/plain";
  const auto must_conflict = [&](const Result<std::string>& stored, const char* condition) -> Status {
    if (!stored && stored.error().code == ErrorCode::kConflict) return {};
    if (!stored) return fail(stored.error());
    return fail(ErrorCode::kIncompatible, fmt::format("{} takes {} and does not keep it", place(), condition),
                "two gateways would overwrite each other's folders there: use another server");
  };
  const auto looked = [&]() -> Status {
    PANDORA_TRY(tag, put(key, "one", kType, S3When::kNew, deadline));
    PANDORA_CHECK(must_conflict(put(key, "another", kType, S3When::kNew, deadline), "If-None-Match"));
    PANDORA_TRY(next, replace(key, "two", kType, tag, deadline));
    return must_conflict(replace(key, "another", kType, tag, deadline), "If-Match");
  };
  Status kept = looked();
  const Status removed = remove(key, deadline);
  return kept ? removed : kept;
}

Result<std::string> S3Bucket::store(Call call, const std::string& key, std::string_view bytes,
                                    const std::string& media_type, const Deadline& deadline) {
  if (key.empty() || key.size() > kMaxKey) return wrong("this is no key of S3", "");
  if (bytes.size() > kMaxS3Bytes)
    return fail(ErrorCode::kTooLarge, fmt::format("an object of {} bytes, at most {}", bytes.size(), kMaxS3Bytes));
  call.method = "PUT", call.key = key, call.body = bytes;
  call.headers["content-type"] = media_type;
  if (bytes.size() > kS3PartBytes) return store_in_parts(call, deadline);
  PANDORA_TRY(response, send(call, deadline));
  return std::string(response.headers.get("ETag"));
}

// A part that was sent for nothing takes room until it is given up.
Result<std::string> S3Bucket::store_in_parts(const Call& whole, const Deadline& deadline) {
  // What it takes the place of is found out before so much is sent; of what may take none's place, or one's alone, the
  // last call makes it certain.
  std::string before;
  if (const auto tag = whole.headers.find("if-match"); tag != whole.headers.end()) {
    before = tag->second;
  } else {
    const auto there = head(whole.key, deadline);
    if (there && whole.headers.contains("if-none-match"))
      return fail(ErrorCode::kConflict, fmt::format("{} is in {} already", whole.key, place()));
    if (!there && there.error().code != ErrorCode::kNotFound) return fail(there.error());
    if (there) before = there->tag;
  }
  Call begin{"POST", whole.key, {{"uploads", ""}}, {{"content-type", whole.headers.at("content-type")}}, {}, {}};
  PANDORA_TRY(begun, send(begin, deadline));
  PANDORA_TRY(upload, read_s3_upload(begun.body));
  const auto parts = [&]() -> Result<std::string> {
    std::vector<std::string> tags;
    for (std::string_view left = whole.body; !left.empty();) {
      const std::string_view part = left.substr(0, kS3PartBytes);
      left.remove_prefix(part.size());
      const Call one{"PUT", whole.key, {{"partNumber", std::to_string(tags.size() + 1)}, {"uploadId", upload}},
                     {},    part,      {}};
      PANDORA_TRY(taken, send(one, deadline));
      tags.emplace_back(taken.headers.get("ETag"));
    }
    const std::string list = s3_part_list(tags);
    Call end{"POST", whole.key, {{"uploadId", upload}}, whole.headers, list, {}};
    end.headers.erase("content-type");
    auto ended = send(end, deadline);
    if (!ended && ended.error().code == ErrorCode::kNotFound)
      return put_together_already(whole, before, ended.error(), deadline);
    if (!ended) return fail(std::move(ended).error());
    // It may take its time, and so says 200 before it knows.
    if (const S3Fault fault = read_s3_fault(ended->body); !fault.code.empty())
      return fail(ErrorCode::kUnavailable, fmt::format("S3 ({}): {}: {}", place(), fault.code, fault.message));
    return read_s3_tag(ended->body);
  }();
  if (!parts) {
    const Call give_up{"DELETE", whole.key, {{"uploadId", upload}}, {}, {}, {}};
    (void)send_once(give_up, Deadline::after(clock_, options_.timeouts.first_byte));
  }
  return parts;
}

// A server that put the parts together, and whose answer was cut off, may know nothing of the upload when it is asked
// again. What is there now is ours when it is not what was there before. The same bytes as before may have the same
// tag, and then nobody can tell: who puts them again as a whole does no harm.
Result<std::string> S3Bucket::put_together_already(const Call& whole, const std::string& before, const Error& unknown,
                                                   const Deadline& deadline) {
  const auto there = head(whole.key, deadline);
  if (there && there->tag != before && there->size == whole.body.size()) return there->tag;
  return fail(ErrorCode::kUnavailable, unknown.message, unknown.remedy);
}

Result<S3Object> S3Bucket::get(const std::string& key, const Deadline& deadline) {
  Call call;
  call.key = key;
  PANDORA_TRY(response, send(call, deadline));
  return S3Object{std::move(response.body), std::string(response.headers.get("Content-Type")),
                  std::string(response.headers.get("ETag"))};
}

Result<S3Head> S3Bucket::head(const std::string& key, const Deadline& deadline) {
  Call call;
  call.method = "HEAD", call.key = key;
  PANDORA_TRY(response, send(call, deadline));
  return S3Head{number_of(response.headers.get("Content-Length")), std::string(response.headers.get("Content-Type")),
                std::string(response.headers.get("ETag"))};
}

Status S3Bucket::remove(const std::string& key, const Deadline& deadline) {
  Call call;
  call.method = "DELETE", call.key = key;
  const auto removed = send(call, deadline);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return fail(removed.error());
  return {};
}

Result<S3Page> S3Bucket::list(const Listing& listing, const Deadline& deadline) {
  Call call;
  call.query = {{"list-type", "2"}, {"max-keys", std::to_string(std::min(listing.limit, kMaxS3Page))}};
  if (!listing.prefix.empty()) call.query["prefix"] = listing.prefix;
  if (!listing.delimiter.empty()) call.query["delimiter"] = listing.delimiter;
  if (!listing.next.empty())
    call.query["continuation-token"] = listing.next;
  else if (!listing.after.empty())
    call.query["start-after"] = listing.after;
  PANDORA_TRY(response, send(call, deadline));
  auto page = read_s3_page(response.body);
  if (!page) return fail(std::move(page).error().with_context("S3 (" + place() + ")"));
  return page;
}

Status S3Bucket::check(const std::string& prefix, const Deadline& deadline) {
  return list({.prefix = prefix, .limit = 1}, deadline).map([](auto&&) {});
}

}  // namespace pandora
