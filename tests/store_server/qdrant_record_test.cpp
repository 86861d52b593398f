// The client alone against what a real Qdrant 1.18.3 answered: each recorded answer is given to it, and what it makes
// of it is compared with what stands there. Skipped where the record is not.
#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
#include "store_server/collection_copy.h"
#include "store_server/scripted_qdrant.h"

namespace pandora::testing {
namespace {

struct Exchange {
  std::string method, path, where;
  int status = 0;
  HttpResponse response;
  Json answer;
};

std::vector<Exchange> read_record() {
  std::vector<Exchange> record;
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator(PANDORA_RECORD, none)) {
    if (file.path().extension() != ".jsonl") continue;
    std::ifstream in(file.path());
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      const Json json = Json::parse(line);
      Exchange one{json["method"], json["path"], file.path().filename().string() + ":" + std::to_string(++number),
                   json["status"], {},           json["answer"]};
      const bool text = one.answer.is_object() && one.answer.contains("__text__");
      one.response.status = one.status;
      if (json["content_type"].is_string()) one.response.headers.add("Content-Type", json["content_type"]);
      one.response.body = text ? one.answer["__text__"].get<std::string>() : dump_json(one.answer);
      record.push_back(std::move(one));
    }
  }
  return record;
}

class QdrantRecord : public ScriptedQdrant {
 protected:
  void SetUp() override {
    record_ = read_record();
    if (record_.empty()) GTEST_SKIP() << "the record of a real Qdrant is not here: " PANDORA_RECORD;
  }
  // The same for every request that is about points.
  void answer_with(const HttpResponse& response) {
    script = [response](const Asked& one) {
      return one.target.starts_with("/collections/things/points") ? response : HttpResponse{0, {}, {}};
    };
  }
  // Recorded points whose ids can be ours, as the store gives them.
  static std::map<std::string, Json> with_uuids(const Json& points) {
    std::map<std::string, Json> found;
    for (const auto& one : points)
      if (one["id"].is_string()) found[one["id"]] = one;
    return found;
  }
  std::vector<Exchange> record_;
  const PointQuery query_{.nearest = std::vector<float>{1, 0, 0, 0}, .limit = 1'000};
  const std::vector<Point> points_ = {point(1)};
  const std::vector<Uuid> ids_ = {point(1).id};
};

ErrorCode expected(int status, const std::string& text, bool api) {
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  using enum ErrorCode;
  if (status >= 500 || !api) return kUnavailable;
  if (status == 404) return kNotFound;
  if (status == 409 || says("already exists")) return kConflict;
  if (says("Vector dimension error") || says("Not existing vector name") || says("sparse and regular"))
    return kIncompatible;
  return kInvalidArgument;
}

TEST_F(QdrantRecord, every_recorded_error_is_a_clear_one_in_every_call) {
  std::map<std::string, int> seen;
  for (const auto& one : record_) {
    if (one.status < 400) continue;
    const bool api = one.answer.is_object() && one.answer.contains("status");
    const std::string text = api ? one.answer["status"]["error"].get<std::string>() : one.response.body;
    if (++seen[std::to_string(one.status) + text] > 1) continue;
    answer_with(one.response);
    const auto check = [&](const char* call, const auto& result) {
      ASSERT_FALSE(result) << one.where << " " << call;
      const Error& error = result.error();
      EXPECT_EQ(error.code, expected(one.status, text, api)) << one.where << " " << call << ": " << error.to_line();
      EXPECT_NE(error.message.find(options_.server.url), std::string::npos) << error.message;
      EXPECT_NE(error.message.find(text.empty() ? std::to_string(one.status) : one_line(text.substr(0, 60))),
                std::string::npos)
          << error.message;
      EXPECT_FALSE(error.remedy.empty()) << error.message;
      EXPECT_EQ(error.to_line().find("a-secret"), std::string::npos);
      EXPECT_EQ(error.to_line().find('\n'), std::string::npos);
    };
    check("count", store().count("things", {}, system_, kNever));
    check("query", store().query("things", query_, system_, kNever));
    check("scroll", store().scroll("things", {}, std::nullopt, 10, system_, kNever));
    check("retrieve", store().retrieve("things", ids_, system_, kNever));
    check("upsert", store().upsert("things", points_, system_, kNever));
    check("remove", store().remove("things", ids_, system_, kNever));
  }
  EXPECT_GT(seen.size(), 80U);
}

TEST_F(QdrantRecord, recorded_points_of_a_query_come_with_their_scores_in_order) {
  int compared = 0;
  for (const auto& one : record_) {
    if (one.status != 200 || !one.answer.contains("result") || !one.answer["result"].is_object() ||
        !one.answer["result"].contains("points"))
      continue;
    const auto expected_points = with_uuids(one.answer["result"]["points"]);
    const bool scored = !expected_points.empty() && expected_points.begin()->second.contains("score");
    if (!scored) continue;
    answer_with(one.response);
    const auto found = must(store().query("things", query_, system_, kNever));
    ASSERT_EQ(found.size(), expected_points.size()) << one.where;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto recorded = expected_points.find(found[i].id.to_string());
      ASSERT_NE(recorded, expected_points.end()) << one.where;
      EXPECT_EQ(found[i].score, recorded->second["score"].get<float>()) << one.where;
      if (i > 0) {
        EXPECT_GE(found[i - 1].score, found[i].score) << one.where;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 500);
}

TEST_F(QdrantRecord, recorded_points_of_a_listing_come_with_payload_and_vectors) {
  int compared = 0, vectors_compared = 0;
  for (const auto& one : record_) {
    if (one.status != 200 || !one.answer.is_object() || !one.answer.contains("result")) continue;
    const Json& result = one.answer["result"];
    const bool scrolled = one.path.find("/points/scroll") != std::string::npos;
    const bool fetched = one.method == "POST" && one.path.ends_with("/points") && result.is_array();
    if (!scrolled && !fetched) continue;
    const auto expected_points = with_uuids(scrolled ? result["points"] : result);
    answer_with(one.response);
    std::vector<Uuid> ids;
    for (const auto& [id, json] : expected_points) ids.push_back(must(Uuid::parse(id)));
    const auto points = scrolled ? must(store().scroll("things", {}, std::nullopt, 1'000, system_, kNever))
                                 : must(store().retrieve("things", ids, system_, kNever));
    ASSERT_EQ(points.size(), expected_points.size()) << one.where;
    for (const Point& point : points) {
      const Json& recorded = expected_points.at(point.id.to_string());
      const Json payload =
          recorded.contains("payload") && recorded["payload"].is_object() ? recorded["payload"] : Json::object();
      for (const auto& [field, value] : payload.items()) {
        const auto read = point.payload.find(field);
        if (value.is_number_integer() && value.is_number_unsigned() == (value.dump().size() < 19)) {
          EXPECT_EQ(read->second, PayloadValue(value.get<std::int64_t>())) << one.where << field;
        }
        if (value.is_boolean()) {
          EXPECT_EQ(read->second, PayloadValue(value.get<bool>())) << one.where << field;
        }
        if (value.is_null() || value.is_object()) {
          EXPECT_EQ(read, point.payload.end()) << one.where << field;
        }
      }
      const Json vectors = recorded.contains("vector") ? recorded["vector"] : Json();
      const Json named = vectors.is_array() ? Json{{"", vectors}} : vectors.is_object() ? vectors : Json::object();
      for (const auto& [name, vector] : named.items()) {
        if (vector.is_array()) {
          EXPECT_EQ(point.dense.at(name), vector.get<std::vector<float>>()) << one.where;
        }
        if (vector.is_object() && !vector["indices"].empty()) {
          EXPECT_EQ(point.sparse.at(name).values.size(), vector["values"].size()) << one.where;
        }
        ++vectors_compared;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 80);
  EXPECT_GT(vectors_compared, 2) << "few of the points that were asked for with vectors have such ids";
}

TEST_F(QdrantRecord, recorded_counts_and_acknowledgements_are_taken) {
  int counts = 0, acknowledgements = 0;
  for (const auto& one : record_) {
    if (one.status != 200 || !one.answer.is_object() || !one.answer.contains("result")) continue;
    const Json& result = one.answer["result"];
    if (result.is_object() && result.contains("count")) {
      answer_with(one.response);
      EXPECT_EQ(must(store().count("things", {}, system_, kNever)), result["count"].get<std::int64_t>()) << one.where;
      ++counts;
    }
    if (!result.is_object() || !result.contains("operation_id")) continue;
    script = [&one](const Asked& asked) {
      return asked.target.ends_with("?wait=true") ? one.response : HttpResponse{0, {}, {}};
    };
    EXPECT_EQ(must(store().upsert("things", points_, system_, kNever)), 1U) << one.where;
    ++acknowledgements;
  }
  EXPECT_GT(counts, 100);
  EXPECT_GT(acknowledgements, 50);
}

TEST_F(QdrantRecord, recorded_collections_are_somebody_elses_and_can_be_carried) {
  const auto api = must(QdrantApi::create(options_.server, *client_));
  int collections = 0;
  for (const auto& one : record_) {
    if (one.method != "GET" || one.status != 200 || !one.answer.contains("result") ||
        !one.answer["result"].is_object() || !one.answer["result"].contains("payload_schema"))
      continue;
    script = [&one](const Asked& asked) {
      return asked.line() == "GET /collections/things"           ? one.response
             : asked.line() == "GET /collections/things/aliases" ? answer({{"aliases", Json::array()}})
                                                                 : HttpResponse{0, {}, {}};
    };
    const auto other = must(QdrantVectorStore::open(options_, *client_, *files_));
    EXPECT_FAILS(kIncompatible, other->count("things", {}, system_, kNever)) << one.where;
    const auto picture = must(picture_of(*api, "things", kNever));
    const Json create = Json::parse(picture.create), params = one.answer["result"]["config"]["params"];
    EXPECT_EQ(create["vectors"], params["vectors"]) << one.where;
    EXPECT_EQ(picture.indexes.size(), one.answer["result"]["payload_schema"].size()) << one.where;
    ++collections;
  }
  EXPECT_GT(collections, 10);
}

}  // namespace
}  // namespace pandora::testing
