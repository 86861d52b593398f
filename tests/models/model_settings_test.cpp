#include "models/model_settings.h"

#include <gtest/gtest.h>

#include "models/circuit_breaker.h"
#include "models/model_server.h"
#include "support/fault_file_system.h"

namespace pandora {
namespace {

using namespace std::chrono_literals;

Result<ModelSettings> settings_of(const std::string& toml) {
  testing::FaultFileSystem files;
  EXPECT_TRUE(files.write_atomic("/pandora.toml", toml, Durability::kDeferred));
  PANDORA_TRY(config, Config::load({{}, {}, "/pandora.toml", true}, files));
  return model_settings(config);
}
using Servers = std::vector<ModelServerSettings>;

TEST(ModelSettings, RolesShareTheServerUnlessTheyHaveTheirOwn) {
  const auto settings = settings_of(R"(
[model]
url = "http://127.0.0.1:8000"
name = "big"
api_key = "main key"
fallback_url = "https://api.example.com/v1/"
fallback_name = "cloud"
fallback_api_key = "cloud key"
first_token_ms = 7000
attempts = 4
[roles.reflex]
model = "small"
temperature = 0.0
max_tokens = 64
[roles.eyes]
url = "http://127.0.0.1:8001/v1/chat/completions"
model = "vision"
)");
  ASSERT_TRUE(settings) << settings.error().to_line();
  const ModelServerSettings main{"http://127.0.0.1:8000/v1", "big", "main key"},
      cloud{"https://api.example.com/v1", "cloud", "cloud key"};
  EXPECT_EQ(settings->of(ModelRole::kVoice).servers, (Servers{main, cloud}));
  EXPECT_EQ(settings->of(ModelRole::kVoice).temperature, 0.7);
  EXPECT_EQ(settings->of(ModelRole::kNerves).temperature, 0.1);
  EXPECT_EQ(settings->of(ModelRole::kReflex).servers, (Servers{{main.url, "small", "main key"}, cloud}));
  EXPECT_EQ(settings->of(ModelRole::kReflex).temperature, 0.0);
  EXPECT_EQ(settings->of(ModelRole::kReflex).max_tokens, 64);
  // A key goes to the server it was given for and to no other.
  EXPECT_EQ(settings->of(ModelRole::kEyes).servers, (Servers{{"http://127.0.0.1:8001/v1", "vision", ""}, main, cloud}));
  EXPECT_EQ(settings->timeouts.first_byte, 7s);
  EXPECT_EQ(settings->attempts, 4);
}

TEST(ModelSettings, AModelServerOfOurOwnServesItsRoles) {
  const std::string own =
      "[model_servers.large]\ncommand = \"x\"\nport = 8001\nroles = \"voice, mind\"\nmodel = \"big\"\n";
  const auto settings = settings_of(own + "[roles.mind]\nurl = \"http://127.0.0.1:7000\"\n");
  ASSERT_TRUE(settings) << settings.error().to_line();
  EXPECT_EQ(settings->of(ModelRole::kVoice).servers, (Servers{{"http://127.0.0.1:8001/v1", "big", ""}}));
  EXPECT_EQ(settings->of(ModelRole::kMind).servers, (Servers{{"http://127.0.0.1:7000/v1", "", ""}}));
  EXPECT_TRUE(settings->of(ModelRole::kEyes).servers.empty());
  const auto wrong = settings_of("[model_servers.large]\nroles = \"vioce\"\n");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("there is no role \"vioce\""), std::string::npos);
}

TEST(ModelSettings, WithoutAServerThereIsNone) {
  const auto settings = settings_of("");
  ASSERT_TRUE(settings);
  for (const auto& role : settings->roles) EXPECT_TRUE(role.servers.empty());
}

TEST(ModelSettings, AFaultNamesTheSetting) {
  EXPECT_NE(settings_of("[model]\nurl = \"ftp://x\"").error().to_line().find("model.url"), std::string::npos);
  EXPECT_NE(settings_of("[roles.voice]\nurl = \"http://me:secret@x\"").error().to_line().find("roles.voice.url"),
            std::string::npos);
  EXPECT_NE(settings_of("[roles.voice]\ntemperature = 3").error().to_line().find("roles.voice.temperature"),
            std::string::npos);
  EXPECT_NE(settings_of("[roles.voice]\nmodell = \"x\"").error().to_line().find("roles.voice.model"),
            std::string::npos);
  EXPECT_FALSE(settings_of("[roles.tongue]\nmodel = \"x\""));
  EXPECT_FALSE(settings_of("[roles.voice.deeper]\nmodel = \"x\""));
  EXPECT_FALSE(settings_of("roles = 1"));
}

TEST(ModelSettings, AnApiMayBeNamedInSeveralWays) {
  for (const char* url : {"http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/",
                          "http://h:1/v1/chat/completions", "HTTP://H:1/v1?x"})
    EXPECT_EQ(*api_base(url), "http://h:1/v1") << url;
  EXPECT_EQ(*api_base("https://h/openai/deployments/x"), "https://h/openai/deployments/x");
  EXPECT_FALSE(api_base("h:1"));
}

TEST(CircuitBreaker, OpensAfterFailuresInARowAndOnlyThen) {
  ManualClock clock;
  CircuitBreaker breaker(clock, {.failures = 3, .open_for = 5s, .open_at_most = 12s});
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(breaker.allow());
    i % 3 == 2 ? breaker.succeeded() : breaker.failed();
  }
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  breaker.failed();
  breaker.failed();
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  EXPECT_FALSE(breaker.allow());
  EXPECT_EQ(breaker.opens_in(), 5s);
}

TEST(CircuitBreaker, IsTriedWithOneCallAndWaitsLongerEachTime) {
  ManualClock clock;
  CircuitBreaker breaker(clock, {.failures = 1, .open_for = 5s, .open_at_most = 12s});
  ASSERT_TRUE(breaker.allow());
  breaker.failed();
  for (const Duration wait : {5s, 10s, 12s, 12s}) {
    clock.advance(wait - 1us);
    EXPECT_EQ(breaker.state(), BreakerState::kOpen);
    EXPECT_FALSE(breaker.allow());
    clock.advance(1us);
    EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
    EXPECT_TRUE(breaker.allow());
    EXPECT_FALSE(breaker.allow());  // one at a time
    breaker.abandoned();
    EXPECT_TRUE(breaker.allow());
    breaker.failed();
  }
  breaker.failed();  // of a call from before it opened: changes nothing
  EXPECT_EQ(breaker.opens_in(), 12s);
  clock.advance(12s);
  EXPECT_TRUE(breaker.allow());
  breaker.succeeded();
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
  EXPECT_TRUE(breaker.allow() && breaker.allow());
  breaker.failed();
  EXPECT_EQ(breaker.opens_in(), 5s);  // from the beginning
}

TEST(CircuitBreaker, RestsWhenItIsAskedTo) {
  ManualClock clock;
  CircuitBreaker breaker(clock);
  breaker.rest(3s);
  breaker.rest(1s);
  EXPECT_FALSE(breaker.allow());
  EXPECT_EQ(breaker.opens_in(), 3s);
  clock.advance(3s);
  EXPECT_TRUE(breaker.allow());
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

TEST(RetryAfter, IsSecondsMillisecondsOrADate) {
  const Timestamp now = *parse_iso8601("2026-01-05T10:00:00Z");
  const auto read = [&](const char* name, const char* value) { return parse_retry_after({{name, value}}, now); };
  EXPECT_EQ(read("Retry-After", "2"), Duration(2s));
  EXPECT_EQ(read("retry-after", "0.5"), Duration(500ms));
  EXPECT_EQ(read("retry-after-ms", "1500"), Duration(1500ms));
  EXPECT_EQ(read("Retry-After", "Mon, 05 Jan 2026 10:01:00 GMT"), Duration(60s));
  EXPECT_EQ(read("Retry-After", "Mon, 05 Jan 2026 09:00:00 GMT"), Duration(0s));
  EXPECT_EQ(read("Retry-After", "99999999999"), Duration(24h));
  for (const char* bad : {"", "soon", "-1", "1 s", "nan", "inf"})
    EXPECT_TRUE(read("Retry-After", bad).value_or(24h) == Duration(24h)) << bad;
  EXPECT_FALSE(read("Retry-After", "soon"));
}

}  // namespace
}  // namespace pandora
