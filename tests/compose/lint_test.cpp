// The specification's own fragments hold every fault that was found in it; the files of this project hold none.
#include "compose/lint.h"

#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compose/env_file.h"
#include "compose/lint_case.h"

namespace pandora {
namespace {

using testing::findings;
using testing::found;
using testing::fragment;
using testing::input_of;
using ::testing::IsSupersetOf;
using testing::rules;
using ::testing::UnorderedElementsAre;

constexpr const char* kBase = "2.1-docker-compose.yml";

std::set<std::string> of(const std::vector<std::string>& names) {
  testing::Files files;
  for (const auto& name : names) files.push_back(fragment(name));
  return found(findings(files));
}
testing::Files own_files(Overlay overlay) {
  const auto plan =
      *plan_instance({.name = {}, .overlay = overlay, .secrets = "/secrets", .instance = {}, .present_env = ""});
  testing::Files files;
  for (const auto& file : plan.files)
    if (file_kind({file.path, file.text}) &&
        file.path != (overlay == Overlay::kProduction ? "compose.dev.yaml" : "compose.prod.yaml") &&
        !file.path.starts_with("monitoring/provisioning"))
      files.push_back({file.path, file.text});
  std::ranges::sort(files, std::greater(), &SourceFile::path);  // the base first
  std::ranges::stable_partition(files, [](const SourceFile& file) { return file.path == "compose.yaml"; });
  return files;
}
std::map<std::string, std::string> own_variables(const testing::Files& files) {
  std::map<std::string, std::string> variables;
  for (const auto& file : files)
    if (file.path == ".env")
      for (const auto& line : parse_env(file.text)) variables[line.name] = line.value;
  return variables;
}

TEST(Lint, TheBaseOfTheSpecification) {
  EXPECT_THAT(of({kBase}), UnorderedElementsAre(
                               "image-floating 2.1-docker-compose.yml:3", "port-exposed 2.1-docker-compose.yml:5",
                               "check-program 2.1-docker-compose.yml:9", "check-route 2.1-docker-compose.yml:9",
                               "check-budget 2.1-docker-compose.yml:8", "store-without-key 2.1-docker-compose.yml:2",
                               "telemetry-on 2.1-docker-compose.yml:2", "restart-missing 2.1-docker-compose.yml:2",
                               "grace-short 2.1-docker-compose.yml:2", "log-unbounded 2.1-docker-compose.yml:2",
                               "image-floating 2.1-docker-compose.yml:16", "password-in-file 2.1-docker-compose.yml:19",
                               "password-default 2.1-docker-compose.yml:19", "port-exposed 2.1-docker-compose.yml:22",
                               "check-socket 2.1-docker-compose.yml:26", "check-budget 2.1-docker-compose.yml:25",
                               "restart-missing 2.1-docker-compose.yml:15", "grace-short 2.1-docker-compose.yml:15",
                               "log-unbounded 2.1-docker-compose.yml:15", "shm-small 2.1-docker-compose.yml:15",
                               "volume-name 2.1-docker-compose.yml:33", "volume-name 2.1-docker-compose.yml:34"));
}

TEST(Lint, TheProductionOverlayOfTheSpecification) {
  EXPECT_THAT(of({kBase, "7.1-production.yml", "7.3-networking.yml"}),
              IsSupersetOf({"password-twice 7.1-production.yml:2", "secret-external 7.1-production.yml:5",
                            "port-in-base 2.1-docker-compose.yml:4", "port-in-base 2.1-docker-compose.yml:21",
                            "network-internal 7.3-networking.yml:8"}));
  EXPECT_THAT(of({"7.1-production.yml"}), UnorderedElementsAre("secret-external 7.1-production.yml:5"));
  EXPECT_THAT(of({"7.1-development.yml"}),
              UnorderedElementsAre("password-in-file 7.1-development.yml:3", "password-default 7.1-development.yml:3"));
  EXPECT_THAT(of({"7.3-networking.yml"}), UnorderedElementsAre("network-internal 7.3-networking.yml:8"));
}

TEST(Lint, LimitsAndLogRotationOnOneServiceOnly) {
  EXPECT_THAT(of({kBase, "7.4-logging.yml"}), ::testing::Contains("log-unbounded 2.1-docker-compose.yml:2"));
  EXPECT_THAT(of({kBase, "7.4-logging.yml"}),
              ::testing::Not(::testing::Contains("log-unbounded 2.1-docker-compose.yml:15")));
  EXPECT_THAT(of({kBase, "7.2-limits.yml", "8.2-redis.yml"}), ::testing::Contains("limits-uneven 8.2-redis.yml:2"));
}

TEST(Lint, TheFragmentsAboutConnectionsRedisAndScripts) {
  EXPECT_THAT(of({"4.4-connection.env"}),
              UnorderedElementsAre("password-default 4.4-connection.env:6", "password-default 4.4-connection.env:9",
                                   "password-in-url 4.4-connection.env:9"));
  EXPECT_THAT(of({"8.2-redis.yml"}),
              UnorderedElementsAre("image-floating 8.2-redis.yml:3", "port-exposed 8.2-redis.yml:5",
                                   "store-without-key 8.2-redis.yml:2", "check-missing 8.2-redis.yml:2",
                                   "restart-missing 8.2-redis.yml:2", "grace-short 8.2-redis.yml:2",
                                   "log-unbounded 8.2-redis.yml:2"));
  EXPECT_THAT(of({"5.4-backup.sh"}),
              UnorderedElementsAre("archive-of-live-volume 5.4-backup.sh:2", "volume-by-hand 5.4-backup.sh:2",
                                   "backup-in-tree 5.4-backup.sh:2", "exec-terminal 5.4-backup.sh:6",
                                   "dump-plain 5.4-backup.sh:6", "backup-in-tree 5.4-backup.sh:6"));
  EXPECT_THAT(of({kBase, "4.5-schema.sh"}),
              IsSupersetOf({"script-not-mounted 4.5-schema.sh:2", "psql-goes-on 4.5-schema.sh:2"}));
  EXPECT_THAT(of({"5.2-stop.sh"}), UnorderedElementsAre("deletes-volumes 5.2-stop.sh:8"));
  EXPECT_THAT(of({"5.3-health.sh"}),
              UnorderedElementsAre("check-route 5.3-health.sh:5", "check-socket 5.3-health.sh:8"));
  EXPECT_THAT(of({"9.2-reset.sh"}), UnorderedElementsAre("deletes-volumes 9.2-reset.sh:2"));
  EXPECT_THAT(of({"9.3-volumes.sh"}), UnorderedElementsAre("volume-by-hand 9.3-volumes.sh:8"));
  EXPECT_THAT(of({"10.1-start.sh"}),
              UnorderedElementsAre("started-in-background 10.1-start.sh:11", "started-in-background 10.1-start.sh:12",
                                   "started-in-background 10.1-start.sh:13"));
}

TEST(Lint, TheFragmentsAboutSchemaAndClients) {
  EXPECT_THAT(rules(findings({fragment("4.3-schema.sql")})),
              UnorderedElementsAre("sql-schema", "sql-once", "sql-number-early", "sql-reference", "sql-fulltext",
                                   "sql-null-time", "sql-range", "sql-index"));
  EXPECT_THAT(of({"3.5-client.py"}),
              UnorderedElementsAre("client-removed 3.5-client.py:13", "client-filter 3.5-client.py:17"));
  EXPECT_THAT(rules(findings({fragment("3.3-collection.json")})),
              UnorderedElementsAre("payload-schema", "model-not-recorded"));
}

TEST(Lint, FindsNothingInOurOwnFiles) {
  for (const auto overlay : {Overlay::kDevelopment, Overlay::kProduction}) {
    const auto files = own_files(overlay);
    ASSERT_GE(files.size(), 4u);
    ASSERT_EQ(files[0].path, "compose.yaml");
    LintInput input = input_of(files, own_variables(files));
    input.project_is_named = true;
    input.facts = [](const std::string& path) {
      return FileFacts{.mode = path.starts_with("/secrets/") ? 0444u : 0600u, .user = 1000};
    };
    EXPECT_EQ(input.compose->value["services"].size(), 7u);
    for (const auto& finding : lint(input))
      ADD_FAILURE() << finding.rule << " " << finding.place.to_string() << " " << finding.message;
  }
}

TEST(Lint, EveryRuleHasANameOfItsOwnAndSaysWhyAndWhatInstead) {
  std::set<std::string_view> names;
  for (const auto& rule : lint_rules()) {
    EXPECT_TRUE(names.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.why.empty() || rule.fix.empty()) << rule.id;
  }
}

TEST(Lint, ThePageHasEveryRule) {
  std::ifstream page(PANDORA_LINT_PAGE);
  std::set<std::string> rows, table;
  for (std::string line; std::getline(page, line);)
    if (line.starts_with("| `")) rows.insert(line);
  const auto cell = [](std::string_view text) {
    std::string escaped;
    for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
    return escaped;
  };
  for (const auto& rule : lint_rules())
    table.insert(
        fmt::format("| `{}` | {} | {} | {} |", rule.id, to_string(rule.severity), cell(rule.why), cell(rule.fix)));
  EXPECT_EQ(rows, table);
}

}  // namespace
}  // namespace pandora
