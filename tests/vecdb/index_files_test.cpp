#include "vecdb/index_files.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "base/random.h"
#include "index_case.h"
#include "vecdb/block_file.h"

namespace pandora {
namespace {

constexpr std::size_t kNumbers = 400;

std::size_t number_of(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::stoul(text) : otherwise;
}
unsigned seed_of_run() { return static_cast<unsigned>(number_of("PANDORA_SEED", 1)); }

// Where the sections of a part lie, its table and its foot: docs/formats.md.
std::map<std::string, std::pair<std::size_t, std::size_t>> ranges_of(const std::string& part) {
  constexpr std::size_t kFoot = 32, kSum = 4, kSection = 24;
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(part.at(at + i));
    return static_cast<std::size_t>(value);
  };
  const std::size_t foot = part.size() - kFoot;
  const std::size_t data = number(foot + 8, 8), blocks = number(foot + 16, 4);
  std::map<std::string, std::pair<std::size_t, std::size_t>> ranges;
  ranges["sums"] = {data, data + blocks * kSum};
  ranges["table"] = {data + blocks * kSum, foot};
  ranges["foot"] = {foot, part.size()};
  for (std::size_t at = data + blocks * kSum; at < foot; at += kSection) {
    const std::size_t offset = number(at + 8, 8), bytes = number(at + 16, 8);
    if (bytes == 0) continue;
    ranges["section " + std::to_string(number(at, 4)) + " of " + std::to_string(number(at + 4, 4))] = {offset,
                                                                                                       offset + bytes};
  }
  return ranges;
}

TEST(IndexFiles, an_index_is_the_same_after_it_was_in_files) {
  IndexCase one(11);
  for (std::size_t number = 0; number < kNumbers; ++number) one.put(number);
  ASSERT_TRUE(one.checkpoint());
  EXPECT_EQ(one.index().unsaved(), 0U);
  one.expect_as_rebuilt();  // what was put in the tail's place
  EXPECT_TRUE(one.open().whole);
  one.expect_as_rebuilt();
}

TEST(IndexFiles, what_changed_since_is_fed_and_the_next_checkpoint_has_it) {
  IndexCase one(12);
  for (int round = 0; round < 12; ++round) {
    one.change(150, kNumbers);
    if (round % 3 != 2) {
      EXPECT_TRUE(one.checkpoint().has_value());
    }
    if (round % 2 == 0) one.expect_as_rebuilt();
    EXPECT_TRUE(one.open().whole);
    one.expect_as_rebuilt();
  }
}

TEST(IndexFiles, an_empty_index_has_no_files_and_lacks_nothing_but_them) {
  IndexCase one(13);
  ASSERT_TRUE(one.checkpoint());
  EXPECT_TRUE(one.list().empty());
  EXPECT_FALSE(one.open().whole);
  one.expect_as_rebuilt();
}

// The mean is taken at 256 and 4,096 vectors: codes of earlier files are of another one.
TEST(IndexFiles, codes_follow_their_mean) {
  IndexCase one(14);
  for (std::size_t number = 0; number < 4'900; ++number) {
    one.put(number);
    if (number == 200 || number == 3'000) {
      EXPECT_TRUE(one.checkpoint().has_value());
    }
    if (number == 220) one.open();
  }
  one.expect_as_rebuilt();
  EXPECT_TRUE(one.open().whole);  // not written since: codes are made anew
  one.expect_as_rebuilt();
  ASSERT_TRUE(one.checkpoint());
  EXPECT_TRUE(one.open().whole);
  one.expect_as_rebuilt();
}

TEST(IndexFiles, a_small_tail_is_written_alone_and_parts_grow_by_merging) {
  IndexCase one(15);
  for (std::size_t number = 0; number < 2'000; ++number) one.put(number);
  ASSERT_TRUE(one.checkpoint());
  const auto before = one.list();
  std::uint64_t least = 0;
  for (const auto& file : before) least = std::max(least, file.size);
  for (std::size_t number = 2'000; number < 2'050; ++number) one.put(number);
  ASSERT_TRUE(one.checkpoint());
  ASSERT_EQ(one.list().size(), 3U);  // the manifest, the large part as it was, a small one
  EXPECT_EQ(one.list()[0].size, before[0].size);
  EXPECT_LT(one.list()[1].size, least / 8);
  std::size_t most = 0;
  for (std::size_t number = 2'050; number < 6'000; number += 50) {
    for (std::size_t i = number; i < number + 50; ++i) one.put(i);
    ASSERT_TRUE(one.checkpoint());
    most = std::max(most, one.list().size());
  }
  EXPECT_LE(most, 9U);
  EXPECT_TRUE(one.open().whole);
  one.expect_as_rebuilt();
}

TEST(IndexFiles, searches_and_changes_go_on_while_files_are_written) {
  IndexCase one(16);
  one.change(600, kNumbers);
  IndexFiles files(one.files, "/beside", kIndexEpoch);
  auto checkpoint = files.begin(one.index(), IndexFiles::Scope::kTail);
  ASSERT_TRUE(checkpoint);
  one.change(200, kNumbers);
  one.expect_as_rebuilt();
  ASSERT_TRUE(checkpoint->write());
  one.change(200, kNumbers);
  one.expect_as_rebuilt();
  files.end(one.index(), *checkpoint);
  one.expect_as_rebuilt();
  EXPECT_GT(one.index().unsaved(), 0U);
}

TEST(IndexFiles, a_checkpoint_that_failed_changes_nothing_and_the_next_one_has_all) {
  IndexCase one(17);
  one.change(300, kNumbers);
  ASSERT_TRUE(one.checkpoint());
  for (const ErrorCode code : {ErrorCode::kStorageFull, ErrorCode::kUnavailable}) {
    one.change(100, kNumbers);
    one.files.fail_after(1, code);
    EXPECT_FALSE(one.checkpoint());
    one.expect_as_rebuilt();
  }
  one.change(100, kNumbers);
  ASSERT_TRUE(one.checkpoint());
  EXPECT_TRUE(one.open().whole);
  one.expect_as_rebuilt();
}

// What was removed or replaced leaves no byte behind.
TEST(IndexFiles, a_purge_leaves_nothing_of_what_was_removed) {
  IndexCase one(18);
  for (std::size_t number = 0; number < kNumbers; ++number) one.put(number);
  const auto words_of_all = [&] {
    std::string all;
    for (const auto& file : one.list()) all += *one.files.read_file("/index/" + file.name, 1U << 30);
    return all;
  };
  ASSERT_TRUE(one.checkpoint());
  std::vector<std::string> gone;
  for (std::size_t number = 0; number < kNumbers; number += 3) {
    const auto slot = one.index().find(id_of(number));
    gone.emplace_back(*one.index().stored(*slot));
    const auto row = *one.index().dense(0, *slot);
    if (!row.empty()) gone.emplace_back(reinterpret_cast<const char*>(row.data()), row.size_bytes());
    gone.emplace_back(reinterpret_cast<const char*>(id_of(number).bytes.data()), sizeof(Uuid));
    one.remove(number);
  }
  for (const auto& words : gone) ASSERT_NE(words_of_all().find(words), std::string::npos);
  ASSERT_TRUE(one.checkpoint(IndexFiles::Scope::kPurge));
  const std::string all = words_of_all();
  for (const auto& words : gone) EXPECT_EQ(all.find(words), std::string::npos);
  one.expect_as_rebuilt();
  EXPECT_TRUE(one.open().whole);
  one.expect_as_rebuilt();
}

TEST(IndexFiles, points_move_out_of_a_part_that_is_mostly_dead_and_it_goes) {
  IndexCase one(19);
  for (std::size_t number = 0; number < 3'000; ++number) one.put(number);
  ASSERT_TRUE(one.checkpoint());
  EXPECT_TRUE(one.index().worth_moving(10).empty());
  for (std::size_t number = 0; number < 1'500; ++number) one.put(number);  // in new slots
  const auto slots = one.index().worth_moving(10'000);
  EXPECT_EQ(slots.size(), 1'500U);
  for (const Slot slot : slots) {
    Payload none;
    ASSERT_TRUE(one.index().move(slot, none));
  }
  ASSERT_TRUE(one.checkpoint());
  EXPECT_EQ(one.list().size(), 2U);
  EXPECT_EQ(one.index().size(), 3'000U);
  EXPECT_TRUE(one.open().whole);
  EXPECT_EQ(one.index().size(), 3'000U);
}

// Each round gives every point a new slot, in the place of those before the last round.
TEST(IndexFiles, slots_of_parts_that_have_gone_are_given_again) {
  constexpr std::size_t kPoints = 2'000, kRounds = 12;
  IndexCase one(22);
  std::size_t most = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (std::size_t number = 0; number < kPoints; ++number) {
      one.put((number * 7 + round) % kPoints);
      if (number % 500 == 499) {
        EXPECT_TRUE(one.checkpoint().has_value());
      }
    }
    for (const Slot slot : one.index().worth_moving(kPoints)) {
      Payload none;
      EXPECT_TRUE(one.index().move(slot, none).has_value());
    }
    if (round % 4 == 3) {
      EXPECT_TRUE(one.open().whole);
    }
    most = std::max(most, one.index().bound());
  }
  EXPECT_LE(most, 4 * kPoints);
  EXPECT_GE(one.index().room(), PointIndex::kMaxSlots - most);
  one.expect_as_rebuilt();
}

// Of two parts, each with more dead than it should have and as many points, one fits, or both.
TEST(IndexFiles, a_part_is_worth_moving_when_all_of_its_points_find_room) {
  constexpr std::array<std::size_t, 2> kParts = {4'864, 2'560};  // neither is written again with the other
  constexpr std::size_t kLive = 1'472, kTail = 1'000;
  for (const std::size_t room : {kLive - 1, kLive, 2 * kLive - 1, 2 * kLive}) {
    SCOPED_TRACE(room);
    IndexCase one(26, small_shape(), kParts[0] + kParts[1] + kTail + room);
    for (const auto& [first, slots] : {std::pair{std::size_t{0}, kParts[0]}, std::pair{kParts[0], kParts[1]}}) {
      for (std::size_t number = first; number < first + slots; ++number) one.put(number);
      ASSERT_TRUE(one.checkpoint());
    }
    ASSERT_EQ(one.list().size(), 3U);  // they, and the manifest
    std::vector<std::size_t> live;
    for (const auto& [first, slots] : {std::pair{std::size_t{0}, kParts[0]}, std::pair{kParts[0], kParts[1]}})
      for (std::size_t i = 0; i < slots; ++i)
        if (i < kLive)
          live.push_back(first + i);
        else
          one.remove(first + i);
    for (std::size_t i = 0; i < kTail; ++i) one.put(kParts[0] + kParts[1] + i);
    ASSERT_EQ(one.index().room(), room);
    const std::size_t fit = room / kLive * kLive;
    EXPECT_EQ(one.index().worth_moving(2 * kLive).size(), fit);
    EXPECT_EQ(one.index().worth_moving(10).size(), fit > 0 ? 10U : 0U);
    for (std::size_t i = 0; i < fit; ++i) {
      ASSERT_EQ(one.index().worth_moving(1).size(), 1U) << "given up after " << i;
      one.move(live[i]);
    }
    EXPECT_TRUE(one.index().worth_moving(1).empty());
    one.expect_as_rebuilt();
  }
}

TEST(IndexFiles, without_a_slot_left_a_put_is_refused_and_nothing_is_worth_moving) {
  constexpr std::size_t kSlots = 4'096, kPoints = 3'008;
  IndexCase one(23, small_shape(), kSlots);
  for (std::size_t number = 0; number < kPoints; ++number) one.put(number);
  ASSERT_TRUE(one.checkpoint());
  for (std::size_t number = 0; number < kSlots - kPoints; ++number) one.put(number);  // in new slots
  EXPECT_EQ(one.index().room(), 0U);
  EXPECT_TRUE(one.index().worth_moving(10).empty());  // or its owner would move the same ones for ever
  const Payload none;
  const auto refused = one.index().move(*one.index().find(id_of(kPoints - 1)), none);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  const auto another = one.index().put({id_of(kPoints), one.seq() + 1, {}, {}, &none, ""});
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code, ErrorCode::kResourceExhausted);
  one.expect_as_rebuilt();
  for (std::size_t number = 0; number < kPoints; ++number) one.remove(number);
  ASSERT_TRUE(one.checkpoint());
  EXPECT_GE(one.index().room(), kPoints);
}

TEST(IndexFiles, a_manifest_names_as_many_slots_as_there_may_be_and_no_more) {
  constexpr std::size_t kSlots = 640;
  IndexCase one(27, small_shape(), kSlots);
  for (std::size_t number = 0; number < kSlots; ++number) one.put(number);
  ASSERT_TRUE(one.checkpoint());
  const auto loads = [&](std::size_t most) {
    PointIndex index(small_shape(), {}, kIndexStretch, most);
    return IndexFiles(one.files, "/index", kIndexEpoch).load(index, one.seq(), 0).whole;
  };
  EXPECT_TRUE(loads(kSlots));
  EXPECT_FALSE(loads(kSlots - 1));
}

// So few points that a search reads the floats of all of them: what is found is exact.
TEST(IndexFiles, slots_are_given_again_whatever_happens_between_and_during_checkpoints) {
  constexpr std::size_t kPoints = 120, kSteps = 40;
  const unsigned first = seed_of_run();
  const auto rounds = static_cast<unsigned>(number_of("PANDORA_REUSE_ROUNDS", 16));  // 500: a minute
  std::size_t bound = 0;
  for (unsigned seed = first; seed < first + rounds; ++seed) {
    SCOPED_TRACE(seed);
    IndexCase one(seed);
    SeededRandom random(seed);
    ASSERT_TRUE(one.files.create_directories("/index"));
    ASSERT_TRUE(one.files.sync_directory("/"));
    const auto some = [&](std::size_t most) { return static_cast<std::size_t>(random.below(most)); };
    const auto stir = [&] { one.stir(some(some(2) == 0 ? kPoints / 8 : 2 * kPoints), kPoints); };
    one.put(0);
    ASSERT_TRUE(one.checkpoint());
    for (std::size_t step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(step);
      stir();
      const auto scope = some(4) == 0 ? IndexFiles::Scope::kPurge : IndexFiles::Scope::kTail;
      const std::size_t kind = some(6);
      if (kind < 2) {  // power fails somewhere in the middle
        one.files.die_after(random.below(8));
        (void)one.checkpoint(scope);
        one.files.crash(random);
        const auto loaded = one.open();
        EXPECT_TRUE(loaded.whole) << loaded.why;
      } else {
        ASSERT_TRUE(one.checkpoint(scope, stir));
      }
      if (kind == 2) {
        const auto loaded = one.open();
        EXPECT_TRUE(loaded.whole) << loaded.why;
      }
      one.expect_as_rebuilt();
      if (HasFailure()) return;
      bound = std::max(bound, one.index().bound());
    }
  }
  EXPECT_LT(bound, 20 * kPoints);
}

// Damage in a part of which nobody lives is met behind the writing of a part that reaches over it, and the tail goes on
// in its place: then the written one cannot stand for those that it was made of.
TEST(IndexFiles, what_could_not_be_put_in_its_place_is_written_again) {
  constexpr std::size_t kGone = 896, kFirst = 832, kDead = 768, kLast = 64, kNew = 704;
  IndexCase one(24);
  std::size_t next = 0;
  const auto put = [&](std::size_t count) {
    for (const std::size_t end = next + count; next < end; ++next) one.put(next);
  };
  const auto remove = [&](std::size_t first, std::size_t count) {
    for (std::size_t number = first; number < first + count; ++number) one.remove(number);
  };
  for (const std::size_t count : {kGone, kFirst, kDead, kLast}) {
    put(count);
    ASSERT_TRUE(one.checkpoint());
  }
  ASSERT_EQ(one.list().size(), 5U);  // a part each, and the manifest
  const std::string damaged = "/index/" + one.list()[2].name;
  std::string bytes = *one.files.read_file(damaged, 1U << 30);
  const auto [begin, end] = ranges_of(bytes).at("section 15 of 0");  // postings, which opening does not read
  const std::size_t block = (begin + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  ASSERT_LT(block + kBlockBytes, end);
  bytes[block] = static_cast<char>(bytes[block] ^ 1);
  ASSERT_TRUE(one.files.write_atomic(damaged, bytes, Durability::kNow));
  ASSERT_TRUE(one.open().whole);
  remove(0, kGone);
  ASSERT_TRUE(one.checkpoint());
  remove(kGone + kFirst, kDead);
  put(kNew);
  SparseVector words;
  for (std::uint32_t term = 0; term < 40; ++term) words.indices.push_back(term * 7), words.values.push_back(1);
  bool written = false;
  ASSERT_TRUE(one.checkpoint(IndexFiles::Scope::kTail, [&] {
    if (!std::exchange(written, true)) return;
    EXPECT_FALSE(one.index().by_terms(0, words, 10, nullptr, Deadline::never()));
    EXPECT_EQ(one.index().drop_damaged(), 0U);
    one.feed();
    put(kGone + 1);  // the last of them where the dead were
  }));
  one.expect_as_rebuilt();
  put(1);
  ASSERT_TRUE(one.checkpoint());
  const auto loaded = one.open();
  EXPECT_TRUE(loaded.whole) << loaded.why;
  one.expect_as_rebuilt();
}

TEST(IndexFiles, files_of_another_epoch_shape_or_a_later_state_are_refused_and_removed) {
  const auto refused = [](IndexCase& one, IndexShape shape, Uuid epoch, std::uint64_t seq, std::uint64_t since) {
    PointIndex index(std::move(shape));
    IndexFiles files(one.files, "/index", epoch);
    const auto loaded = files.load(index, seq, since);
    EXPECT_FALSE(loaded.whole);
    EXPECT_FALSE(loaded.why.empty());
    EXPECT_EQ(index.size(), 0U);
    EXPECT_EQ(index.applied(), 0U);
    EXPECT_TRUE(one.list().empty());  // as the numbers grow it would look right some day
  };
  for (int what = 0; what < 4; ++what) {
    SCOPED_TRACE(what);
    IndexCase one(20);
    one.change(300, kNumbers);
    ASSERT_TRUE(one.checkpoint());
    IndexShape shape = small_shape();
    if (what == 0) shape.meaning = "another encoder";
    refused(one, shape, what == 1 ? id_of(2'000'000) : kIndexEpoch, one.seq() - (what == 2),
            what == 3 ? one.seq() + 1 : 0);
  }
  IndexCase exact(20);
  exact.change(300, kNumbers);
  ASSERT_TRUE(exact.checkpoint());
  PointIndex index(small_shape());
  EXPECT_TRUE(IndexFiles(exact.files, "/index", kIndexEpoch).load(index, exact.seq(), exact.seq()).whole);
}

// Flip, zero, cut or extend anything: whoever asks gets what an index made anew gives.
TEST(IndexFiles, damage_to_any_byte_range_of_any_file_is_found_and_made_good) {
  const unsigned seed = seed_of_run();
  SCOPED_TRACE(seed);
  IndexCase one(seed);
  one.change(500, 300);
  ASSERT_TRUE(one.checkpoint());
  one.change(100, 300);
  ASSERT_TRUE(one.checkpoint());
  one.change(60, 300);
  ASSERT_TRUE(one.checkpoint());
  one.change(20, 300);
  const auto listed = one.list();
  ASSERT_GE(listed.size(), 3U);
  std::map<std::string, std::string> whole;
  for (const auto& file : listed) whole[file.name] = *one.files.read_file("/index/" + file.name, 1U << 30);
  int found = 0, trials = 0;
  for (const auto& [name, bytes] : whole) {
    const std::size_t places = number_of("PANDORA_DAMAGE_PLACES", 24);  // more: minutes
    for (std::size_t place = 0; place < 2 * places; ++place) {
      // Places that go through the whole file, and as many anywhere.
      const std::size_t at = place < places ? place * (bytes.size() - 1) / (places - 1) : one.random()() % bytes.size();
      const std::size_t length = std::min<std::size_t>(bytes.size() - at, std::size_t{1} << one.random()() % 12);
      std::string damaged = bytes;
      switch (place % 4) {
        case 0:
          damaged[at] = static_cast<char>(damaged[at] ^ 1 << one.random()() % 8);
          break;
        case 1:
          std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
          break;
        case 2:
          damaged.resize(at);
          break;
        default:
          damaged.insert(at, std::string(length, static_cast<char>(one.random()())));
      }
      for (const auto& [other, content] : whole)
        ASSERT_TRUE(one.files.write_atomic("/index/" + other, other == name ? damaged : content, Durability::kNow));
      SCOPED_TRACE(name + " kind " + std::to_string(place % 4) + " at " + std::to_string(at));
      const auto loaded = one.open();
      ++trials;
      found += !loaded.whole || one.meets_damage();
      one.expect_as_rebuilt_after_healing();
      if (HasFatalFailure() || HasNonfatalFailure()) return;
      if (place % 8 == 0) {  // and once it is written again it is whole
        ASSERT_TRUE(one.checkpoint());
        EXPECT_TRUE(one.open().whole);
      }
    }
  }
  EXPECT_GT(found, trials * 3 / 4);  // zeros over zeros are none, and what nobody lives in is read by nobody
}

// Each thing that a file holds, at its first byte, its last and one between, in each of the four ways.
TEST(IndexFiles, damage_to_whatever_a_file_holds_is_found_and_made_good) {
  const unsigned seed = seed_of_run();
  SCOPED_TRACE(seed);
  IndexCase one(seed);
  for (std::size_t number = 0; number < 150; ++number) one.put(number, number % 75 == 1 ? "rare" : nullptr);
  ASSERT_TRUE(one.checkpoint());
  one.change(12, 150);
  const auto listed = one.list();
  ASSERT_EQ(listed.size(), 2U);
  std::map<std::string, std::string> whole;
  for (const auto& file : listed) whole[file.name] = *one.files.read_file("/index/" + file.name, 1U << 30);
  for (const auto& [name, bytes] : whole) {
    std::map<std::string, std::pair<std::size_t, std::size_t>> ranges;
    if (name == "MANIFEST")
      for (std::size_t at = 0; at < bytes.size(); at += 16)
        ranges["bytes " + std::to_string(at)] = {at, std::min(at + 16, bytes.size())};
    else
      ranges = ranges_of(bytes);
    if (name != "MANIFEST") {
      std::set<std::string> kinds;
      for (const auto& [what, range] : ranges) kinds.insert(what.substr(0, what.find(" of ")));
      EXPECT_EQ(kinds.size(), 3U + 24U) << "not every kind of section is there";
    }
    for (const auto& [what, range] : ranges) {
      const auto [begin, end] = range;
      for (const std::size_t at : {begin, begin + one.random()() % (end - begin), end - 1})
        for (int kind = 0; kind < 4; ++kind) {
          std::string damaged = bytes;
          if (kind == 0)
            damaged[at] = static_cast<char>(damaged[at] ^ 1 << one.random()() % 8);
          else if (kind == 1)
            std::fill(damaged.begin() + static_cast<std::ptrdiff_t>(at),
                      damaged.begin() + static_cast<std::ptrdiff_t>(end), '\x5a');
          else if (kind == 2)
            damaged.resize(at);
          else
            damaged.insert(at, 1, '\0');
          if (damaged == bytes) continue;
          for (const auto& [other, content] : whole)
            ASSERT_TRUE(one.files.write_atomic("/index/" + other, other == name ? damaged : content, Durability::kNow));
          SCOPED_TRACE(name + " " + what + " kind " + std::to_string(kind) + " at " + std::to_string(at));
          const auto loaded = one.open();
          EXPECT_TRUE(!loaded.whole || one.meets_damage());
          one.expect_as_rebuilt_after_healing();
          if (HasFatalFailure() || HasNonfatalFailure()) return;
        }
    }
  }
}

// Power goes at every operation of a checkpoint in turn, and whatever was not synced is kept, lost or torn.
TEST(IndexFiles, power_that_fails_in_the_middle_of_a_checkpoint_loses_nothing) {
  const unsigned seed = seed_of_run();
  SCOPED_TRACE(seed);
  SeededRandom random(seed);
  std::uint64_t operations = 1;
  for (std::uint64_t at = 0; at < operations; ++at) {
    IndexCase one(seed);
    ASSERT_TRUE(one.files.create_directories("/index"));
    ASSERT_TRUE(one.files.sync_directory("/"));
    one.change(200, 150);
    ASSERT_TRUE(one.checkpoint());
    one.change(100, 150);
    const std::uint64_t before = one.files.operations();
    one.files.die_after(at);
    (void)one.checkpoint(at % 2 == 0 ? IndexFiles::Scope::kTail : IndexFiles::Scope::kPurge);
    operations = std::max(operations, one.files.operations() - before + 1);
    one.files.crash(random);
    one.open();
    one.expect_as_rebuilt_after_healing();
    if (HasFatalFailure() || HasNonfatalFailure()) {
      ADD_FAILURE() << "power failed at operation " << at;
      return;
    }
    one.change(50, 150);
    ASSERT_TRUE(one.checkpoint());
    EXPECT_TRUE(one.open().whole);
    one.expect_as_rebuilt();
  }
  EXPECT_GE(operations, 6U);
}

// docs/formats.md: version 1 of both files. New bytes need a new version.
TEST(IndexFiles, version_1_is_read_and_written_as_it_was) {
  IndexCase one(21);
  one.change(90, 60);
  ASSERT_TRUE(one.checkpoint());
  for (const auto& file : one.list()) {
    const std::string path = std::string(PANDORA_GOLDEN) + "/index-v1-" + file.name;
    const std::string bytes = *one.files.read_file("/index/" + file.name, 1U << 30);
    if (std::getenv("PANDORA_WRITE_GOLDEN")) std::ofstream(path, std::ios::binary) << bytes;
    std::ifstream golden(path, std::ios::binary);
    const std::string expected((std::istreambuf_iterator<char>(golden)), {});
    EXPECT_TRUE(bytes == expected) << file.name << ": " << bytes.size() << " bytes, the golden file has "
                                   << expected.size();
    ASSERT_TRUE(one.files.write_atomic("/index/" + file.name, expected, Durability::kNow));
  }
  EXPECT_TRUE(one.open().whole);
  one.expect_as_rebuilt();
}

}  // namespace
}  // namespace pandora
