#include "stack/instance.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "compose/compose_model.h"
#include "compose/env_file.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

InstanceOptions options() {
  return {.name = {},
          .overlay = {},
          .secrets = "/secrets",
          .instance = *Uuid::parse("0190b3a2-0000-7000-8000-000000000001"),
          .present_env = ""};
}
std::string text_of(const InstancePlan& plan, const std::string& path) {
  const auto found = std::ranges::find(plan.files, path, &PlannedFile::path);
  return found == plan.files.end() ? "(none)" : found->text;
}
std::string env_of(const InstancePlan& plan, const std::string& name) {
  return env_value(parse_env(text_of(plan, ".env")), name).value_or("(none)");
}

TEST(Instance, HasAnEnvThatMakesComposeCommandsWorkAsTyped) {
  const auto plan = *plan_instance(options());
  EXPECT_EQ(env_of(plan, "COMPOSE_PROJECT_NAME"), "pandora");
  EXPECT_EQ(env_of(plan, "COMPOSE_FILE"), "compose.yaml:compose.dev.yaml");
  EXPECT_EQ(env_of(plan, "PANDORA_SECRETS"), "/secrets");
  EXPECT_EQ(env_of(plan, "PANDORA_INSTANCE"), "0190b3a2-0000-7000-8000-000000000001");
  for (const auto& file : {"compose.yaml", "compose.dev.yaml", "compose.prod.yaml", "monitoring/prometheus.yml"})
    EXPECT_NE(text_of(plan, file), "(none)") << file;
}

void replace_all(std::string& text, const std::string& old, const std::string& by) {
  for (auto at = text.find(old); at != std::string::npos; at = text.find(old, at + by.size()))
    text.replace(at, old.size(), by);
}

// An empty key would let everybody in.
TEST(Instance, AStoreWithoutItsSecretDoesNotStart) {
  const testing::TemporaryDirectory folder;
  std::vector<SourceFile> sources;
  for (const auto& file : deployment_files())
    if (file.path == "compose.yaml") sources.push_back({std::string(file.path), std::string(file.text)});
  const auto model = read_compose(sources, [](const std::string&) { return std::optional<std::string>("x"); });
  ASSERT_TRUE(model) << model.error().to_line();
  for (const auto& [service, secret, program] : {std::tuple("vectordb", "qdrant_api_key", "./entrypoint.sh"),
                                                 std::tuple("objects", "objects_secret_key", "versitygw")}) {
    std::string script = member(member(member(model->value, "services"), service), "entrypoint").back();
    replace_all(script, "$$", "$");
    replace_all(script, "/run/secrets/", folder.path() + "/");
    replace_all(script, std::string("exec ") + program, "exec true");
    std::ofstream(folder.path() + "/script") << script;
    const auto starts = [&] { return std::system(("sh " + folder.path() + "/script 2>/dev/null").c_str()) == 0; };
    EXPECT_FALSE(starts()) << script;
    std::ofstream(folder.path() + "/" + secret) << "";
    EXPECT_FALSE(starts()) << script;
    std::ofstream(folder.path() + "/" + secret) << "word";
    EXPECT_TRUE(starts()) << script;
  }
}

// Every ${NAME} of the Compose files has its line in .env: nothing starts with a default that nobody chose.
TEST(Instance, NamesEveryVariableThatItsFilesUse) {
  const auto plan = *plan_instance(options());
  std::set<std::string> used;
  for (const auto& file : plan.files)
    for (auto at = file.text.find("${"); at != std::string::npos; at = file.text.find("${", at + 1))
      used.insert(file.text.substr(at + 2, file.text.find_first_of(":}", at) - at - 2));
  EXPECT_GE(used.size(), 15u);
  for (const auto& name : used) EXPECT_NE(env_of(plan, name), "(none)") << name;
}

TEST(Instance, PinsEveryImageByVersion) {
  const auto plan = *plan_instance(options());
  int images = 0;
  for (const auto& line : parse_env(text_of(plan, ".env"))) {
    if (!line.name.starts_with("PANDORA_IMAGE_")) continue;
    ++images;
    const std::string tag = line.value.substr(line.value.rfind(':') + 1);
    EXPECT_GE(std::ranges::count(tag, '.'), 1) << line.value;
    EXPECT_NE(tag.find_first_of("0123456789"), std::string::npos) << line.value;
  }
  EXPECT_GE(images, 6);
}

TEST(Instance, FillsThePortsIntoWhatReadsNoEnvironment) {
  auto moved = options();
  moved.present_env = "PANDORA_PORT_GATEWAY=9100\n";
  const auto plan = *plan_instance(moved);
  EXPECT_NE(text_of(plan, "monitoring/prometheus.yml").find("127.0.0.1:9100"), std::string::npos);
  EXPECT_EQ(text_of(plan, "monitoring/prometheus.yml").find("${"), std::string::npos);
  EXPECT_EQ(env_of(plan, "PANDORA_PORT_GATEWAY"), "9100");
}

TEST(Instance, WrittenAgainKeepsWhatTheUserChanged) {
  auto first = options();
  first.overlay = Overlay::kProduction;
  const std::string written = text_of(*plan_instance(first), ".env");
  auto again = options();
  again.instance = *Uuid::parse("0190b3a2-0000-7000-8000-000000000002");
  again.present_env = "MINE=first\n" + written + "# a note\nCOMPOSE_PROFILES=cache\n";
  const auto plan = *plan_instance(again);
  EXPECT_EQ(plan.overlay, Overlay::kProduction);
  EXPECT_EQ(env_of(plan, "PANDORA_INSTANCE"), "0190b3a2-0000-7000-8000-000000000001");
  EXPECT_EQ(env_of(plan, "MINE"), "first");
  EXPECT_EQ(env_of(plan, "COMPOSE_PROFILES"), "cache");
  EXPECT_NE(text_of(plan, ".env").find("# a note"), std::string::npos);
  auto third = options();
  third.present_env = text_of(plan, ".env");
  EXPECT_EQ(text_of(*plan_instance(third), ".env"), third.present_env);  // and then it rests
}

TEST(Instance, ANewOneKeepsWhatIsSaidInItsOwnStoresAndOneThatIsThereGoesOnWhereItIs) {
  auto made = options();
  made.data = "/home/me/data of mine";
  const auto plan = *plan_instance(made);
  EXPECT_EQ(env_of(plan, "PANDORA_DATA"), "/home/me/data of mine");
  EXPECT_EQ(env_of(plan, "PANDORA_ROWS_STORE"), "postgres");
  EXPECT_EQ(env_of(plan, "PANDORA_POINTS_STORE"), "qdrant");

  auto edited = options();
  edited.data = "/elsewhere";
  edited.present_env = text_of(plan, ".env");
  const std::string line = "PANDORA_ROWS_STORE=postgres";
  edited.present_env.replace(edited.present_env.find(line), line.size(), "PANDORA_ROWS_STORE=embedded");
  EXPECT_EQ(text_of(*plan_instance(edited), ".env"), edited.present_env);
  edited.moves_data = true;
  EXPECT_EQ(env_of(*plan_instance(edited), "PANDORA_DATA"), "/elsewhere");

  auto older = options();  // from before these lines
  older.data = "/home/me/data";
  older.present_env = "COMPOSE_PROJECT_NAME=pandora\nPANDORA_INSTANCE=0190b3a2-0000-7000-8000-000000000001\n";
  const auto again = *plan_instance(older);
  EXPECT_EQ(env_of(again, "PANDORA_DATA"), "(none)");
  EXPECT_EQ(env_of(again, "PANDORA_ROWS_STORE"), "embedded");
  EXPECT_EQ(env_of(again, "PANDORA_POINTS_STORE"), "embedded");
}

TEST(Instance, RefusesPortsThatCannotBe) {
  auto bad = options();
  for (const std::string port : {"0", "65536", "x", "", "123456", "-1"}) {
    bad.present_env = "PANDORA_PORT_GATEWAY=" + port + "\n";
    EXPECT_EQ(plan_instance(bad).error().code, ErrorCode::kInvalidArgument) << port;
  }
  bad.present_env = "PANDORA_PORT_GATEWAY=65535\n";
  EXPECT_TRUE(plan_instance(bad));
  bad.present_env = "PANDORA_PORT_GATEWAY=5432\n";
  EXPECT_EQ(plan_instance(bad).error().code, ErrorCode::kConflict);
}

TEST(Instance, NamesAreThoseThatComposeTakes) {
  for (const auto& good : std::vector<std::string>{"a", "0", "my-stack_2", std::string(kMaxStackName, 'a')})
    EXPECT_TRUE(check_stack_name(good)) << good;
  for (const auto& bad :
       std::vector<std::string>{"", "A", "-a", "_a", "a.b", "a b", "ä", std::string(kMaxStackName + 1, 'a')})
    EXPECT_EQ(check_stack_name(bad).error().code, ErrorCode::kInvalidArgument) << bad;
}

TEST(Instance, OfAnotherNameIsNotTakenOver) {
  EXPECT_EQ(*instance_name(std::nullopt, "COMPOSE_PROJECT_NAME=mine\n"), "mine");
  EXPECT_EQ(*instance_name("mine", "COMPOSE_PROJECT_NAME=mine\n"), "mine");
  EXPECT_EQ(*instance_name(std::nullopt, ""), "pandora");
  EXPECT_EQ(instance_name("yours", "COMPOSE_PROJECT_NAME=mine\n").error().code, ErrorCode::kConflict);
}

TEST(Secrets, AreMadeOnceAndEachIsItsOwn) {
  SeededRandom random(7);
  const auto made = plan_secrets({}, random);
  EXPECT_EQ(made.size(), secret_names().size());
  std::set<std::string> texts;
  for (const auto& secret : made) {
    texts.insert(secret.text);
    EXPECT_GE(secret.text.size(), 48u) << secret.name;
  }
  EXPECT_EQ(texts.size(), made.size());
  EXPECT_TRUE(plan_secrets(made, random).empty());
}

TEST(Secrets, RedisUsersFollowItsPassword) {
  SeededRandom random(7);
  const auto users = [&](const std::vector<Secret>& present) {
    const auto planned = plan_secrets(present, random);
    const auto found = std::ranges::find(planned, "redis_acl", &Secret::name);
    return found == planned.end() ? std::string() : found->text;
  };
  EXPECT_NE(users({{"redis_password", "known"}}).find("#" + sha256_hex("known") + " "), std::string::npos);
  EXPECT_NE(users({{"redis_acl", "of a password that is gone"}}), "");
  EXPECT_EQ(users({{"redis_acl", "mine"}, {"redis_password", "known"}}), "");
}

TEST(Instance, NamesTheVolumeOfEveryStore) {
  const auto plan = *plan_instance(options());
  const std::string compose = text_of(plan, "compose.yaml");
  for (const auto key : volume_keys()) {
    std::string variable = "PANDORA_VOLUME_";
    for (const char c : key) variable += static_cast<char>(std::toupper(c));
    EXPECT_EQ(env_of(plan, variable), "pandora_" + std::string(key));
    EXPECT_NE(compose.find("\n  " + std::string(key) + ":\n    name: ${" + variable), std::string::npos) << key;
  }
  const auto volumes = compose.substr(compose.find("\nvolumes:\n"));
  std::size_t named = 0;
  for (auto at = volumes.find("    name: "); at != std::string::npos; at = volumes.find("    name: ", at + 1)) ++named;
  EXPECT_EQ(named, volume_keys().size());
}

TEST(Instance, AVolumeOfAnotherProjectIsExternalAndCanBeGivenBack) {
  const std::string compose = text_of(*plan_instance(options()), "compose.yaml");
  VolumeChoices choices = volume_choices("pandora", "");
  choices["postgres_data"] = {.name = "theirs_postgres_data", .adopted = true};
  const auto taken = compose_with_volumes(compose, choices);
  ASSERT_TRUE(taken);
  EXPECT_NE(taken->find("${PANDORA_VOLUME_POSTGRES_DATA:?run pandora init}\n    external: true\n"), std::string::npos);
  EXPECT_EQ(*compose_with_volumes(*taken, volume_choices("pandora", "")), compose);

  auto with = options();
  with.volumes = choices;
  const auto plan = *plan_instance(with);
  EXPECT_EQ(text_of(plan, "compose.yaml"), *taken);
  EXPECT_EQ(env_of(plan, "PANDORA_VOLUME_POSTGRES_DATA"), "theirs_postgres_data");
  auto again = options();
  again.present_env = text_of(plan, ".env");
  EXPECT_EQ(text_of(*plan_instance(again), "compose.yaml"), *taken);
  EXPECT_EQ(text_of(*plan_instance(again), ".env"), text_of(plan, ".env"));
}

TEST(Instance, VolumesChangeNothingElseOfItsFiles) {
  const std::string env = "# mine\n" + text_of(*plan_instance(options()), ".env") + "PANDORA_IMAGE_REDIS=redis:7.0.1\n";
  auto choices = volume_choices("pandora", env);
  EXPECT_EQ(env_with_volumes(env, choices, {}), env);
  choices["redis_data"].name = "pandora_redis_data_2";
  const std::string changed = env_with_volumes(env, choices, {});
  EXPECT_EQ(volume_choices("pandora", changed), choices);
  EXPECT_EQ(changed.size(), env.size() + 2);
  EXPECT_EQ(volume_choices("pandora", env_with_volumes("A=b\n", choices, {})), choices);
  const std::vector<AsideEntry> aside = {{"pandora_redis_data", "redis_data", "2026-11-25", false},
                                         {"theirs_postgres_data", "postgres_data", "2026-11-26", true}};
  const std::string kept = env_with_volumes(env, choices, aside);
  EXPECT_EQ(volumes_aside(kept), aside);
  EXPECT_EQ(volumes_aside(env), std::vector<AsideEntry>());
  EXPECT_EQ(volumes_aside("PANDORA_VOLUMES_ASIDE=,a,b:c,:\n"), std::vector<AsideEntry>());
  auto again = options();
  again.present_env = kept;
  EXPECT_EQ(volumes_aside(text_of(*plan_instance(again), ".env")), aside);
  EXPECT_EQ(compose_with_volumes("services: {}\nvolumes:\n  x: {}\n", choices).error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace pandora
