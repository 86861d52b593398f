// The Engine's API, against a socket that answers what a test says.
#include "stack/docker_engine.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/temporary_directory.h"

namespace pandora {
namespace {

using namespace std::chrono_literals;

// One answer after another, each on a connection of its own; remembers what was asked.
class FakeEngine {
 public:
  FakeEngine(const std::string& path, std::vector<std::string> answers)
      : answers_(std::move(answers)), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket_, 4), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeEngine() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string asked;  // read after the answer has come

 private:
  void serve() {
    for (const auto& answer : answers_) {
      const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::read(connection, buffer, sizeof buffer);
        if (got <= 0) break;
        request.append(buffer, static_cast<std::size_t>(got));
      }
      asked = request.substr(0, request.find('\r'));
      (void)!::write(connection, answer.data(), answer.size());
      ::close(connection);
    }
  }

  const std::vector<std::string> answers_;
  const int socket_;
  std::thread thread_;
};

std::string answer(int status, const std::string& body) {
  return fmt::format(
      "HTTP/1.1 {} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
      body.size(), body);
}

class Engine : public ::testing::Test {
 protected:
  Deadline soon() const { return Deadline::after(clock_, 20s); }
  Result<EngineVersion> version(const std::string& said) {
    const FakeEngine fake(path_, {said});
    const auto engine = DockerEngine::open(path_, threads_);
    EXPECT_TRUE(engine);
    auto found = (*engine)->version(soon());
    ::unlink(path_.c_str());
    return found;
  }

  const SystemClock clock_;
  testing::TemporaryDirectory folder_;
  const std::string path_ = folder_.path() + "/docker.sock";
  IoThreads threads_{clock_};
};

TEST_F(Engine, SaysItsVersion) {
  FakeEngine fake(path_, {answer(200, R"({"Version": "20.10.24", "ApiVersion": "1.41"})")});
  const auto engine = *DockerEngine::open(path_, threads_);
  const auto version = engine->version(soon());
  ASSERT_TRUE(version) << version.error().to_line();
  EXPECT_EQ(version->version, "20.10.24");
  EXPECT_EQ(version->api, "1.41");
  EXPECT_EQ(fake.asked, "GET /version HTTP/1.1");
}

TEST_F(Engine, OneThatIsTooOldOrNoneIsRefused) {
  EXPECT_TRUE(version(answer(200, R"({"Version": "19.03", "ApiVersion": "1.40"})")));
  EXPECT_EQ(version(answer(200, R"({"Version": "18.09", "ApiVersion": "1.39"})")).error().code,
            ErrorCode::kIncompatible);
  EXPECT_EQ(version(answer(200, R"({"hello": "world"})")).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(version(answer(200, "hello")).error().code, ErrorCode::kDataCorrupt);
  const auto refused = version(answer(500, R"({"message": "no\nspace"})"));
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("no space"), std::string::npos) << refused.error().message;
}

TEST_F(Engine, ListsContainersWithTheirPorts) {
  FakeEngine fake(
      path_, {answer(200, R"([{"Id": "a1", "Names": ["/mine-postgres-1"], "Image": "postgres:16.14", "State": "running",
    "Labels": {"com.docker.compose.project": "mine", "com.docker.compose.service": "postgres"},
    "Ports": [{"IP": "127.0.0.1", "PrivatePort": 5432, "PublicPort": 15432, "Type": "tcp"}, {"PrivatePort": 9, "Type": "udp"}]},
    {"Id": "b2", "Names": null, "Labels": null, "Ports": null}, 7])")});
  const auto containers = *(*DockerEngine::open(path_, threads_))->containers(soon());
  ASSERT_EQ(containers.size(), 3u);
  EXPECT_EQ(containers[0].name, "mine-postgres-1");
  EXPECT_EQ(containers[0].project, "mine");
  EXPECT_EQ(containers[0].service, "postgres");
  ASSERT_EQ(containers[0].ports.size(), 2u);
  EXPECT_EQ(containers[0].ports[0].address, "127.0.0.1");
  EXPECT_EQ(containers[0].ports[0].published, 15432);
  EXPECT_EQ(containers[0].ports[1].published, 0);
  EXPECT_EQ(containers[1].name, "");
  EXPECT_EQ(fake.asked, "GET /containers/json?all=1 HTTP/1.1");
}

TEST_F(Engine, ThatIsNotThereIsSaid) {
  EXPECT_EQ(DockerEngine::open(path_, threads_).error().code, ErrorCode::kNotFound);
  std::ofstream(path_) << "a file";
  EXPECT_EQ(DockerEngine::open(path_, threads_).error().code, ErrorCode::kNotFound);
  ::unlink(path_.c_str());
  {
    const FakeEngine left(path_, {});
  }  // a socket that nobody listens on any more
  const auto engine = DockerEngine::open(path_, threads_);
  ASSERT_TRUE(engine);
  EXPECT_EQ((*engine)->version(soon()).error().code, ErrorCode::kUnavailable);
}

TEST_F(Engine, ThatIsNotForThisUserIsSaid) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may do everything";
  const FakeEngine fake(path_, {});
  ::chmod(path_.c_str(), 0);
  EXPECT_EQ(DockerEngine::open(path_, threads_).error().code, ErrorCode::kPermissionDenied);
}

TEST_F(Engine, APathIsAsLongAsTheKernelTakes) {
  IoThreads threads(clock_);
  EXPECT_TRUE(
      HttpClient::create({.limits = {}, .ca_file = {}, .unix_socket = std::string(kMaxSocketPath, 'a')}, threads));
  EXPECT_EQ(
      HttpClient::create({.limits = {}, .ca_file = {}, .unix_socket = std::string(kMaxSocketPath + 1, 'a')}, threads)
          .error()
          .code,
      ErrorCode::kInvalidArgument);
}

TEST(DockerSocket, IsWhereDockerHostSays) {
  EXPECT_EQ(*docker_socket(""), kUsualDockerSocket);
  EXPECT_EQ(*docker_socket("unix:///run/user/1000/docker.sock"), "/run/user/1000/docker.sock");
  EXPECT_EQ(docker_socket("tcp://1.2.3.4:2375").error().code, ErrorCode::kInvalidArgument);
}

TEST(Log, StreamsAreToldApartAndACutFrameEndsIt) {
  using namespace std::string_literals;
  const std::string out = "\1\0\0\0\0\0\0\3abc"s, err = "\2\0\0\0\0\0\0\1!"s;
  EXPECT_EQ(stream_of_log(out + err + out, 1), "abcabc");
  EXPECT_EQ(stream_of_log(out + err + out, 2), "!");
  EXPECT_EQ(stream_of_log(out + "\1\0\0\0\0\0\1\0z"s, 1), "abcz");
  EXPECT_EQ(stream_of_log("\1\0\0\0\0\0\0"s, 1), "");
}

}  // namespace
}  // namespace pandora
