#include "wire/receipt_codec.h"

#include <cmath>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/random_receipt.h"

namespace pandora {
namespace {

using testing::RandomReceipts;

// Everything set, nothing at its default; numbers that decimal fractions do not hit.
RecallReceipt full() {
  const auto uid = [](int n) {
    Uuid value = Uuid::parse("01900000-0000-7000-8000-000000000000").value();
    value.bytes[15] = static_cast<std::uint8_t>(n);
    return value;
  };
  RecallReceipt receipt;
  receipt.id = uid(1);
  receipt.turn = uid(2);
  receipt.user = UserId::parse("ana").value();
  receipt.session = SessionId::parse("trip").value();
  receipt.question = "Où \"est\" le café?\n\t\xF0\x9F\x90\xBC";
  receipt.question_cut = true;
  receipt.at = {1'767'600'000'123'456};
  receipt.scope = Scope::kSession;
  receipt.token_budget = 1'600;
  receipt.limit = 40;
  receipt.candidates = 200;
  receipt.embedder = "words@1";
  receipt.analyzer = 1;
  receipt.formula = 1;
  receipt.mode = RecallMode::kLexical;
  receipt.missing = {"search by meaning: the encoder is away"};
  receipt.micros = {1'200, 800, 300, 2'500};
  receipt.forgotten = 2;
  receipt.tokens = 321;
  receipt.given = {
      {GatheredKind::kPreference, uid(3), {RowState::kHolds, false, 1.0 / 3, 12}, RecallFate::kInjected, 1},
      {GatheredKind::kPreviousTurn, uid(4), {RowState::kHolds, true, 1, 300}, RecallFate::kOverBudget, 0}};
  RecallCandidate turn{uid(5),    0.1F,
                       0.7F,      "trip",
                       "Ana",     Timestamp{1'700'000'000'000'001},
                       0.8,       true,
                       uid(4),    RowFacts{RowState::kHolds, true, 1, 9},
                       0.1 + 0.2, RecallFate::kInjected,
                       2};
  receipt.turns = {turn, turn, turn};
  receipt.turns[1].uid = uid(6);
  receipt.turns[1].lexical.reset();
  receipt.turns[1].row = RowFacts{RowState::kRejected, false, 1, std::nullopt};
  receipt.turns[1].fate = RecallFate::kRejected;
  receipt.turns[1].place = 0;
  receipt.turns[2] = {uid(7), {}, 0.0F, "other", "", {}, 0.5, false, {}, {}, 0, RecallFate::kNoise, 0};
  receipt.memories = {{uid(8),
                       -0.5F,
                       {},
                       "",
                       "",
                       Timestamp{-1},
                       0.5,
                       false,
                       {},
                       RowFacts{.confidence = 0.25},
                       -1e-300,
                       RecallFate::kDecayed,
                       0}};
  receipt.research = {{uid(9),
                       {},
                       1e30F,
                       "",
                       "",
                       Timestamp{std::int64_t{1} << 61},
                       0.5,
                       false,
                       {},
                       RowFacts{.state = RowState::kBlocked, .confidence = 0},
                       1e300,
                       RecallFate::kBlocked,
                       0}};
  return receipt;
}

std::string with_sum(std::string content) {
  const std::uint32_t sum = crc32c(content);
  for (int i = 0; i < 4; ++i) content += static_cast<char>(sum >> 8 * i & 0xFF);
  return content;
}

TEST(ReceiptCodec, GivesBackWhatItWasGiven) {
  const auto decoded = decode_receipt(encode_receipt(full()));
  ASSERT_TRUE(decoded) << decoded.error().to_line();
  EXPECT_EQ(*decoded, full());
  EXPECT_EQ(decode_receipt(encode_receipt(RecallReceipt())).value(), RecallReceipt());
}

TEST(ReceiptCodec, GivesBackRandomReceipts) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomReceipts made(seed);
    RecallReceipt receipt = made.next();
    for (auto& one : receipt.turns) {
      one.fate = static_cast<RecallFate>(made.below(12));
      one.place = static_cast<std::int64_t>(made.below(3));
      if (one.fate != RecallFate::kNoise) one.score = static_cast<double>(made.below(1'000'000)) / 7;
      if (made.chance(50)) one.row = made.row();
    }
    const auto decoded = decode_receipt(encode_receipt(receipt));
    ASSERT_TRUE(decoded) << decoded.error().to_line();
    EXPECT_EQ(*decoded, receipt);
  }
}

std::string golden_receipt(int version) {
  std::ifstream file(PANDORA_GOLDEN "/receipt-v" + std::to_string(version) + ".bin", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ReceiptCodec, ReadsVersionOneAsItAlwaysWas) {
  const auto decoded = decode_receipt(golden_receipt(1));
  ASSERT_TRUE(decoded) << decoded.error().to_line();
  RecallReceipt then = full();
  for (auto& turn : then.turns) turn.follows.reset();
  EXPECT_EQ(*decoded, then);
}

TEST(ReceiptCodec, ReadsAndWritesVersionTwoAsItAlwaysDid) {
  const std::string golden = golden_receipt(2);
  const auto decoded = decode_receipt(golden);
  ASSERT_TRUE(decoded) << decoded.error().to_line();
  EXPECT_EQ(*decoded, full());
  EXPECT_EQ(encode_receipt(full()), golden);
}

TEST(ReceiptCodec, FourHundredCandidatesAreSixteenKilobytes) {
  RandomReceipts made(3);
  RecallReceipt receipt = made.next({0, 0, 0, 6});
  for (int i = 0; i < 400; ++i) {  // each leg brings others, the most that two legs of 200 can
    RecallCandidate one = made.candidate();
    one.dense = i < 200 ? std::optional(0.6F) : std::nullopt;
    one.lexical = i < 200 ? std::nullopt : std::optional(3.0F);
    one.fate = RecallFate::kOverLimit;
    one.score = 1.0 / (i + 1);
    one.quality = i % 10 == 0 ? 0.8 : 0.5;
    if (i % 2 == 0) {  // kept when it was said, and not imported
      std::int64_t millis = 0;
      for (std::size_t byte = 0; byte < 6; ++byte) millis = millis << 8 | one.uid.bytes[byte];
      one.at = Timestamp{millis * 1'000 + i};
    }
    if (i < 80) one.row = RowFacts{.tokens = 35};
    if (i < 40) one.fate = RecallFate::kInjected, one.place = i + 1;
    receipt.turns.push_back(one);
  }
  EXPECT_LE(encode_receipt(receipt).size(), 16u * 1024);
}

TEST(ReceiptCodec, AUidStandsInTheBytesAsItIs) {
  const RecallReceipt receipt = full();
  const std::string bytes = encode_receipt(receipt);
  const auto holds = [&](const Uuid& uid) {
    return bytes.find(std::string(uid.bytes.begin(), uid.bytes.end())) != std::string::npos;
  };
  EXPECT_TRUE(holds(*receipt.turn));
  for (const auto& one : receipt.given) EXPECT_TRUE(holds(one.uid));
  for (const auto* list : {&receipt.turns, &receipt.memories, &receipt.research})
    for (const auto& one : *list) EXPECT_TRUE(holds(one.uid));
}

TEST(ReceiptCodec, ANewerVersionIsRefusedAndNamed) {
  std::string bytes = encode_receipt(full());
  bytes[7] = static_cast<char>(kReceiptVersion + 1);
  EXPECT_EQ(decode_receipt(bytes).error().code, ErrorCode::kIncompatible);
  bytes[7] = 0;
  EXPECT_EQ(decode_receipt(with_sum(bytes.substr(0, bytes.size() - 4))).error().code, ErrorCode::kDataCorrupt);
}

TEST(ReceiptCodec, EveryDamagedByteAndEveryCutIsNoticed) {
  const std::string good = encode_receipt(full());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    EXPECT_FALSE(decode_receipt(bytes)) << "byte " << at;
    EXPECT_FALSE(decode_receipt(good.substr(0, at))) << "cut at " << at;
  }
  EXPECT_FALSE(decode_receipt(good + "x"));
}

// With a checksum that fits: a length or a number must not lead out of the bytes.
TEST(ReceiptCodec, WhatMakesNoSenseIsDamage) {
  const std::string good = encode_receipt(full());
  const std::string content = good.substr(0, good.size() - 4);
  int refused = 0;
  for (std::size_t at = 8; at < content.size(); ++at)
    for (const unsigned char byte : {0x00, 0x7F, 0x80, 0xFF}) {
      std::string bytes = content;
      bytes[at] = static_cast<char>(byte);
      const auto decoded = decode_receipt(with_sum(bytes));
      if (!decoded) {
        EXPECT_EQ(decoded.error().code, ErrorCode::kDataCorrupt);
        ++refused;
      } else {
        EXPECT_EQ(encode_receipt(*decoded), with_sum(bytes))
            << "byte " << at << ": there is one way to write a receipt";
      }
    }
  EXPECT_GT(refused, 100);
  for (std::size_t size = 8; size < content.size(); ++size)
    EXPECT_EQ(decode_receipt(with_sum(content.substr(0, size))).error().code, ErrorCode::kDataCorrupt) << size;
}

// Ranking sorts and adds: what is no number, or beyond every real one, would lead it astray.
TEST(ReceiptCodec, NumbersThatCannotBeRankedAreDamage) {
  const auto refused = [](const auto& change) {
    RecallReceipt receipt = full();
    change(receipt);
    const auto decoded = decode_receipt(encode_receipt(receipt));
    return !decoded && decoded.error().code == ErrorCode::kDataCorrupt;
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 40, kLatest = std::int64_t{1} << 61;
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.turns[0].dense = std::nanf(""); }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.turns[0].lexical = INFINITY; }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.turns[0].quality = std::nan(""); }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.turns[0].score = -INFINITY; }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.memories[0].row->confidence = std::nan(""); }));
  EXPECT_FALSE(refused([&](RecallReceipt& receipt) { receipt.turns[0].row->tokens = kMost; }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.turns[0].row->tokens = kMost + 1; }));
  EXPECT_FALSE(refused([&](RecallReceipt& receipt) { receipt.limit = kMost; }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.limit = -1; }));
  EXPECT_FALSE(refused([&](RecallReceipt& receipt) { receipt.at = {kLatest}; }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.at = {kLatest + 1}; }));
  EXPECT_TRUE(refused([&](RecallReceipt& receipt) { receipt.turns[0].at = Timestamp{-kLatest - 1}; }));
}

TEST(ReceiptCodec, ReadsUpToItsMaximum) {
  EXPECT_EQ(decode_receipt(std::string(kMaxReceiptBytes, 'x')).error().code, ErrorCode::kDataCorrupt);
  EXPECT_EQ(decode_receipt(std::string(kMaxReceiptBytes + 1, 'x')).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace pandora
