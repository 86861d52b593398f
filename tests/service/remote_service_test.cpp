#include <filesystem>
#include <future>

#include <gtest/gtest.h>
#include <unistd.h>

#include "net/local_socket.h"
#include "service/service.h"

namespace pandora {
namespace {

// Answers what it is asked, with two events before; fails on "fail", and ends the connection's owner on nothing.
class EchoService final : public Service {
 public:
  Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline&) override {
    observer.event("one");
    observer.event("two");
    if (call.operation == "fail") return fail(ErrorCode::kStorageFull, "no space", "make some");
    return call.operation + " " + call.user.str() + " " + call.arguments;
  }
};

class Collector final : public CallObserver {
 public:
  void event(const std::string& json) override { events.push_back(json); }
  bool cancelled() override { return false; }
  std::vector<std::string> events;
};

class RemoteService : public testing::Test {
 protected:
  RemoteService() {
    std::string name = (std::filesystem::temp_directory_path() / "pandora-service-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/s.sock";
  }
  ~RemoteService() override { std::filesystem::remove_all(directory_); }
  ServiceCall call(const std::string& operation) { return {operation, UserId::parse("ana").value(), "{\"a\":\"é\"}"}; }
  std::string directory_, path_;
  EchoService echo_;
};

TEST_F(RemoteService, CarriesArgumentsEventsAndResults) {
  auto server = serve_locally(path_, echo_);
  auto remote = make_remote_service(path_);
  ASSERT_TRUE(server && remote);
  Collector collector;
  const auto answer = (*remote)->call(call("do"), collector, Deadline::never());
  ASSERT_TRUE(answer) << answer.error().to_line();
  EXPECT_EQ(*answer, "do ana {\"a\":\"é\"}");
  EXPECT_EQ(collector.events, (std::vector<std::string>{"one", "two"}));
}

TEST_F(RemoteService, CarriesErrorsWithCodeAndRemedy) {
  auto server = serve_locally(path_, echo_);
  auto remote = make_remote_service(path_);
  ASSERT_TRUE(server && remote);
  NoObserver nobody;
  const auto answer = (*remote)->call(call("fail"), nobody, Deadline::never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kStorageFull);
  EXPECT_EQ(answer.error().to_line(), "no space; make some");
}

TEST_F(RemoteService, WhoIsCancelledWaitsNoLongerForAnOwnerThatSaysNothing) {
  std::promise<void> left;
  auto server = LocalServer::listen(path_, [&](LocalConnection& connection) {
    if (!connection.receive(Deadline::never())) return;   // who looked whether somebody is here
    EXPECT_FALSE(connection.receive(Deadline::never()));  // says nothing until the other end has closed
    left.set_value();
  });
  auto remote = make_remote_service(path_);
  ASSERT_TRUE(server && remote);
  class : public CallObserver {
    void event(const std::string&) override {}
    bool cancelled() override { return true; }
  } impatient;
  const auto answer = (*remote)->call(call("do"), impatient, Deadline::never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  left.get_future().wait();
}

TEST_F(RemoteService, SaysThatTheOwnerIsGoneSoThatTheCallMayBeMadeOfTheNext) {
  auto server = serve_locally(path_, echo_);
  auto remote = make_remote_service(path_);
  ASSERT_TRUE(server && remote);
  server->reset();
  NoObserver nobody;
  const auto answer = (*remote)->call(call("do"), nobody, Deadline::never());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, kOwnerGone);
  EXPECT_FALSE(make_remote_service(path_));
}

TEST_F(RemoteService, AnOwnerThatEndsFinishesWhatItTookUp) {
  auto server = serve_locally(path_, echo_);
  auto connection = connect_local(path_);
  ASSERT_TRUE(server && connection);
  ASSERT_TRUE((*connection)->send(R"({"operation": "do", "user": "ana", "arguments": "{}"})"));
  ASSERT_EQ(*(*connection)->receive(Deadline::never()), R"({"accepted":true})");
  server->reset();
  std::string last;
  for (auto frame = (*connection)->receive(Deadline::never()); frame; frame = (*connection)->receive(Deadline::never()))
    last = *frame;
  EXPECT_EQ(last, R"({"result":"do ana {}"})");
}

TEST_F(RemoteService, RefusesAFrameThatIsNoRequest) {
  auto server = serve_locally(path_, echo_);
  ASSERT_TRUE(server);
  for (const char* frame :
       {"", "{", "[]", "{\"operation\": 1}", R"({"operation": "do", "user": "../x", "arguments": "{}"})"}) {
    auto connection = connect_local(path_);
    ASSERT_TRUE(connection);
    ASSERT_TRUE((*connection)->send(frame));
    ASSERT_TRUE((*connection)->receive(Deadline::never()));
    const auto answer = (*connection)->receive(Deadline::never());
    ASSERT_TRUE(answer) << frame;
    EXPECT_NE(answer->find("\"invalid_argument\""), std::string::npos) << *answer;
  }
}

}  // namespace
}  // namespace pandora
