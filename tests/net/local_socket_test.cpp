#include "net/local_socket.h"

#include <filesystem>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pandora {
namespace {

class LocalSocket : public testing::Test {
 protected:
  LocalSocket() {
    std::string name = (std::filesystem::temp_directory_path() / "pandora-socket-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~LocalSocket() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name = "s.sock") const { return directory_ + "/" + name; }
  static void echo(LocalConnection& connection) {
    for (;;) {
      auto frame = connection.receive(Deadline::never());
      if (!frame || !connection.send(*frame)) return;
    }
  }
  std::string directory_;
  SystemClock clock_;
};

TEST_F(LocalSocket, CarriesFramesOfAnySizeBothWays) {
  auto server = LocalServer::listen(path(), echo);
  ASSERT_TRUE(server) << server.error().to_line();
  auto client = connect_local(path());
  ASSERT_TRUE(client) << client.error().to_line();
  for (const std::size_t size : {0u, 1u, 70'000u, 3'000'000u}) {
    const std::string frame(size, 'x');
    auto reader = std::async(std::launch::async, [&] { return (*client)->receive(Deadline::never()); });
    ASSERT_TRUE((*client)->send(frame));
    const auto answer = reader.get();
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, frame);
  }
}

TEST_F(LocalSocket, IsReadableByItsOwnerOnly) {
  auto server = LocalServer::listen(path(), echo);
  ASSERT_TRUE(server);
  struct stat info{};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(LocalSocket, WorksUnderAPathLongerThanASocketAddress) {
  const std::string deep = directory_ + "/" + std::string(120, 'd');
  std::filesystem::create_directories(deep);
  auto server = LocalServer::listen(deep + "/s.sock", echo);
  ASSERT_TRUE(server) << server.error().to_line();
  auto client = connect_local(deep + "/s.sock");
  ASSERT_TRUE(client) << client.error().to_line();
  ASSERT_TRUE((*client)->send("hello"));
  EXPECT_EQ(*(*client)->receive(Deadline::never()), "hello");
}

TEST_F(LocalSocket, SaysThatNobodyListens) {
  EXPECT_EQ(connect_local(path()).error().code, ErrorCode::kNotFound);
  {
    auto server = LocalServer::listen(path(), echo);
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(LocalSocket, ReplacesTheSocketOfADeadProcess) {
  auto dead = LocalServer::listen(path(), echo);
  ASSERT_TRUE(dead);
  auto living = LocalServer::listen(path(), echo);  // the file of the first is still there, as after a kill
  ASSERT_TRUE(living) << living.error().to_line();
  auto client = connect_local(path());
  ASSERT_TRUE(client);
  ASSERT_TRUE((*client)->send("hello"));
  EXPECT_EQ(*(*client)->receive(Deadline::never()), "hello");
}

TEST_F(LocalSocket, RefusesAFrameOneByteOverTheMaximum) {
  auto server = LocalServer::listen(path(), echo);
  auto client = connect_local(path());
  ASSERT_TRUE(server && client);
  EXPECT_EQ((*client)->send(std::string(kMaxFrameBytes + 1, 'x')).error().code, ErrorCode::kTooLarge);
}

TEST_F(LocalSocket, ADeadlineEndsTheWait) {
  auto server = LocalServer::listen(path(), [](LocalConnection& connection) {
    (void)connection.receive(Deadline::never());  // answers nothing
  });
  auto client = connect_local(path());
  ASSERT_TRUE(server && client);
  const auto answer = (*client)->receive(Deadline::after(clock_, std::chrono::milliseconds(20)));
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(LocalSocket, TheServerSeesThatItsClientLeft) {
  std::promise<void> started, left;
  auto server = LocalServer::listen(path(), [&](LocalConnection& connection) {
    EXPECT_FALSE(connection.peer_left());
    started.set_value();
    EXPECT_FALSE(connection.receive(Deadline::never()));
    EXPECT_TRUE(connection.peer_left());
    left.set_value();
  });
  auto client = connect_local(path());
  ASSERT_TRUE(server && client);
  started.get_future().wait();
  client->reset();
  left.get_future().wait();
}

TEST_F(LocalSocket, AClientThatWasStoppedHoldsNeitherAnAnswerNorTheEnd) {
  std::promise<void> full;
  std::promise<Status> told;
  auto server = LocalServer::listen(path(), [&](LocalConnection& connection) {
    full.set_value();
    told.set_value(connection.send(std::string(kMaxFrameBytes, 'x')));  // more than a socket holds
  });
  auto client = connect_local(path());
  ASSERT_TRUE(server && client);
  full.get_future().wait();
  server->reset();  // the client reads nothing, as after Ctrl-Z
  const Status sent = told.get_future().get();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kCancelled);
}

TEST_F(LocalSocket, EndsWhileAClientIsConnected) {
  auto server = LocalServer::listen(path(), echo);
  auto client = connect_local(path());
  ASSERT_TRUE(server && client);
  ASSERT_TRUE((*client)->send("hello"));
  ASSERT_TRUE((*client)->receive(Deadline::never()));
  server->reset();
  EXPECT_FALSE((*client)->receive(Deadline::never()));
}

}  // namespace
}  // namespace pandora
