// A server that answers what its script says, and remembers what it was asked; a store that talks to it.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "contract/expect.h"
#include "net/http_server.h"
#include "store_server/qdrant_vector_store.h"
#include "support/temporary_directory.h"
#include "wire/json_reader.h"

namespace pandora::testing {

struct Asked {
  std::string method, target, body, key;
  std::string line() const { return method + " " + target; }
  Json json() const { return Json::parse(body, nullptr, false); }
};
using Script = std::function<HttpResponse(const Asked&)>;

inline HttpResponse answer(const Json& result) {
  return {200, {{"Content-Type", "application/json"}}, dump_json({{"result", result}, {"status", "ok"}, {"time", 0}})};
}
inline HttpResponse refusal(int status, const std::string& text) {
  return {status, {{"Content-Type", "application/json"}}, dump_json({{"status", {{"error", text}}}, {"time", 0}})};
}
inline HttpResponse version(const std::string& text) {
  return {200,
          {{"Content-Type", "application/json"}},
          dump_json({{"title", "qdrant - vector search engine"}, {"version", text}, {"commit", ""}})};
}
inline HttpResponse acknowledged() { return answer({{"operation_id", 1}, {"status", "completed"}}); }

inline CollectionSpec scripted_spec() {
  return {"things", 4, {"words"}, {{"n", PayloadType::kInteger}, {"user_id", PayloadType::kKeyword}}, "model@1", 1};
}
// What GET /collections/things answers when it is as `scripted_spec` says.
inline Json scripted_info() {
  return {
      {"status", "green"},
      {"config",
       {{"params",
         {{"vectors", {{"size", 4}, {"distance", "Cosine"}}}, {"sparse_vectors", {{"words", {{"modifier", "idf"}}}}}}},
        {"metadata",
         {{"pandora",
           {{"format", 1},
            {"name", "things"},
            {"dimension", 4},
            {"sparse", {"words"}},
            {"indexes", {{"n", "integer"}, {"user_id", "keyword"}}},
            {"embedder", "model@1"},
            {"analyzer", 1}}}}}}},
      {"payload_schema",
       {{"n", {{"data_type", "integer"}, {"points", 0}}},
        {"scope", {{"data_type", "keyword"}, {"points", 0}}},
        {"user_id", {{"data_type", "keyword"}, {"points", 0}}}}}};
}

class ScriptedQdrant : public ::testing::Test, private HttpRouter, private HttpHandler {
 protected:
  ScriptedQdrant() {
    server_ = must(HttpServer::listen({}, threads_, *this, random_));
    client_ = must(HttpClient::create({}, threads_));
    options_.server.url = server_->url();
    options_.server.api_key = "a-secret";
  }
  ~ScriptedQdrant() override { server_.reset(); }

  // Asked first, then what is usual; an answer of status 0 leaves it to the next.
  Script script = [](const Asked&) { return HttpResponse{0, {}, {}}; };
  std::vector<Asked> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::vector<std::string> lines() {
    std::vector<std::string> all;
    for (const auto& one : asked()) all.push_back(one.line());
    return all;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    asked_.clear();
  }
  VectorStore& store() {
    if (!store_) store_ = must(QdrantVectorStore::open(options_, *client_, *files_));
    return *store_;
  }
  static Point point(int n, std::int64_t version = 1) {
    Point point{{}, version, {{"", {1, 0, 0, 0}}}, {}, {{"user_id", std::string("ana")}}};
    point.id.bytes[15] = static_cast<std::uint8_t>(n);
    return point;
  }

  const Principal system_ = Principal::system();
  const SystemClock clock_;
  SystemRandom random_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  QdrantStoreOptions options_;
  IoThreads threads_{clock_};  // one: a connection stays on its thread. Before what lives on it
  std::unique_ptr<HttpClient> client_;

 private:
  Result<HttpRoute> route(const HttpRequest&) override { return HttpRoute{this, RunOn::kPool, 64 << 20, nullptr}; }
  void handle(HttpRequest request, std::shared_ptr<ResponseWriter> writer) override {
    const Asked one{request.method, request.target, request.body, std::string(request.headers.get("api-key"))};
    HttpResponse response;
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(one);
      response = script(one);
    }
    if (response.status == 0) response = usual(one);
    writer->respond(std::move(response));
  }
  static HttpResponse usual(const Asked& one) {
    if (one.target == "/") return version("1.18.3");
    if (one.target == "/collections") return answer({{"collections", {{{"name", "things"}}}}});
    if (one.line() == "POST /collections/aliases") return answer(true);
    if (one.target.ends_with("/aliases")) return answer({{"aliases", Json::array()}});
    if (one.line() == "GET /collections/things") return answer(scripted_info());
    if (one.method == "PUT" || one.target.ends_with("?wait=true")) return acknowledged();
    if (one.target.ends_with("/count")) return answer({{"count", 0}});
    if (one.target.ends_with("/query") || one.target.ends_with("/scroll")) return answer({{"points", Json::array()}});
    if (one.line() == "POST /collections/things/points") return answer(Json::array());
    return refusal(404, "Not found: nothing is here");
  }

  std::mutex mutex_;
  std::vector<Asked> asked_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<QdrantVectorStore> store_;
};

}  // namespace pandora::testing
