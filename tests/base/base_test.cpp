#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "support/fault_file_system.h"

namespace pandora {
namespace {

TEST(Clock, WritesAndReadsTheSameMoment) {
  EXPECT_EQ(to_iso8601({1'767'607'200'000'001}), "2026-01-05T10:00:00.000001Z");
  EXPECT_EQ(parse_iso8601("2026-01-05T12:00:00.000001+02:00").value().micros, 1'767'607'200'000'001);
  for (const char* zone : {"+02:00", "+0200", "+02"})
    EXPECT_EQ(parse_iso8601(std::string("2026-01-05T12:00:00") + zone).value().micros, 1'767'607'200'000'000) << zone;
  EXPECT_EQ(to_iso8601(parse_iso8601("2026-01-05").value()), "2026-01-05T00:00:00.000000Z");
  for (const char* wrong : {"", "2026", "2026-13-01", "2026-02-30", "2026-01-05T24:00Z", "2026-01-05T10:00:00Zx",
                            "-026-01-01", "2026-01-05T10:00:00+", "2026-01-05T10:00:00+2", "2026-01-05T10:00:00+020"})
    EXPECT_FALSE(parse_iso8601(wrong)) << wrong;
  // Of years of four digits, whatever its zone; PostgreSQL knows no year 0.
  for (const char* wrong : {"0000-12-31", "0001-01-01T00:59:59.999999+01:00", "9999-12-31T23:00:00-01:00",
                            "9999-12-31T23:59:60Z", "0000-01-01T00:00:00Z"})
    EXPECT_FALSE(parse_iso8601(wrong)) << wrong;
  for (const char* right : {"0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"})
    EXPECT_EQ(to_iso8601(parse_iso8601(right).value()), right);
}

TEST(Clock, TheZoneIsTheOneOfItsEnvironmentAtThatMoment) {
  const SystemClock clock;
  ::setenv("TZ", "EET-2EEST-3,M3.5.0/3,M10.5.0/4", 1);  // Helsinki's
  ::tzset();
  EXPECT_EQ(clock.zone_offset(parse_iso8601("2026-01-05").value()), std::chrono::hours(2));
  EXPECT_EQ(clock.zone_offset(parse_iso8601("2026-07-05").value()), std::chrono::hours(3));
  ::unsetenv("TZ");
  ::tzset();
}

TEST(Deadline, ExpiresWithTheClockAndNeverWithoutOne) {
  ManualClock clock;
  const Deadline deadline = Deadline::after(clock, Duration(10));
  EXPECT_TRUE(deadline.check("recall"));
  EXPECT_EQ(deadline.at_most(clock, Duration(4)).remaining(), Duration(4));
  clock.advance(Duration(10));
  EXPECT_EQ(deadline.check("recall").error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(deadline.remaining(), Duration(0));
  EXPECT_FALSE(Deadline::never().expired());
}

TEST(Random, ASeedGivesItsPublishedSequenceAndBelowStaysBelow) {
  SeededRandom random(0);
  EXPECT_EQ(random.next(), 0xE220A8397B1DCDAFu);  // SplitMix64's first value for 0
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random.below(7), 7u);
}

TEST(Hash, GivesThePublishedValues) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xE3069283u);
}

TEST(Uuid, VersionSevenGrowsAlsoWhenTheClockJumpsBack) {
  ManualClock clock;
  SeededRandom random(7);
  UuidV7Generator ids(clock, random);
  Uuid last = ids.next();
  for (int i = 0; i < 5000; ++i) {
    if (i == 2500) clock.set_wall({0});
    const Uuid next = ids.next();
    ASSERT_LT(last, next) << i;
    last = next;
  }
  EXPECT_EQ(Uuid::parse(last.to_string()).value(), last);
  EXPECT_EQ(last.to_string()[14], '7');
  EXPECT_FALSE(Uuid::parse("not-a-uuid"));
}

TEST(Name, TakesItsLongestAndRefusesOnePast) {
  EXPECT_TRUE(UserId::parse(std::string(kMaxNameLength, 'a')));
  EXPECT_FALSE(UserId::parse(std::string(kMaxNameLength + 1, 'a')));
  for (const char* wrong : {"", ".a", "-a", "a/b", "a b"}) EXPECT_FALSE(UserId::parse(wrong)) << wrong;
}

TEST(ErrorTable, ACodeIsFoundByItsName) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(error_code_named(error_info(code).name), code);
  }
  EXPECT_EQ(error_code_named("nonsense"), ErrorCode::kInternal);
}

TEST(Text, TheDistanceOfTwoWordsIsHowManyLettersDiffer) {
  EXPECT_EQ(edit_distance("list", "list"), 0u);
  EXPECT_EQ(edit_distance("lsit", "list"), 2u);
  EXPECT_EQ(edit_distance("", "turns"), 5u);
  EXPECT_EQ(edit_distance("trns", "turns"), 1u);
}

TEST(Text, BrokenUtf8IsReplacedAndValidTextStays) {
  EXPECT_EQ(sanitize_utf8("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(sanitize_utf8("a\xE2\x82z\xFF"), "a\xEF\xBF\xBDz\xEF\xBF\xBD");
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
  EXPECT_EQ(ellipsize("caf\xC3\xA9s!", 6), "caf\xE2\x80\xA6");
  EXPECT_EQ(collapse_space("  a \t\n b "), "a b");
  EXPECT_EQ(one_line("a\nb"), "a b");
}

TEST(Log, MasksSecretsWhereverTheyStand) {
  for (const char* text :
       {"DATABASE_URL=postgres://u:hunter2@db/x", "Authorization: Bearer hunter2", "password=hunter2",
        "Authorization: Basic hunter2", "no key sk-hunter2-hunter2-hunter2 here", "x?key=sk-pandora-hunter2hunter2",
        "(sk-hunter2hunter2hunter2)", "api_key: \"hunter2\"", "redis://:hunter2@host"})
    EXPECT_EQ(mask_secrets(text).find("hunter2"), std::string::npos) << mask_secrets(text);
  ::testing::internal::CaptureStderr();
  set_log(LogLevel::kInfo, LogFormat::kJson);
  log_debug("unseen");
  log_info("opened", {{"api_key", "hunter2"}, {"count", 3}, {"text", "a\"b"}});
  set_log(LogLevel::kWarn, LogFormat::kText);
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(R"("event":"opened","api_key":"***","count":3,"text":"a\"b"})"), std::string::npos) << line;
  EXPECT_EQ(line.find("unseen"), std::string::npos);
}

TEST(Log, EveryLineOfARequestNamesIt) {
  EXPECT_EQ(mask_secrets("a task-oriented, risk-averse sk-etch"), "a task-oriented, risk-averse sk-etch");
  const std::string outer = "outer", inner = "inner";
  ::testing::internal::CaptureStderr();
  log_warn("before");
  {
    const LogScope scope(outer);
    log_warn("first", {{"count", 1}});
    {
      const LogScope nested(inner);
      set_log(LogLevel::kWarn, LogFormat::kJson);
      log_warn("second", {{"count", 2}});
      set_log(LogLevel::kWarn, LogFormat::kText);
    }
    log_warn("third", {{"request", "its-own"}});
    std::thread([] { log_warn("elsewhere"); }).join();
    EXPECT_EQ(current_request(), outer);
  }
  log_warn("after");
  const std::string lines = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(lines.find("warn before\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("warn first count=1 request=outer\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find(R"("event":"second","count":2,"request":"inner"})"), std::string::npos) << lines;
  EXPECT_NE(lines.find("warn third request=its-own\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("warn elsewhere\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("warn after\n"), std::string::npos) << lines;
}

class ConfigTest : public ::testing::Test {
 protected:
  Result<Config> load() {
    inputs_.environment = [this](const std::string& name) {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
    return Config::load(inputs_, files_);
  }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(files_.write_atomic(path, text, Durability::kNow));
  }
  testing::FaultFileSystem files_;
  ConfigInputs inputs_{{}, {}, "/pandora.toml", false};
  std::map<std::string, std::string> environment_;
};

TEST_F(ConfigTest, AFlagBeatsTheEnvironmentBeatsItsFileBeatsTheFileBeatsTheDefault) {
  EXPECT_EQ(load()->string("qdrant.api_key"), "");
  write("/pandora.toml", "[qdrant]\napi_key = \"file\"\n");
  EXPECT_EQ(load()->string("qdrant.api_key"), "file");
  write("/secret", "named\n");
  environment_["QDRANT_API_KEY_FILE"] = "/secret";
  EXPECT_EQ(load()->string("qdrant.api_key"), "named");
  environment_["QDRANT_API_KEY"] = "direct";
  EXPECT_EQ(load().error().code, ErrorCode::kInvalidArgument);
  environment_.erase("QDRANT_API_KEY_FILE");
  EXPECT_EQ(load()->string("qdrant.api_key"), "direct");
  inputs_.flags["qdrant.api_key"] = "flag";
  EXPECT_EQ(load()->string("qdrant.api_key"), "flag");
}

// A secret that is not there is no empty one: what asked for it would be let in, or not, without anybody knowing why.
TEST_F(ConfigTest, AFileOfASecretThatIsMissingOrCannotBeReadIsNamed) {
  write("/url", "postgresql://ana:right@db:5433/mine\n");
  environment_["DATABASE_URL_FILE"] = "/url";
  EXPECT_EQ(load()->string("postgres.url"), "postgresql://ana:right@db:5433/mine");
  ASSERT_TRUE(files_.create_directories("/folder"));
  for (const char* name : {"DATABASE_URL_FILE", "POSTGRES_PASSWORD_FILE", "REDIS_URL_FILE",
                           "AWS_SECRET_ACCESS_KEY_FILE", "QDRANT_API_KEY_FILE"})
    for (const char* path : {"/nowhere", "/folder"}) {
      environment_ = {{name, path}};
      const auto refused = load();
      ASSERT_FALSE(refused) << name << path;
      EXPECT_NE(refused.error().message.find(name), std::string::npos) << refused.error().message;
      EXPECT_NE(refused.error().message.find(path), std::string::npos) << refused.error().message;
    }
  environment_ = {{"DATABASE_URL_FILE", ""}};
  EXPECT_TRUE(load()) << "whoever inherits one takes it away so";
}

TEST_F(ConfigTest, WhatAnInstanceSaysStandsBetweenTheEnvironmentAndTheFile) {
  std::map<std::string, std::string> instance;
  inputs_.instance = [&](const std::string& name) {
    const auto found = instance.find(name);
    return found == instance.end() ? std::nullopt : std::optional(found->second);
  };
  write("/pandora.toml", "[qdrant]\napi_key = \"file\"\n");
  EXPECT_EQ(load()->string("qdrant.api_key"), "file");
  write("/secret", "named\n");
  instance["QDRANT_API_KEY_FILE"] = "/secret";
  EXPECT_EQ(load()->string("qdrant.api_key"), "named");
  const auto value_of = [&](const Config& config) {
    return *std::ranges::find(config.values(), "qdrant.api_key", &EffectiveValue::key);
  };
  EXPECT_EQ(value_of(*load()).source, SettingSource::kInstanceFile);
  EXPECT_EQ(value_of(*load()).origin, "QDRANT_API_KEY_FILE=/secret");
  EXPECT_TRUE(value_of(*load()).is_of_instance());
  environment_["QDRANT_API_KEY"] = "direct";
  EXPECT_EQ(load()->string("qdrant.api_key"), "direct") << "one of each is no contradiction";
  EXPECT_FALSE(value_of(*load()).is_of_instance());
  environment_.clear();
  instance["QDRANT_API_KEY"] = "both";
  EXPECT_EQ(load().error().code, ErrorCode::kInvalidArgument);
  instance.erase("QDRANT_API_KEY_FILE");
  EXPECT_EQ(value_of(*load()).source, SettingSource::kInstance);
}

TEST_F(ConfigTest, AnUnknownKeyNamesThePlaceAndTheNearest) {
  write("/pandora.toml", "[recall]\ntoken_budgt = 8\n");
  const auto config = load();
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("/pandora.toml:2"), std::string::npos);
  EXPECT_NE(config.error().remedy.find("recall.token_budget"), std::string::npos);
}

TEST_F(ConfigTest, ATableWithANameHasTheSettingsOfItsFamily) {
  ASSERT_TRUE(files_.write_atomic("/pandora.toml",
                                  "[model_servers.voice]\ncommand = \"vllm serve m\"\nmemory_share = 0.5\n"
                                  "[model_servers.eyes]\ncold = true\n",
                                  Durability::kNow));
  inputs_.flags["model_servers.mind.port"] = "8001";
  auto config = load();
  ASSERT_TRUE(config) << config.error().to_line();
  EXPECT_EQ(config->tables("model_servers"), (std::vector<std::string>{"eyes", "mind", "voice"}));
  EXPECT_TRUE(config->tables("model").empty());
  EXPECT_EQ(config->string("model_servers.voice.command"), "vllm serve m");
  EXPECT_EQ(config->number("model_servers.voice.memory_share"), 0.5);
  EXPECT_EQ(config->integer("model_servers.voice.port"), 8000);
  EXPECT_EQ(config->integer("model_servers.mind.port"), 8001);
  EXPECT_TRUE(config->boolean("model_servers.eyes.cold"));
}

TEST_F(ConfigTest, ATableThatIsWrongIsNamedWithItsPlace) {
  const auto refused = [&](const std::string& text) {
    EXPECT_TRUE(files_.write_atomic("/pandora.toml", text, Durability::kNow));
    const auto config = load();
    return config ? "nothing" : config.error().to_line();
  };
  EXPECT_NE(
      refused("[model_servers.voice]\nprot = 1\n").find("/pandora.toml:2: no setting \"model_servers.voice.prot\""),
      std::string::npos);
  EXPECT_NE(refused("[model_servers.voice]\nport = 0\n").find("model_servers.voice.port is \"0\""), std::string::npos);
  EXPECT_NE(refused("[model_servers.Voice]\nport = 1\n").find("no setting"), std::string::npos);
  EXPECT_NE(refused("[model_servers." + std::string(kMaxTableName + 1, 'a') + "]\nport = 1\n").find("no setting"),
            std::string::npos);
  std::string many;
  for (std::size_t i = 0; i < kMaxTables; ++i)
    many += "[model_servers." + std::string(kMaxTableName - 2, 'a') + std::to_string(10 + i) + "]\nport = 1\n";
  EXPECT_EQ(refused(many), "nothing");
  EXPECT_NE(refused(many + "[model_servers.z]\nport = 1\n").find("17 tables of model_servers, at most 16"),
            std::string::npos);
}

TEST_F(ConfigTest, LettersThatAreNotAsciiComeThroughInStringsAndAreNamedElsewhere) {
  write("/pandora.toml",
        "\xEF\xBB\xBF# caf\u00E9 \"\n[data]\npath = \"\"\"/caf\u00E9 \\\\ \u0416\u20AC\uFFFD\U0001F600\\u00E9\"\"\"# "
        "\u00E9\n[models]\npath = '/\u07FF\u0800\\'\n");
  const auto config = load();
  ASSERT_TRUE(config) << config.error().to_line();
  EXPECT_EQ(config->string("data.path"), "/caf\u00E9 \\ \u0416\u20AC\uFFFD\U0001F600\u00E9");
  EXPECT_EQ(config->string("models.path"), "/\u07FF\u0800\\");
  // Some of these are undefined behaviour in toml++ 3.3 when it sees the letter itself.
  for (const char* text : {"[data]\npath = \u00E9\n", "[data]\n\u00A0path = \"x\"\n", "[data]\npath = \"x\" \uFBBE\n",
                           "[data]\npath = \"\\\u00E9\"\n", "[data]\npath = \"\"\"x\\ \u00E9\"\"\"\n", "'#'= \u00E9\n",
                           "[data]\n\"\u00E9\" = 1\n", "[\"\u00E9\"]\nx = 1\n"}) {
    write("/pandora.toml", text);
    const auto refused = load();
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("/pandora.toml:"), std::string::npos) << refused.error().message;
    EXPECT_TRUE(is_valid_utf8(refused.error().message)) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("\U000F00E9"), std::string::npos) << refused.error().message;
  }
}

TEST_F(ConfigTest, WhatIsNotUtf8AndThePrivatePlaneAreRefused) {
  for (const char* text : {"[data]\npath = \"\xE9\"\n", "[data]\npath = \"\U000F0041\"\n",
                           "[data]\npath = \"\\U000F0041\"\n", "# \U000FFFFF"}) {
    write("/pandora.toml", text);
    const auto refused = load();
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("/pandora.toml:"), std::string::npos) << refused.error().message;
  }
  write("/pandora.toml", "# \U000EFFFD \U000EFFFF\U00100000\n");
  EXPECT_TRUE(load());
}

TEST_F(ConfigTest, TakesTheBoundAndRefusesOnePastAndHidesSecrets) {
  environment_["PANDORA_RECALL_TOKEN_BUDGET"] = "10500";
  EXPECT_EQ(load()->integer("recall.token_budget"), 10'500);
  environment_["PANDORA_RECALL_TOKEN_BUDGET"] = "10501";
  EXPECT_FALSE(load());
  environment_ = {{"DATABASE_URL", "hunter2"}};
  EXPECT_EQ(load().error().to_line().find("hunter2"), std::string::npos);
}

TEST_F(ConfigTest, ASecretFileMayHold64KiBAndNotOneByteMore) {
  environment_["QDRANT_API_KEY_FILE"] = "/secret";
  write("/secret", std::string(64 * 1024, 'x'));
  EXPECT_TRUE(load());
  write("/secret", std::string(64 * 1024 + 1, 'x'));
  EXPECT_EQ(load().error().code, ErrorCode::kTooLarge);
}

class PosixTest : public ::testing::Test {
 protected:
  PosixTest() {
    std::string pattern = ::testing::TempDir() + "/pandora-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~PosixTest() override { std::filesystem::remove_all(root_); }
  std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::string root_;
};

TEST_F(PosixTest, ReplacesAFileAsAWholeAndLeavesNothingBeside) {
  const std::string path = root_ + "/f";
  // What a crashed process with this id left must not stand in the way.
  ASSERT_TRUE(files_->open(path + ".tmp-" + std::to_string(::getpid()) + "-0", OpenMode::kCreateNew));
  ASSERT_TRUE(files_->write_atomic(path, "old", Durability::kNow));
  ASSERT_TRUE(files_->write_atomic(path, "new", Durability::kNow));
  EXPECT_EQ(files_->read_file(path, 3).value(), "new");
  EXPECT_EQ(files_->read_file(path, 2).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(files_->list(root_)->size(), 2u);
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(files_->write_atomic(root_ + "/none/f", "x", Durability::kNow).error().code, ErrorCode::kNotFound);
}

TEST_F(PosixTest, AFolderIsWalkedThroughInPagesByTheBytesOfItsNames) {
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) all.push_back(std::string(1 + i % 3, static_cast<char>('A' + (i * 7) % 40)));
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  for (const auto& name : all) ASSERT_TRUE(files_->create_directories(root_ + "/" + name));
  for (std::size_t page = 1; page <= all.size() + 1; ++page) {
    std::vector<std::string> walked;
    for (std::string after;;) {
      const auto listed = files_->list_after(root_, after, page).value();
      if (listed.empty()) break;
      EXPECT_EQ(listed.size(), std::min(page, all.size() - walked.size()));
      for (const auto& entry : listed) walked.push_back(entry.name);
      for (const auto& entry : listed) EXPECT_TRUE(entry.is_directory);
      after = walked.back();
    }
    EXPECT_EQ(walked, all) << page;
  }
  EXPECT_TRUE(files_->list_after(root_, "", 0)->empty());
  EXPECT_EQ(files_->list_after(root_ + "/none", "", 1).error().code, ErrorCode::kNotFound);
  // A name that leads nowhere is none, and does not end the walk.
  std::filesystem::create_symlink(root_ + "/none", root_ + "/!");
  EXPECT_EQ(files_->list_after(root_, "", 1)->at(0).name, all.front());
}

TEST_F(PosixTest, SyncsAllThatIsBelowAFolder) {
  ASSERT_TRUE(files_->write_atomic(root_ + "/f", "x", Durability::kDeferred));
  EXPECT_TRUE(files_->sync_below(root_));
  EXPECT_EQ(files_->sync_below(root_ + "/none").error().code, ErrorCode::kNotFound);
}

TEST_F(PosixTest, ReadsAFileThatReportsNoSize) {
  EXPECT_GT(files_->read_file("/proc/self/status", 65'536)->size(), 100u);
}

TEST_F(PosixTest, AFullDiskSaysWhatToDo) {
  auto full = files_->open("/dev/full", OpenMode::kAppend);
  if (!full) GTEST_SKIP() << "no /dev/full";
  const Status written = (*full)->append("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kStorageFull);
  EXPECT_NE(written.error().remedy.find("free some space"), std::string::npos);
}

TEST_F(PosixTest, ALockIsHeldAgainstAnotherProcessThatLearnsWhoHoldsIt) {
  auto held = files_->lock(root_ + "/lock", "pid 42");
  ASSERT_TRUE(held);
  const auto child_sees = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto lock = make_posix_file_system()->lock(root_ + "/lock", "child");
      ::_exit(lock ? 1 : lock.error().message.find("pid 42") != std::string::npos ? 2 : 3);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(child_sees(), 2);
  held->reset();
  EXPECT_EQ(child_sees(), 1);
}

TEST_F(PosixTest, RemovesATreeButFollowsNoLink) {
  ASSERT_TRUE(files_->create_directories(root_ + "/a/b"));
  ASSERT_TRUE(files_->write_atomic(root_ + "/kept", "x", Durability::kNow));
  std::filesystem::create_symlink(root_ + "/kept", root_ + "/a/b/link");
  ASSERT_TRUE(files_->remove_tree(root_ + "/a"));
  EXPECT_FALSE(files_->exists(root_ + "/a"));
  EXPECT_TRUE(files_->exists(root_ + "/kept"));
  EXPECT_TRUE(files_->remove_tree(root_ + "/a"));
}

}  // namespace
}  // namespace pandora
