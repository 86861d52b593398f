// What is decided to be done, and what stands in the way, from what was seen.
#include "stack/plan.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace pandora {
namespace {

constexpr std::uint16_t kPort = 15432;

Container container(const std::string& service, const std::string& state) {
  return {.id = "id-" + service,
          .name = "mine-" + service + "-1",
          .image = "image",
          .image_id = "sha256:1",
          .state = state,
          .project = "mine",
          .service = service,
          .config_hash = "hash"};
}

class Plan : public ::testing::Test {
 protected:
  Plan() {
    folder_.name = "mine";
    folder_.instance = "ours";
    add("postgres", true);
    add("vectordb", true);
    add("redis", false);
  }
  ServiceSight& add(const std::string& name, bool wanted) {
    sight_.services.push_back(
        {.name = name, .image = "image", .is_wanted = wanted, .hash = "hash", .image_id = "sha256:1"});
    return sight_.services.back();
  }
  ServiceSight& service(const std::string& name) {
    return *std::ranges::find(sight_.services, name, &ServiceSight::name);
  }
  ServiceSight& with_container(const std::string& name, const std::string& state, int exit_code = 0) {
    auto& found = service(name);
    found.container = container(name, state);
    found.state = {.state = state, .exit_code = exit_code};
    sight_.containers.push_back(*found.container);
    return found;
  }
  StackPlan plan(Goal goal, const std::set<std::string>& named = {}) const {
    return plan_stack(goal, sight_, folder_, named);
  }
  std::string steps(Goal goal, const std::set<std::string>& named = {}) const {
    std::string text;
    for (const auto& step : plan(goal, named).steps)
      text += std::string(to_string(step.kind)) + " " + step.service + ": " + step.cause + "\n";
    return text;
  }
  std::vector<Error> obstacles(Goal goal = Goal::kUp) const { return plan(goal).obstacles; }

  StackFolder folder_;
  StackSight sight_;
};

TEST_F(Plan, WhatIsWantedAndHasNoContainerIsMade) {
  EXPECT_EQ(steps(Goal::kUp), "create postgres: it has no container\ncreate vectordb: it has no container\n");
  EXPECT_EQ(steps(Goal::kUp, {"redis"}), "create redis: it has no container\n");
}

TEST_F(Plan, EveryStepHasItsCause) {
  with_container("postgres", "running").state.health = "healthy";
  with_container("vectordb", "exited", 3);
  EXPECT_EQ(steps(Goal::kUp), "keep postgres: it is healthy\nstart vectordb: it has ended with exit code 3\n");
  service("postgres").hash = "another";
  EXPECT_EQ(steps(Goal::kUp, {"postgres"}), "recreate postgres: its configuration has changed\n");
  service("postgres").hash = "hash";
  service("postgres").image_id = "sha256:2";
  EXPECT_EQ(steps(Goal::kUp, {"postgres"}), "recreate postgres: image is another image now\n");
  service("vectordb").state.state = "created";
  EXPECT_EQ(steps(Goal::kUp, {"vectordb"}), "start vectordb: it was never started\n");
  service("vectordb").state = {.state = "exited", .out_of_memory = true};
  EXPECT_EQ(steps(Goal::kUp, {"vectordb"}),
            "start vectordb: the kernel ended it: it needed more memory than its limit\n");
  service("vectordb").state = {.state = "dead"};
  EXPECT_EQ(steps(Goal::kUp, {"vectordb"}), "recreate vectordb: it is dead\n");
}

TEST_F(Plan, AnImageThatIsNotHereIsPulledFirst) {
  service("vectordb").image_id = "";
  EXPECT_EQ(steps(Goal::kUp),
            "pull vectordb: image is not on this machine\ncreate postgres: it has no container\n"
            "create vectordb: it has no container\n");
}

TEST_F(Plan, TheOtherGoalsAreAboutWhatHasAContainer) {
  with_container("postgres", "running");
  with_container("redis", "exited", 1);
  EXPECT_EQ(steps(Goal::kStop), "keep redis: it has ended with exit code 1\nstop postgres: it was asked for\n");
  EXPECT_EQ(steps(Goal::kDown),
            "remove postgres: it was asked for; its volume stays\nremove redis: it was asked for; its volume stays\n");
  EXPECT_EQ(steps(Goal::kRestart, {"postgres"}), "restart postgres: it was asked for\n");
  EXPECT_EQ(steps(Goal::kRecreate, {"postgres"}), "recreate postgres: it was asked for\n");
  EXPECT_EQ(plan(Goal::kRestart, {"vectordb"}).obstacles.at(0).code, ErrorCode::kNotFound);
}

TEST_F(Plan, AServiceThatThereIsNoneOfIsSaidWithThoseThatThereAre) {
  const auto found = plan(Goal::kUp, {"postgers"}).obstacles;
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].code, ErrorCode::kNotFound);
  EXPECT_NE(found[0].remedy.find("postgres, vectordb, redis"), std::string::npos) << found[0].remedy;
}

TEST_F(Plan, APortThatSomebodyElseHasStandsInTheWay) {
  service("postgres").ports = {{"127.0.0.1", kPort}};
  EXPECT_TRUE(obstacles().empty());
  sight_.listeners = {{.address = "192.0.2.1", .port = kPort, .inode = 0}};
  EXPECT_TRUE(obstacles().empty()) << "on another address";
  sight_.listeners = {{.address = "127.0.0.1", .port = kPort, .inode = 0}};
  ASSERT_EQ(obstacles().size(), 1u);
  EXPECT_EQ(obstacles()[0].code, ErrorCode::kConflict);
  EXPECT_NE(obstacles()[0].message.find("15432, which postgres needs, is taken by a process of another user"),
            std::string::npos)
      << obstacles()[0].message;
  EXPECT_NE(obstacles()[0].remedy.find("PANDORA_PORT_POSTGRES=15433"), std::string::npos) << obstacles()[0].remedy;
  Container other = container("postgres", "running");
  other.project = "theirs";
  other.ports = {{.address = "127.0.0.1", .published = kPort, .target = 5432, .protocol = "tcp"}};
  sight_.containers = {other};
  EXPECT_NE(obstacles()[0].message.find("the container mine-postgres-1 of the project theirs"), std::string::npos);
  // What runs already as it is wanted has the port itself.
  with_container("postgres", "running");
  EXPECT_TRUE(obstacles().empty());
}

TEST_F(Plan, TheVersionOfAnImageIsInItsTag) {
  auto& postgres = service("postgres");
  for (const auto& [image, version] : std::map<std::string, std::string>{{"postgres:16.14-bookworm", "16"},
                                                                         {"here:5000/postgres:15@sha256:12ab", "15"},
                                                                         {"here:5000/postgres", ""},
                                                                         {"postgres", ""},
                                                                         {"postgres:latest", ""}}) {
    postgres.image = image;
    EXPECT_EQ(postgres.major_version(), version) << image;
  }
}

TEST_F(Plan, ASecretThatItsContainerCannotReadStandsInTheWay) {
  auto& postgres = service("postgres");
  postgres.user = 999;
  const auto with = [&](std::optional<FileFacts> facts) {
    postgres.secrets = {{.name = "word", .file = "/s/word", .facts = facts}};
    return obstacles().empty() ? std::optional<ErrorCode>() : obstacles()[0].code;
  };
  EXPECT_EQ(with(FileFacts{.mode = 0444, .user = 0}), std::nullopt);
  EXPECT_EQ(with(FileFacts{.mode = 0400, .user = 999}), std::nullopt);
  EXPECT_EQ(with(FileFacts{.mode = 0400, .user = 0}), ErrorCode::kPermissionDenied);
  EXPECT_EQ(with(FileFacts{.mode = 0040, .user = 999}), ErrorCode::kPermissionDenied);
  EXPECT_EQ(with(std::nullopt), ErrorCode::kNotFound);
  postgres.user = 0;  // root reads everything
  EXPECT_EQ(with(FileFacts{.mode = 0400, .user = 1000}), std::nullopt);
}

TEST_F(Plan, AVolumeThatIsNotOursStandsInTheWay) {
  service("postgres").volumes = {"mine_data"};
  sight_.volumes = {{.name = "mine_data", .project = "mine", .instance = "ours"}};
  EXPECT_TRUE(obstacles().empty());
  sight_.volumes[0].instance = "theirs";
  EXPECT_EQ(obstacles().at(0).code, ErrorCode::kConflict);
  sight_.volumes[0].instance = "";
  EXPECT_NE(obstacles().at(0).message.find("belongs to no instance"), std::string::npos);
}

TEST_F(Plan, AnEmptyVolumeInThePlaceOfOneOfOursStandsInTheWay) {
  service("postgres").volumes = {"mine_date"};
  EXPECT_TRUE(obstacles().empty()) << "the first start";
  sight_.volumes = {{.name = "mine_data", .project = "mine", .instance = "ours"}};
  ASSERT_EQ(obstacles().size(), 1u);
  EXPECT_NE(obstacles()[0].message.find("mine_data of this instance is used by no service"), std::string::npos);
  service("redis").volumes = {"mine_data"};  // of a profile that is not asked for today
  EXPECT_TRUE(obstacles().empty());
}

TEST_F(Plan, WhatIsPausedIsSaid) {
  with_container("postgres", "paused");
  EXPECT_EQ(obstacles().at(0).remedy, "docker unpause mine-postgres-1");
}

TEST_F(Plan, NothingIsInTheWayOfAnEnd) {
  with_container("postgres", "paused");
  service("postgres").secrets = {{.name = "word", .file = "/s/word", .facts = {}}};
  EXPECT_TRUE(obstacles(Goal::kDown).empty());
  EXPECT_TRUE(obstacles(Goal::kStop).empty());
}

}  // namespace
}  // namespace pandora
