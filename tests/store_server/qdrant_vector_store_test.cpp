// What the contract (tests/contract) does not see of it: the requests themselves.
#include <algorithm>

#include <fmt/format.h>

#include "store_server/point_json.h"
#include "store_server/scripted_qdrant.h"

namespace pandora::testing {
namespace {

class QdrantStoreTest : public ScriptedQdrant {
 protected:
  static Json point_of(int n, double score) {
    return {{"id", point(n).id.to_string()}, {"version", 1}, {"score", score}};
  }
  // None, until it is made.
  void without_collection(std::function<HttpResponse(const Asked&)> on_create) {
    auto made = std::make_shared<bool>(false);
    script = [=](const Asked& one) {
      if (one.line() == "PUT /collections/things") return *made = true, on_create(one);
      if (one.line() == "GET /collections/things" && !*made)
        return refusal(404, "Not found: Collection `things` doesn't exist!");
      return HttpResponse{0, {}, {}};
    };
  }
};

TEST_F(QdrantStoreTest, a_collection_is_made_with_its_metadata_and_spread) {
  options_.spread = {6, 3, 2};
  without_collection([](const Asked&) { return answer(true); });
  must(store().ensure_collection(scripted_spec(), kNever));
  const auto all = asked();
  const auto create = std::ranges::find(all, "PUT /collections/things", &Asked::line);
  ASSERT_NE(create, all.end());
  const Json body = create->json();
  EXPECT_EQ(body["vectors"], (Json{{"size", 4}, {"distance", "Cosine"}}));
  EXPECT_EQ(body["sparse_vectors"], (Json{{"words", {{"modifier", "idf"}}}}));
  EXPECT_EQ(body["metadata"], scripted_info()["config"]["metadata"]);
  EXPECT_EQ(body["shard_number"], 6);
  EXPECT_EQ(body["replication_factor"], 3);
  EXPECT_EQ(body["write_consistency_factor"], 2);
}

TEST_F(QdrantStoreTest, what_is_not_configured_of_its_spread_is_left_to_the_server) {
  without_collection([](const Asked&) { return answer(true); });
  must(store().ensure_collection(scripted_spec(), kNever));
  for (const auto& one : asked())
    for (const char* name : {"shard_number", "replication_factor", "write_consistency_factor"})
      EXPECT_EQ(one.body.find(name), std::string::npos) << one.body;
}

TEST_F(QdrantStoreTest, two_that_make_a_collection_at_once_end_with_the_same_one) {
  without_collection([](const Asked&) { return refusal(409, "Wrong input: Collection `things` already exists!"); });
  must(store().ensure_collection(scripted_spec(), kNever));
}

TEST_F(QdrantStoreTest, a_collection_that_lacks_an_index_gets_it_before_it_is_used) {
  // Of its spec, and of the fields that say whose a point is.
  for (const auto& [field, type] : {std::pair<const char*, const char*>{"n", "integer"}, {"scope", "keyword"}}) {
    Json info = scripted_info();
    info["payload_schema"].erase(field);
    script = [info](const Asked& one) {
      return one.line() == "GET /collections/things" ? answer(info) : HttpResponse{0, {}, {}};
    };
    forget();
    must(must(QdrantVectorStore::open(options_, *client_, *files_))->count("things", {}, system_, kNever));
    EXPECT_EQ(lines(),
              (std::vector<std::string>{"GET /", "GET /collections/things", "PUT /collections/things/index?wait=true",
                                        "POST /collections/things/points/count"}));
    EXPECT_EQ(asked()[2].json(), (Json{{"field_name", field}, {"field_schema", type}}));
  }
}

TEST_F(QdrantStoreTest, a_collection_that_is_not_what_its_metadata_says_is_incompatible_and_left_alone) {
  const auto with = [&](const char* pointer, Json value) {
    Json info = scripted_info();
    info[Json::json_pointer(pointer)] = std::move(value);
    script = [info](const Asked& one) {
      return one.line() == "GET /collections/things" ? answer(info) : HttpResponse{0, {}, {}};
    };
    EXPECT_FAILS(kIncompatible, store().ensure_collection(scripted_spec(), kNever)) << pointer;
    EXPECT_FAILS(kIncompatible, store().drop_collection("things", kNever)) << pointer;
    EXPECT_FAILS(kIncompatible, store().count("things", {}, system_, kNever)) << pointer;
  };
  with("/config/params/vectors/size", 3);
  with("/config/params/vectors/distance", "Dot");
  with("/config/params/sparse_vectors/words/modifier", "none");
  with("/config/params/sparse_vectors", nullptr);
  with("/config/metadata", nullptr);
  with("/config/metadata/pandora/format", 2);
  for (const auto& line : lines()) EXPECT_TRUE(line.starts_with("GET ")) << line;
}

TEST_F(QdrantStoreTest, damaged_metadata_is_named) {
  for (const char* field : {"embedder", "sparse", "indexes", "dimension"}) {
    Json info = scripted_info();
    info["config"]["metadata"]["pandora"].erase(field);
    script = [info](const Asked& one) {
      return one.line() == "GET /collections/things" ? answer(info) : HttpResponse{0, {}, {}};
    };
    const auto counted = store().count("things", {}, system_, kNever);
    EXPECT_FAILS(kDataCorrupt, counted);
    EXPECT_NE(counted.error().message.find(field), std::string::npos);
  }
}

TEST_F(QdrantStoreTest, an_upsert_says_itself_what_it_may_replace) {
  const Principal ana = Principal::of(must(UserId::parse("ana")));
  const std::vector<Point> points = {point(1, 5), point(2, 5), point(3, 6)};
  EXPECT_EQ(must(store().upsert("things", points, ana, kNever)), 3U);
  const Asked put = asked().back();
  EXPECT_EQ(put.line(), "PUT /collections/things/points?wait=true");
  EXPECT_EQ(put.json()["points"].size(), 3U);
  const std::string filter = put.json()["update_filter"].dump();
  for (const char* part : {R"("lte":5)", R"("lte":6)", R"("has_id")", R"("value":"ana")", "pandora-version"})
    EXPECT_NE(filter.find(part), std::string::npos) << part << " in " << filter;
}

TEST_F(QdrantStoreTest, nothing_is_sent_of_what_is_stored_newer) {
  script = [](const Asked& one) {
    if (one.line() != "POST /collections/things/points") return HttpResponse{0, {}, {}};
    return answer({{{"id", point(1).id.to_string()}, {"payload", {{"user_id", "ana"}, {"pandora-version", 9}}}}});
  };
  const std::vector<Point> points = {point(1, 8)};
  EXPECT_EQ(must(store().upsert("things", points, system_, kNever)), 0U);
  for (const auto& line : lines()) EXPECT_FALSE(line.starts_with("PUT ")) << line;
}

TEST_F(QdrantStoreTest, a_batch_that_is_too_long_for_one_request_goes_in_several) {
  Point large = point(1);
  large.payload["text"] = std::string(kMaxPayloadBytes - 1'000, 'x');
  std::vector<Point> points;
  for (int n = 0; n < 50; ++n) points.push_back(large), points.back().id = point(n).id;
  EXPECT_EQ(must(store().upsert("things", points, system_, kNever)), 50U);
  std::size_t sent = 0, requests = 0;
  for (const auto& one : asked()) {
    if (!one.line().starts_with("PUT ")) continue;
    ++requests;
    sent += one.json()["points"].size();
    EXPECT_LE(one.body.size(), kMaxBatchBytes + 10'000);  // the filter stands behind it
  }
  EXPECT_EQ(sent, 50U);
  EXPECT_EQ(requests, 3U);
}

TEST_F(QdrantStoreTest, equal_scores_where_the_limit_cuts_are_asked_for_until_they_end) {
  // The worst server: equal scores with the highest id first.
  script = [](const Asked& one) {
    if (!one.target.ends_with("/query")) return HttpResponse{0, {}, {}};
    Json points = Json::array({point_of(200, 0.9)});
    for (int n = 100; n > 0; --n) points.push_back(point_of(n, 0.5));
    points.push_back(point_of(201, 0.1));
    const std::size_t limit = one.json()["limit"];
    while (points.size() > limit) points.erase(points.size() - 1);
    return answer({{"points", points}});
  };
  const auto found =
      must(store().query("things", {.nearest = std::vector<float>{1, 0, 0, 0}, .limit = 4}, system_, kNever));
  std::vector<int> ids;
  for (const auto& one : found) ids.push_back(one.id.bytes[15]);
  EXPECT_EQ(ids, (std::vector<int>{200, 1, 2, 3}));
  EXPECT_EQ(std::ranges::count(lines(), "POST /collections/things/points/query"), 6) << "5, 10, 20, 40, 80 and 160";
}

TEST_F(QdrantStoreTest, no_more_than_a_bound_of_equal_scores_is_asked_for) {
  std::size_t most = 0;
  script = [&most](const Asked& one) {
    if (!one.target.ends_with("/query")) return HttpResponse{0, {}, {}};
    const std::size_t limit = one.json()["limit"];
    most = std::max(most, limit);
    std::string points;
    for (std::size_t n = 0; n < limit; ++n)
      points += fmt::format(R"({}{{"id":"00000000-0000-0000-0000-{:012}","score":0.5}})", n == 0 ? "" : ",", n);
    return HttpResponse{200, {}, R"({"result":{"points":[)" + points + R"(]},"status":"ok","time":0})"};
  };
  const PointQuery one{.nearest = std::vector<float>{1, 0, 0, 0}, .limit = 1};
  EXPECT_EQ(must(store().query("things", one, system_, kNever)).size(), 1U);
  EXPECT_EQ(most, kMostTied);
  const PointQuery all{.nearest = std::vector<float>{1, 0, 0, 0}, .limit = kMaxQueryLimit};
  EXPECT_EQ(must(store().query("things", all, system_, kNever)).size(), kMaxQueryLimit);
  EXPECT_EQ(most, kMostTied);
}

TEST_F(QdrantStoreTest, every_vector_is_compared_unless_it_is_told_otherwise) {
  const PointQuery dense{.nearest = std::vector<float>{2, 0, 0, 0}};
  must(store().query("things", dense, system_, kNever));
  EXPECT_EQ(asked().back().json()["params"], (Json{{"exact", true}}));
  EXPECT_EQ(asked().back().json()["query"], (Json{1.0, 0.0, 0.0, 0.0})) << "normalised";
  options_.exact = false;
  const auto graph = must(QdrantVectorStore::open(options_, *client_, *files_));
  must(graph->query("things", dense, system_, kNever));
  EXPECT_FALSE(asked().back().json().contains("params"));
}

TEST_F(QdrantStoreTest, names_there_begin_with_the_prefix_and_others_are_nobodys) {
  options_.prefix = "mine_";
  script = [](const Asked& one) {
    if (one.target == "/collections")
      return answer(
          {{"collections",
            {{{"name", "mine_things"}}, {{"name", "mine_strange"}}, {{"name", "things"}}, {{"name", "mine_Odd"}}}}});
    if (one.line() == "GET /collections/mine_things") return answer(scripted_info());
    if (one.line() == "GET /collections/mine_strange") return answer(Json{{"config", Json::object()}});
    return HttpResponse{0, {}, {}};
  };
  EXPECT_EQ(must(store().collections(kNever)), std::vector{scripted_spec()});
  EXPECT_EQ(lines(), (std::vector<std::string>{"GET /", "GET /collections", "GET /collections/mine_strange",
                                               "GET /collections/mine_things"}));
  for (const auto& [prefix, code] : {std::pair<std::string, ErrorCode>{"No", ErrorCode::kInvalidArgument},
                                     {"a b", ErrorCode::kInvalidArgument},
                                     {std::string(kMaxPrefixBytes + 1, 'a'), ErrorCode::kTooLarge}}) {
    options_.prefix = prefix;
    EXPECT_TRUE(fails_with(code, QdrantVectorStore::open(options_, *client_, *files_))) << prefix;
  }
  options_.prefix = std::string(kMaxPrefixBytes, 'a');
  EXPECT_TRUE(QdrantVectorStore::open(options_, *client_, *files_));
}

TEST_F(QdrantStoreTest, a_collection_that_was_made_anew_by_somebody_is_looked_at_again) {
  must(store().count("things", {}, system_, kNever));
  bool gone = true;
  script = [&gone](const Asked& one) {
    return gone && one.target.ends_with("/count") ? refusal(404, "Not found: Collection `things` doesn't exist!")
                                                  : HttpResponse{0, {}, {}};
  };
  EXPECT_FAILS(kNotFound, store().count("things", {}, system_, kNever));
  gone = false;
  forget();
  must(store().count("things", {}, system_, kNever));
  EXPECT_EQ(lines().front(), "GET /collections/things");
}

TEST_F(QdrantStoreTest, points_of_others_and_fields_of_other_kinds_are_left_out) {
  script = [](const Asked& one) {
    if (!one.target.ends_with("/scroll")) return HttpResponse{0, {}, {}};
    return answer({{"points",
                    {{{"id", 7}, {"payload", Json::object()}},
                     {{"id", point(1).id.to_string()},
                      {"payload",
                       {{"n", 1}, {"null", nullptr}, {"mixed", {1, "a"}}, {"deep", {{"a", 1}}}, {"at", "2026-01-05"}}}},
                     {{"id", point(2).id.to_string()}, {"payload", nullptr}}}}});
  };
  const auto points = must(store().scroll("things", {}, std::nullopt, 10, system_, kNever));
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].payload, (Payload{{"n", std::int64_t{1}}, {"at", must(parse_iso8601("2026-01-05"))}}));
  EXPECT_TRUE(points[1].payload.empty());
}

TEST(PointJson, a_text_is_never_a_time_and_comes_back_as_it_was) {
  const CollectionSpec spec = scripted_spec();
  for (const std::string text :
       {"2026-01-05", "2026-01-05T10:00:00.000000Z", " 2026 - 1 - 5", "+12026-01-05", "1-1-1", "\\", "\\2026-01-05",
        "\\\\x", "[]", "\\[]", "", "3-day trip", "01904567-1234-7000-8000-000000000000", "12345-12-1 or so"}) {
    Point one{
        {},
        3,
        {},
        {},
        {{"a", text}, {"list", std::vector<std::string>{text, text}}, {"user_id", std::vector<std::string>{text}}}};
    std::string json;
    append_point(json, spec, one);
    const auto tape = JsonTape::parse(json);
    ASSERT_TRUE(tape) << json;
    const auto back = read_point(tape->root());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->payload, one.payload) << json;
    EXPECT_EQ(back->version, 3);
  }
  std::string json;
  append_point(
      json, spec,
      {{}, 0, {}, {}, {{"a", std::string("2026-01-05")}, {"id", std::string("01904567-1234-7000-8000-000000000000")}}});
  EXPECT_NE(json.find(R"("a":"\\2026-01-05")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("id":"01904567-)"), std::string::npos) << "others find it as it is";
}

TEST(PointJson, times_have_bounds) {
  const Timestamp first{-62'135'596'800'000'000}, last{253'402'300'799'999'999};
  EXPECT_TRUE(check_times(Payload{{"at", first}, {"to", last}}));
  EXPECT_EQ(to_iso8601(first), "0001-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_iso8601(last), "9999-12-31T23:59:59.999999Z");
  EXPECT_FAILS(kInvalidArgument, check_times(Payload{{"at", first - Duration(1)}}));
  EXPECT_FAILS(kInvalidArgument, check_times(Filter{.must = {{.field = "at", .from = last + Duration(1)}}}));
  EXPECT_FAILS(kInvalidArgument, check_times(Filter{.should = {{.field = "at", .any = {last + Duration(1)}}}}));
}

}  // namespace
}  // namespace pandora::testing
