#include "store_server/qdrant_api.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "net/url.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxShownBytes = 400;  // of what a server says
constexpr int kOk = 200;

// What the server says of a refusal: its own words, a plain text, or nothing.
struct Said {
  std::string text;
  bool is_api = false;  // in the form of Qdrant's API
};
Said said_in(const HttpResponse& response) {
  if (const auto tape = JsonTape::parse(response.body)) {
    const JsonNode status = tape->root().is_object() ? tape->root().find("status") : JsonNode();
    const JsonNode error = status && status.is_object() ? status.find("error") : JsonNode();
    if (error && error.is_string()) return {one_line(ellipsize(error.text(), kMaxShownBytes)), true};
    return {};
  }
  return {one_line(ellipsize(sanitize_utf8(trim(response.body)), kMaxShownBytes)), false};
}

bool mentions(const Said& said, std::string_view words) { return said.text.find(words) != std::string::npos; }

std::optional<QdrantVersion> parse_version(std::string_view text) {
  QdrantVersion version;
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.minor);
  return minor.ec == std::errc() ? std::optional(version) : std::nullopt;
}

}  // namespace

Error qdrant_error(const QdrantServer& server, const HttpResponse& response) {
  const Said said = said_in(response);
  const int status = response.status;
  const auto error = [&](ErrorCode code, std::string_view otherwise, std::string remedy) {
    return Error(code,
                 fmt::format("{} at {}: {}", server.name, server.url,
                             said.text.empty() ? fmt::format("{} (status {})", otherwise, status) : said.text),
                 std::move(remedy));
  };
  using enum ErrorCode;
  if (status == 401) return error(kUnauthenticated, "it asks for a key", server.key_remedy);
  if (status == 403) return error(kPermissionDenied, "its key does not allow this", server.key_remedy);
  if (status == 408) return error(kDeadlineExceeded, "it was not done in time", "try again");
  if (status == 413) return error(kTooLarge, "the request is too long for it", "raise its max_request_size_mb");
  if (status == 429) return error(kResourceExhausted, "it has too much to do", "try again later");
  if (status == 507) return error(kStorageFull, "its disk is full", "free space where it keeps its data");
  if (status == 405 || status == 501) return error(kIncompatible, "it does not serve this", "use another server");
  if (status == 503) return error(kUnavailable, "it is not ready", "try again");
  if (status >= 500) return error(kUnavailable, "it failed", "see its log");
  if (!said.is_api) return error(kUnavailable, "this is no answer of Qdrant's API", "is its URL right?");
  if (status == 404) return error(kNotFound, "", "look at GET /collections there");
  if (status == 409 || mentions(said, "already exists"))
    return error(kConflict, "", "use another name, or remove what is there");
  if (mentions(said, "Vector dimension error") || mentions(said, "Not existing vector name") ||
      mentions(said, "sparse and regular vectors"))
    return error(kIncompatible, "", "the collection is of another shape; was it made anew meanwhile?");
  return error(kInvalidArgument, "", "this is a request that it does not take");
}

std::string path_segment(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '~';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Result<QdrantAnswer> QdrantAnswer::read(std::string body) {
  auto kept = std::make_unique<std::string>(std::move(body));
  auto tape = JsonTape::parse(*kept);
  if (!tape) return fail(ErrorCode::kUnavailable, "its answer is no JSON: " + tape.error().to_text());
  QdrantAnswer answer(std::move(kept), *std::move(tape));
  if (!answer.root().is_object()) return fail(ErrorCode::kUnavailable, "its answer is no object");
  return answer;
}

Result<std::unique_ptr<QdrantApi>> QdrantApi::create(QdrantServer server, HttpClient& client) {
  PANDORA_TRY(url, parse_url(server.url));
  server.url = url.to_string();
  while (server.url.ends_with('/')) server.url.pop_back();
  return std::unique_ptr<QdrantApi>(new QdrantApi(std::move(server), client));
}

Result<QdrantAnswer> QdrantApi::get(const std::string& path, const Deadline& deadline) {
  return send("GET", path, "", Repeatable::kYes, deadline);
}

Result<QdrantAnswer> QdrantApi::ask(const std::string& path, std::string body, const Deadline& deadline) {
  return send("POST", path, std::move(body), Repeatable::kYes, deadline);
}

Result<QdrantAnswer> QdrantApi::send(const std::string& method, const std::string& path, std::string body,
                                     Repeatable repeatable, const Deadline& deadline) {
  PANDORA_CHECK(check_version(deadline));
  PANDORA_TRY(response, fetch(method, path, std::move(body), repeatable, deadline));
  if (response.status != kOk) return fail(qdrant_error(server_, response));
  auto answer = QdrantAnswer::read(std::move(response.body));
  if (answer && answer->result()) return answer;
  return fail(ErrorCode::kUnavailable,
              fmt::format("{}: {}", shown(), answer ? "its answer has no result" : answer.error().message),
              "is its URL right?");
}

Status QdrantApi::check_version(const Deadline& deadline) {
  if (version_known_) return {};
  PANDORA_TRY(response, fetch("GET", "/", "", Repeatable::kYes, deadline));
  const auto answer = QdrantAnswer::read(std::move(response.body));
  const JsonNode title = answer ? answer->root().find("title") : JsonNode();
  const JsonNode text = answer ? answer->root().find("version") : JsonNode();
  if (response.status != kOk || !title || !text || !text.is_string())
    return fail(ErrorCode::kUnavailable, shown() + ": this is no answer of Qdrant's API", "is its URL right?");
  const auto version = parse_version(text.text());
  if (!version || *version < kOldestQdrant)
    return fail(ErrorCode::kIncompatible,
                fmt::format("{} is version {}; the oldest that is supported is {}.{}", shown(),
                            one_line(ellipsize(text.text(), kMaxShownBytes)), kOldestQdrant.major, kOldestQdrant.minor),
                "upgrade it, one minor version at a time");
  version_known_ = true;
  return {};
}

Result<HttpResponse> QdrantApi::fetch(const std::string& method, const std::string& path, std::string body,
                                      Repeatable repeatable, const Deadline& deadline) {
  HttpCallRequest request{method, server_.url + path, {{"Accept", "application/json"}}, std::move(body), {}};
  if (!request.body.empty()) request.headers.add("Content-Type", "application/json");
  if (!server_.api_key.empty()) request.headers.add("api-key", server_.api_key);
  request.options.timeouts = server_.timeouts;
  request.options.max_body_bytes = kMaxQdrantAnswerBytes;
  request.options.repeatable = repeatable;
  auto response = client_.fetch(std::move(request), deadline);
  if (response) return response;
  Error error = std::move(response).error();
  // What comes back may be another version.
  if (error.code == ErrorCode::kUnavailable) version_known_ = false;
  if (error.message.find("no TLS") != std::string::npos)
    error.remedy = "is it https, and does QDRANT_CA name who signed its certificate?";
  if (error.remedy.empty() && error.code == ErrorCode::kUnavailable) error.remedy = "is it running, and its URL right?";
  return fail(std::move(error).with_context(server_.name));
}

}  // namespace pandora
