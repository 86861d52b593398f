#include "compose/compose_model.h"

#include <gtest/gtest.h>

namespace pandora {
namespace {

std::optional<std::string> few(const std::string& name) {
  if (name == "A") return "a";
  if (name == "EMPTY") return "";
  return std::nullopt;
}
std::string expanded(const std::string& text) {
  const auto value = interpolate(text, few);
  return value ? *value : "error";
}
Json merged(const std::vector<std::string>& texts) {
  std::vector<SourceFile> files;
  for (const auto& text : texts) files.push_back({"f" + std::to_string(files.size()) + ".yaml", text});
  const auto model = read_compose(files, few);
  return model ? model->value : Json(model.error().to_line());
}

TEST(Variables, MeanWhatComposeSays) {
  const std::pair<std::string, std::string> kCases[] = {{"$A ${A}!", "a a!"},
                                                        {"${B:-b}${B-b}", "bb"},
                                                        {"${EMPTY:-b}|${EMPTY-b}", "b|"},
                                                        {"${A:+x}${B:+x}", "x"},
                                                        {"$$A $$(cat)", "$$A $$(cat)"},
                                                        {"${B}", ""},
                                                        {"${A:?no}", "a"},
                                                        {"${B:?no}", "error"},
                                                        {"${B?no}", "error"},
                                                        {"${EMPTY?no}", ""},
                                                        {"${B:-${A}}", "a"},
                                                        {"${A", "error"},
                                                        {"${}", "error"},
                                                        {"${1}", "error"},
                                                        {"5$ and $1", "5$ and $1"},
                                                        {"${A%x}", "error"}};
  for (const auto& [text, value] : kCases) EXPECT_EQ(expanded(text), value) << text;
}

TEST(Variables, NestOnlySoDeep) {
  std::string text = "x";
  for (int i = 0; i < 8; ++i) text = "${B:-" + text + "}";
  EXPECT_EQ(expanded(text), "x");
  EXPECT_EQ(interpolate("${B:-" + text + "}", few).error().code, ErrorCode::kTooLarge);
}

TEST(Compose, BringsEveryShortFormIntoTheLongOne) {
  const Json service = merged({R"(services:
  s:
    image: i
    environment: [A=1, B]
    ports: ["80", "8080:80", "127.0.0.1:8081:81/udp", "[::1]:82:82", {target: 83, published: 84}]
    volumes: [data:/d, ./c:/c:ro, /anonymous]
    secrets: [one, {source: two, target: /etc/two}]
    depends_on: [t]
    networks: [n]
    healthcheck: {test: "true || false"}
)"})["services"]["s"];
  EXPECT_EQ(service["environment"], Json::parse(R"({"A": "1", "B": null})"));
  EXPECT_EQ(service["ports"][1], Json::parse(R"({"published": "8080", "target": "80", "protocol": "tcp"})"));
  EXPECT_EQ(service["ports"][2],
            Json::parse(R"({"host_ip": "127.0.0.1", "published": "8081", "target": "81", "protocol": "udp"})"));
  EXPECT_EQ(service["ports"][3]["host_ip"], "::1");
  EXPECT_EQ(service["ports"][4], Json::parse(R"({"published": "84", "target": "83"})"));
  EXPECT_EQ(service["volumes"][0],
            Json::parse(R"({"type": "volume", "source": "data", "target": "/d", "read_only": false})"));
  EXPECT_EQ(service["volumes"][1],
            Json::parse(R"({"type": "bind", "source": "./c", "target": "/c", "read_only": true})"));
  EXPECT_EQ(service["secrets"][0]["target"], "/run/secrets/one");
  EXPECT_EQ(service["secrets"][1]["target"], "/etc/two");
  EXPECT_TRUE(service["depends_on"].contains("t") && service["networks"].contains("n"));
  EXPECT_EQ(service["healthcheck"]["test"], Json::parse(R"(["CMD-SHELL", "true || false"])"));
}

TEST(Compose, MergesAsComposeDoes) {
  const Json service = merged({R"(services:
  s: {image: one, command: [a, b], environment: {A: "1", B: "2"}, ports: ["80:80"], volumes: [data:/d], labels: [x=1]}
)",
                               R"(services:
  s: {image: two, command: [c], environment: [B=3], ports: ["81:81", "80:80"], volumes: [other:/d], labels: {y: "2"}}
)"})["services"]["s"];
  EXPECT_EQ(service["image"], "two");
  EXPECT_EQ(service["command"], Json::parse(R"(["c"])"));
  EXPECT_EQ(service["environment"], Json::parse(R"({"A": "1", "B": "3"})"));
  EXPECT_EQ(service["ports"].size(), 2u);
  EXPECT_EQ(service["volumes"].size(), 1u);
  EXPECT_EQ(service["volumes"][0]["source"], "other");
  EXPECT_EQ(service["labels"].size(), 2u);
}

TEST(Compose, TakesAwayWhatIsTaggedSo) {
  const std::string base = "services: {s: {image: i, ports: ['80:80'], user: root}}\n";
  EXPECT_FALSE(
      merged({base, "services: {s: {ports: !reset [], user: !reset null}}\n"})["services"]["s"].contains("ports"));
  EXPECT_EQ(merged({base, "services: {s: {ports: !override ['81:81']}}\n"})["services"]["s"]["ports"].size(), 1u);
}

TEST(Compose, KnowsFromWhichFileAValueIs) {
  const auto model = *read_compose({{"a.yaml", "services:\n  s:\n    image: i\n    ports:\n      - '80:80'\n"},
                                    {"b.yaml", "services:\n  s:\n    ports:\n      - '81:81'\n"}},
                                   few);
  EXPECT_EQ(model.place("/services/s/ports/0").to_string(), "a.yaml:5:9");
  EXPECT_EQ(model.place("/services/s/ports/1").to_string(), "b.yaml:4:9");
  EXPECT_EQ(model.place("/services/s/healthcheck/test").to_string(), "a.yaml:2:3");
}

TEST(Compose, AFragmentIsOfTheServiceThatItsVariablesName) {
  const Json value =
      merged({"services: {db: {image: i, environment: {POSTGRES_USER: u}}}\n",
              "environment: {POSTGRES_PASSWORD_FILE: /run/secrets/p}\nsecrets: {p: {external: true}}\n"});
  EXPECT_EQ(value["services"]["db"]["environment"].size(), 2u);
  EXPECT_TRUE(value["secrets"]["p"]["external"]);
  EXPECT_TRUE(merged({"environment: [REDIS_URL=x]\n"})["services"].contains("redis"));
}

TEST(Compose, WhatCannotBeReadIsNamedWithItsPlace) {
  EXPECT_NE(merged({"services: [a]\n"}).dump().find("f0.yaml:1:1"), std::string::npos);
  EXPECT_NE(merged({"- a\n"}).dump().find("f0.yaml:1:1"), std::string::npos);
  EXPECT_NE(merged({"services:\n  s:\n    image: ${B:?set it}\n"}).dump().find("f0.yaml:3:5: the variable B"),
            std::string::npos);
}

// Whatever stands where: no rule of ours may end in an exception.
TEST(Compose, OddValuesAreTakenAsTheyAre) {
  for (const std::string odd : {"null", "1", "text", "[1, [2]]", "{a: {b: [c]}}", "true", "[null]"})
    for (const std::string key : {"environment", "ports", "volumes", "secrets", "depends_on", "networks", "healthcheck",
                                  "labels", "tmpfs", "profiles", "deploy", "image", "extends"}) {
      const Json value =
          merged({"services: {s: {" + key + ": " + odd + "}}\n", "services: {s: {" + key + ": {x: 1}}}\n"});
      EXPECT_TRUE(value.is_object()) << key << ": " << odd << ": " << value;
    }
}

TEST(Durations, AreWhatComposeTwoTakes) {
  EXPECT_EQ(duration_seconds("1h1m1s"), 3661);
  EXPECT_EQ(duration_seconds("500ms"), 0.5);
  for (const Json& bad : {Json("10 sec"), Json("10"), Json(10), Json(""), Json("s"), Json("-1s"), Json(nullptr)})
    EXPECT_EQ(duration_seconds(bad), std::nullopt) << bad;
}

TEST(Sizes, CountBy1024) {
  EXPECT_EQ(size_bytes("256m"), 268435456);
  EXPECT_EQ(size_bytes("268435456"), 268435456);
  EXPECT_EQ(size_bytes("2G"), 2147483648.0);
  EXPECT_EQ(size_bytes("2x"), std::nullopt);
}

}  // namespace
}  // namespace pandora
