#include "wire/turn_json.h"

#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

namespace pandora {
namespace {

// Everything set, nothing at its default; doubles that decimal fractions do not hit.
TurnRecord full() {
  const Uuid uid = Uuid::parse("01900000-0000-7000-8000-000000000001").value();
  const Uuid other = Uuid::parse("01900000-0000-7000-8000-000000000002").value();
  const Timestamp at{1'767'600'000'123'456};
  const auto session = SessionId::parse("trip").value();
  const auto user = UserId::parse("ana").value();
  TurnRecord record;
  record.turn = {uid,
                 {1'234'567},
                 session,
                 user,
                 at,
                 TurnStatus::kCancelled,
                 {Role::kUser, "Ana", "Où \"est\" le café?\n\t\xF0\x9F\x90\xBC"},
                 Utterance{Role::kAssistant, "Pandora", "Ici."},
                 "question",
                 "summary",
                 "topic",
                 Intent::kLookup,
                 {"café", "ici"},
                 0.1 + 0.2,
                 true,
                 true,
                 "model",
                 "abc"};
  record.context.turn_uid = uid;
  record.context.query = {"m", "q"};
  record.context.replies.push_back({1, "model", "Ici."});
  record.memories.push_back({other,
                             user,
                             session,
                             MemoryKind::kPreference,
                             Scope::kGlobal,
                             "likes coffee",
                             "coffee",
                             {"coffee"},
                             Trust::kTool,
                             1.0 / 3,
                             uid,
                             at,
                             at,
                             uid});
  record.research.push_back({other,
                             user,
                             session,
                             uid,
                             "coffee",
                             ResearchKind::kTransactional,
                             Scope::kUser,
                             {{"costs 3", ContentType::kPrice, 2.0 / 3, {"example.com"}}},
                             {"one says 4"},
                             0.2,
                             0.3,
                             0.4,
                             0.5,
                             0.6,
                             7,
                             at,
                             at});
  record.fetches.push_back({"example.com", at, false, "404"});
  record.observations.push_back({uid, ObservationKind::kModel, "m", at, 5, 6, 7, false, "d", 1.0 / 7});
  return record;
}

std::string golden(const std::string& name) {
  std::ifstream in(std::string(PANDORA_GOLDEN) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(TurnJson, ARecordComesBackAsItWas) {
  const auto record = full();
  const auto again = decode_record(encode_record(record));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, record);
}

TEST(TurnJson, MetadataAndMetricsTogetherHoldAllButTheContext) {
  auto record = full();
  auto again = decode_metadata(encode_metadata(record));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(decode_metrics(encode_metrics(record.observations)).value(), record.observations);
  again->observations = record.observations;
  again->context = record.context;
  EXPECT_EQ(*again, record);
}

TEST(TurnJson, DocumentsComeBackAsTheyWere) {
  const auto record = full();
  EXPECT_EQ(decode_memory(encode_memory(record.memories[0])).value(), record.memories[0]);
  EXPECT_EQ(decode_research(encode_research(record.research[0])).value(), record.research[0]);
  const Source source{"example.com", 3, 4, 1, 2, Timestamp{5}, std::nullopt, SourceOverride::kBlock, {"GET"}, {"POST"}};
  EXPECT_EQ(decode_source(encode_source(source)).value(), source);
}

TEST(TurnJson, VersionOneStaysAsItIs) {
  EXPECT_EQ(encode_metadata(full()), golden("metadata-v1.json"));
  EXPECT_EQ(encode_record(full()) + "\n", golden("record-v1.json"));
}

TurnRecord with_objects() {
  TurnRecord record = full();
  record.turn.objects = {{ObjectOrigin::kImage, std::string(64, 'a'), 1234, "image/png", ""},
                         {ObjectOrigin::kPage, std::string(64, '0'), 0, "text/html", "https://example.com/a?b"}};
  return record;
}

TEST(TurnJson, OneWithObjectsIsOfVersionTwoSoThatAnOlderProgramTakesItForNoneOfItsOwn) {
  const TurnRecord record = with_objects();
  EXPECT_EQ(encode_metadata(record), golden("metadata-v2.json"));
  EXPECT_EQ(encode_record(record) + "\n", golden("record-v2.json"));
  EXPECT_EQ(decode_record(encode_record(record)).value(), record);
  Json json = Json::parse(encode_metadata(record));
  EXPECT_EQ(json["version"], kTurnWithObjectsVersion);
  for (const char* field : {"origin", "key", "size", "media_type", "url"}) {
    Json less = json;
    less["turn"]["objects"][1].erase(field);
    const auto decoded = decode_metadata(less.dump());
    ASSERT_FALSE(decoded) << field;
    EXPECT_EQ(decoded.error().code, ErrorCode::kDataCorrupt);
    EXPECT_NE(decoded.error().message.find("objects[1]"), std::string::npos) << decoded.error().message;
  }
  json["turn"]["objects"][0]["size"] = -1;
  EXPECT_EQ(decode_metadata(json.dump()).error().code, ErrorCode::kDataCorrupt);
}

TEST(TurnJson, ANewerVersionIsIncompatibleAndAnythingMalformedIsCorruptWithItsPlace) {
  Json json = Json::parse(encode_metadata(full()));
  const auto decoded = [&] { return decode_metadata(json.dump()); };
  json["version"] = kTurnWithObjectsVersion + 1;
  EXPECT_EQ(decoded().error().code, ErrorCode::kIncompatible);
  json["version"] = kTurnFormatVersion;
  json["turn"]["created_at"] = "noon";
  EXPECT_EQ(decoded().error().code, ErrorCode::kDataCorrupt);
  EXPECT_NE(decoded().error().message.find("turn.created_at"), std::string::npos);
  json["turn"].erase("created_at");
  EXPECT_NE(decoded().error().message.find("turn.created_at: is missing"), std::string::npos);
  EXPECT_EQ(decode_metadata("").error().code, ErrorCode::kDataCorrupt);
  EXPECT_EQ(decode_memory(encode_metadata(full())).error().code, ErrorCode::kDataCorrupt);
  EXPECT_EQ(decode_metadata(R"({"format":"pandora turn","version":0})").error().code, ErrorCode::kDataCorrupt);
}

TEST(TurnJson, WhatNoStoreWouldKeepIsCorruptFromTheFirstByteTooMany) {
  auto record = full();
  record.memories[0].content = std::string(kMaxMemoryBytes, 'm');
  record.research[0].findings.assign(kMaxFindings, record.research[0].findings.front());
  record.turn.number = {kMaxTurnNumber};
  EXPECT_EQ(decode_record(encode_record(record)).value(), record);
  const auto refused = [](TurnRecord changed, auto change) {
    change(changed);
    const auto decoded = decode_record(encode_record(changed));
    return !decoded && decoded.error().code == ErrorCode::kDataCorrupt;
  };
  EXPECT_TRUE(refused(record, [](TurnRecord& r) { r.memories[0].content += 'm'; }));
  EXPECT_TRUE(refused(record, [](TurnRecord& r) { r.research[0].findings.push_back({}); }));
  EXPECT_TRUE(refused(record, [](TurnRecord& r) { r.turn.number = {kMaxTurnNumber + 1}; }));
  EXPECT_TRUE(refused(record, [](TurnRecord& r) { r.fetches[0].domain = "https://Example.com/"; }));
  EXPECT_FALSE(decode_source(encode_source({.domain = "../example.com", .worked = {}, .failed = {}})));
}

TEST(TurnJson, BrokenUtf8IsEncodedWithoutThrowing) {
  auto record = full();
  record.turn.message.text = "a\xFF";
  EXPECT_EQ(Json::parse(encode_record(record))["turn"]["message"]["text"], "a\xEF\xBF\xBD");
}

TEST(TurnJson, EveryCutOfARecordIsRefused) {
  const std::string bytes = encode_record(full());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_record(std::string_view(bytes).substr(0, size))) << size;
}

// Rows are read where they lie, documents as values: the same turns, and the same faults.
TEST(TurnOfARow, IsTheTurnOfTheDocument) {
  Turn turn = full().turn;
  for (const bool replied : {true, false}) {
    if (!replied) turn.reply.reset();
    if (!replied)
      turn.objects.push_back({ObjectOrigin::kPage, "sha256/ab", 7, "image/png", "https://example.com/\"x\""});
    const std::string document = dump_json(to_json(turn));
    const auto read = turn_of_row(document);
    ASSERT_TRUE(read) << read.error().to_line();
    EXPECT_EQ(*read, turn);
    EXPECT_EQ(*read, turn_from_json(Json::parse(document), "turns.document").value());
  }
}

TEST(TurnOfARow, HasTheFaultsOfTheDocument) {
  const Json whole = to_json(full().turn);
  std::vector<Json> faulty = {Json::array(), Json("turn")};
  for (const auto& [name, value] : whole.items()) {
    for (const Json& wrong : {Json(), Json(true), Json(-1.5), Json("no such"), Json{{"x", 1}}, Json{1, "x"},
                              Json(std::uint64_t{1} << 63), Json(1e300)}) {
      faulty.push_back(whole);
      faulty.back()[name] = wrong;
    }
    faulty.push_back(whole);
    faulty.back().erase(name);
  }
  faulty.push_back(whole);
  faulty.back()["more"] = 1;
  faulty.push_back(whole);
  faulty.back()["message"]["more"] = 1;
  std::size_t refused = 0;
  for (const Json& document : faulty) {
    const auto as_value = turn_from_json(document, "turns.document"), in_place = turn_of_row(dump_json(document));
    ASSERT_EQ(as_value.has_value(), in_place.has_value()) << document;
    if (as_value) continue;
    ++refused;
    EXPECT_EQ(as_value.error().to_line(), in_place.error().to_line()) << document;
    EXPECT_EQ(as_value.error().code, in_place.error().code);
  }
  EXPECT_GT(refused, 100u);
}

TEST(RowOfATurn, IsTheTextOfItsJson) {
  std::mt19937 random(20261126);
  const auto any = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
  // Every byte there is, also such as are no UTF-8, between characters of one to four bytes.
  const auto text = [&] {
    std::string made;
    for (std::size_t n = any(40); n > 0; --n) {
      static constexpr const char* kPieces[] = {"word", "é", "漢", "🐼", "\"", "\\", "/", "\x7f"};
      if (const std::size_t piece = any(10); piece < std::size(kPieces))
        made += kPieces[piece];
      else
        made += static_cast<char>(any(piece == 8 ? 32 : 256));
    }
    return made;
  };
  for (int round = 0; round < 2'000; ++round) {
    Turn turn = full().turn;
    turn.number = {static_cast<std::int64_t>(any(1'000'000'000'000))};
    turn.message = {Role::kUser, text(), text()};
    if (any(4) == 0)
      turn.reply.reset();
    else
      turn.reply = {Role::kAssistant, text(), text()};
    turn.question = text(), turn.summary = text(), turn.topic = text(), turn.model = text();
    turn.keywords.resize(any(5));
    for (auto& keyword : turn.keywords) keyword = text();
    turn.quality = static_cast<double>(any(1'000'001)) / 1e6;
    turn.rejected = any(2) == 0, turn.archived = any(2) == 0;
    turn.created_at = {static_cast<std::int64_t>(any(4'000'000'000'000'000))};
    if (any(3) == 0) turn.objects = {{ObjectOrigin::kPage, text(), any(1'000'000), text(), text()}};
    ASSERT_EQ(row_of_turn(turn, turn.number), dump_json(to_json(turn))) << round;
    Turn unnumbered = turn;
    unnumbered.number = {};
    ASSERT_EQ(row_of_turn(turn, {}), dump_json(to_json(unnumbered)));
  }
}

TEST(TurnOfARow, WhatIsNoJsonIsRefusedWithItsPlace) {
  const std::string document = dump_json(to_json(full().turn));
  for (std::size_t size = 0; size < document.size(); ++size)
    ASSERT_FALSE(turn_of_row(std::string_view(document).substr(0, size))) << size;
  const auto cut = turn_of_row("{\"uid\": \n x}");
  EXPECT_EQ(cut.error().code, ErrorCode::kDataCorrupt);
  EXPECT_NE(cut.error().message.find("a row of turns is no JSON: "), std::string::npos) << cut.error().message;
  EXPECT_NE(cut.error().message.find("line 2"), std::string::npos) << cut.error().message;
}

TEST(TurnsOfRows, ComeInTheirOrderHoweverManyThreadsRead) {
  std::vector<std::string> documents;
  for (int i = 1; i <= 100; ++i) {
    Turn turn = full().turn;
    turn.number = {i};
    documents.push_back(dump_json(to_json(turn)));
  }
  std::vector<std::string_view> texts(documents.begin(), documents.end());
  for (const std::size_t threads : {0, 1, 3}) {
    ThreadPool pool(threads);
    for (const std::size_t count : {0, 1, 8, 9, 100}) {
      const auto turns = turns_of_rows(std::span(texts).first(count), pool);
      ASSERT_EQ(turns.value().size(), count);
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ((*turns)[i].number.value, static_cast<std::int64_t>(i + 1));
    }
    texts[40] = "{}", texts[70] = "no JSON";
    EXPECT_EQ(turns_of_rows(texts, pool).error().to_line(), turn_of_row("{}").error().to_line());
    texts.assign(documents.begin(), documents.end());
  }
}

TEST(ParseJson, NestingPastTheDepthIsRefused) {
  EXPECT_TRUE(parse_json(std::string(60, '[') + std::string(60, ']'), 1'000, "it"));
  EXPECT_FALSE(parse_json(std::string(100'000, '['), 1'000'000, "it"));
  EXPECT_EQ(parse_json("12345", 4, "it").error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pandora
