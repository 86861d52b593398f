// Streams through the Gateway: they hold no thread, a slow reader slows the model, and none is lost at the end.
#include <gmock/gmock.h>

#include "gateway/gateway.h"
#include "models/model_upstream.h"
#include "pipeline/runtime_world.h"
#include "support/forwarding_file_system.h"

namespace pandora {
namespace {

using testing::connect_raw;
using testing::eventually;
using ::testing::HasSubstr;
using testing::ModelUpstream;
using testing::RawConnection;
using testing::RuntimeWorld;
using testing::World;
using testing::Writer;

// A disk whose syncs stand while it is told to.
class StandingDisk final : public testing::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  void stand() {
    const std::lock_guard lock(mutex_);
    stands_ = true;
  }
  void go_on() {
    const std::lock_guard lock(mutex_);
    stands_ = false;
    changed_.notify_all();
  }
  Result<std::unique_ptr<pandora::File>> open(const std::string& path, OpenMode mode) override {
    PANDORA_TRY(file, files_.open(path, mode));
    return std::make_unique<File>(*this, std::move(file));
  }

 private:
  class File final : public testing::ForwardingFile {
   public:
    File(StandingDisk& disk, std::unique_ptr<pandora::File> file) : ForwardingFile(std::move(file)), disk_(disk) {}
    Status sync() override {
      {
        std::unique_lock lock(disk_.mutex_);
        disk_.changed_.wait(lock, [&] { return !disk_.stands_; });
      }
      return ForwardingFile::sync();
    }

   private:
    StandingDisk& disk_;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stands_ = false;
};

class GatewayStreams : public ::testing::Test {
 protected:
  GatewayStreams() {
    world_.journal_files = &disk_;
    EXPECT_TRUE(world_.start());
    client_ = *HttpClient::create({}, threads_);
    ModelSettings settings;
    for (auto& role : settings.roles) role.servers.push_back({upstream_.url(), "first-model", ""});
    model_ = make_openai_chat_model(settings, *client_, clock_, random_);
    directory_ = std::make_unique<ModelDirectory>(settings, *client_, clock_);
    runtime_ = std::make_unique<RuntimeWorld>(world_, clock_, model_.get(), nullptr);
  }
  ~GatewayStreams() override {
    gateway_.reset(), runtime_.reset(), model_.reset(), directory_.reset(), client_.reset();
    world_.stop();
  }

  Gateway& open(GatewayOptions options = {}) {
    options.owner = UserId::parse("ana").value();
    options.blocking_threads = options.save_threads = 1;
    auto gateway = Gateway::open(std::move(options), {runtime_->runtime,
                                                      model_.get(),
                                                      directory_.get(),
                                                      *world_.spaces,
                                                      {},
                                                      threads_,
                                                      *client_,
                                                      world_.ids,
                                                      random_,
                                                      clock_});
    EXPECT_TRUE(gateway) << gateway.error().to_line();
    gateway_ = *std::move(gateway);
    return *gateway_;
  }
  static std::string ask(const std::string& message, const std::string& more = "", bool streams = true) {
    const std::string body = dump_json({{"model", "pandora"},
                                        {"stream", streams},
                                        {"messages", Json::array({{{"role", "user"}, {"content", message}}})}});
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n" + more +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  // Keeps the upstream's answers for the test.
  testing::Answer held() {
    return [this](const Json&, const Writer& writer) {
      writer->start(200, {{"Content-Type", "text/event-stream"}});
      writer->write(sse_event(testing::words("begun")));
      const std::lock_guard lock(mutex_);
      writers_.push_back(writer);
    };
  }
  std::size_t begun() {
    const std::lock_guard lock(mutex_);
    return writers_.size();
  }
  std::vector<Turn> turns() {
    EXPECT_TRUE(world_.saver->drain(world_.soon()));
    return world_.rows->turns()
        .list({.limit = 1000}, Principal::of(UserId::parse("ana").value()), world_.soon())
        .value();
  }

  World world_{"gateway"};
  StandingDisk disk_{world_.files};
  SystemClock clock_;
  SeededRandom random_{11};
  IoThreads threads_{clock_, 3};
  std::mutex mutex_;
  std::vector<Writer> writers_;
  ModelUpstream upstream_{threads_, random_};
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<ModelDirectory> directory_;
  std::unique_ptr<ChatModel> model_;
  std::unique_ptr<RuntimeWorld> runtime_;
  std::unique_ptr<Gateway> gateway_;
};

// With a single thread that may block, streams that wait for their model would stand behind each other if one held it.
TEST_F(GatewayStreams, ManyOpenStreamsHoldNoThread) {
  constexpr std::size_t kStreams = 100;
  Gateway& gateway = open();
  std::vector<std::unique_ptr<RawConnection>> clients;
  for (std::size_t i = 0; i < kStreams; ++i) {
    upstream_.then(held());
    clients.push_back(connect_raw(gateway.port()));
    ASSERT_TRUE(clients.back()->send(ask("This is question number " + std::to_string(i) + ", please.")));
  }
  ASSERT_TRUE(eventually([&] { return begun() == kStreams; })) << begun();
  EXPECT_EQ(gateway.turns_under_way(), kStreams);
  for (auto& client : clients) EXPECT_THAT(client->receive_until("begun"), HasSubstr("begun"));
  for (auto& writer : writers_) {
    writer->write(sse_event(testing::kStop));
    writer->write(kSseDone);
    writer->finish();
  }
  for (auto& client : clients)
    EXPECT_THAT(client->receive_until("pandora.turn\ndata: {\"acknowledged\":true"), HasSubstr("[DONE]"));
  EXPECT_TRUE(eventually([&] { return gateway.turns_under_way() == 0; }));
  EXPECT_EQ(turns().size(), kStreams);
}

TEST_F(GatewayStreams, OneTurnMoreThanTheMaximumIsTurnedAway) {
  GatewayOptions options;
  options.turns = 1;
  Gateway& gateway = open(options);
  upstream_.then(held());
  const auto first = connect_raw(gateway.port());
  ASSERT_TRUE(first->send(ask("This is the first question.")));
  ASSERT_TRUE(eventually([&] { return begun() == 1; }));
  const auto second = connect_raw(gateway.port());
  ASSERT_TRUE(second->send(ask("This is the second question.")));
  const std::string refusal = second->receive_response();
  EXPECT_THAT(refusal, HasSubstr(" 429 "));
  EXPECT_THAT(refusal, HasSubstr("Retry-After: 1"));
}

TEST_F(GatewayStreams, ASlowReaderSlowsTheModelDown) {
  constexpr std::size_t kPieceBytes = 64 * 1024, kMostAhead = 64u << 20;
  Gateway& gateway = open();
  upstream_.then(held());
  const auto client = connect_raw(gateway.port(), 4096);
  ASSERT_TRUE(client->send(ask("Tell me everything, please.", "Pandora-Memory: off\r\n")));
  ASSERT_TRUE(eventually([&] { return begun() == 1; }));
  // Until the model's own server is asked to pause: what lies between the two is bounded.
  const std::string piece = sse_event(testing::words(std::string(kPieceBytes, 'x')));
  std::size_t written = 0;
  bool paused = false;
  EXPECT_TRUE(eventually([&] {
    while (!paused && written < kMostAhead) {
      written += piece.size();
      paused = writers_[0]->write(piece) == WriteState::kPause &&
               !writers_[0]->wait_writable(Deadline::after(clock_, std::chrono::milliseconds(200)));
    }
    return true;
  }));
  EXPECT_TRUE(paused) << written << " bytes and no end";
  EXPECT_LT(written, kMostAhead / 2);
  std::thread reader([&] { EXPECT_THAT(client->receive_until("[DONE]"), HasSubstr("[DONE]")); });
  EXPECT_TRUE(writers_[0]->wait_writable(Deadline::after(clock_, std::chrono::seconds(20))));
  writers_[0]->write(sse_event(testing::kStop));
  writers_[0]->write(kSseDone);
  writers_[0]->finish();
  reader.join();
}

TEST_F(GatewayStreams, ADrainThatIsOutOfTimeCutsOffAndKeepsWhatWasSaid) {
  Gateway& gateway = open();
  upstream_.then(held());
  const auto client = connect_raw(gateway.port());
  ASSERT_TRUE(client->send(ask("Which nuts should I avoid?")));
  client->receive_until("begun");
  EXPECT_EQ(gateway.drain(Deadline::after(clock_, std::chrono::milliseconds(50))).error().code,
            ErrorCode::kDeadlineExceeded);
  gateway_.reset();
  const auto kept = turns();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].status, TurnStatus::kCancelled);
  EXPECT_EQ(kept[0].reply->text, "begun");
}

// The disk stands until everybody has his reply: none can have waited for a save, of his own turn or another's. There
// is one thread for what may block, and one for saves.
TEST_F(GatewayStreams, ASaveThatStandsDelaysNoReply) {
  constexpr std::size_t kSessions = 6;
  Gateway& gateway = open();
  const std::vector<std::string> reply = {testing::words("Peanuts."), testing::kStop};
  disk_.stand();
  std::vector<std::unique_ptr<RawConnection>> streams;
  for (std::size_t i = 0; i < kSessions; ++i) {
    upstream_.then(testing::stream(reply));
    const std::string session = "Pandora-Session: number-" + std::to_string(i) + "\r\n";
    const bool is_stream = i % 2 == 0;
    auto client = connect_raw(gateway.port());
    ASSERT_TRUE(client->send(ask("Which nuts should I avoid?", session, is_stream)));
    if (is_stream) {
      EXPECT_THAT(client->receive_until("[DONE]"), HasSubstr("Peanuts."));
      streams.push_back(std::move(client));
    } else {
      const std::string answer = client->receive_response();
      EXPECT_THAT(answer, HasSubstr("Peanuts."));
      EXPECT_THAT(answer, HasSubstr("Pandora-Acknowledged: pending"));
    }
  }
  EXPECT_EQ(gateway.turns_under_way(), kSessions);
  disk_.go_on();
  for (const auto& stream : streams)
    EXPECT_THAT(stream->receive_until("0\r\n\r\n"), HasSubstr("\"acknowledged\":true"));
  EXPECT_TRUE(eventually([&] { return gateway.turns_under_way() == 0; }));
  EXPECT_EQ(turns().size(), kSessions);
}

// Nor for one that fails, again and again: every reply comes, and says that its turn is not acknowledged.
TEST_F(GatewayStreams, SavesThatFailDelayNoReplyAndEachSaysSo) {
  constexpr std::size_t kTurns = 6;
  Gateway& gateway = open();
  world_.files.limit_bytes(0);
  for (std::size_t i = 0; i < kTurns; ++i) {
    upstream_.then(testing::stream({testing::words("Peanuts."), testing::kStop}));
    const auto client = connect_raw(gateway.port());
    const bool is_stream = i % 2 == 0;
    ASSERT_TRUE(client->send(ask("Which nuts should I avoid?", "Pandora-Session: one\r\n", is_stream)));
    const std::string answer = is_stream ? client->receive_until("0\r\n\r\n") : client->receive_response();
    EXPECT_THAT(answer, HasSubstr("Peanuts."));
    // A whole answer does not wait long to hear it.
    EXPECT_TRUE(answer.find(is_stream ? "\"acknowledged\":false" : "Pandora-Acknowledged: false") !=
                    std::string::npos ||
                answer.find("Pandora-Acknowledged: pending") != std::string::npos)
        << answer;
  }
  EXPECT_TRUE(eventually([&] { return gateway.turns_under_way() == 0; }));
  world_.files.limit_bytes(std::nullopt);
  EXPECT_EQ(turns().size(), 0u);
}

TEST_F(GatewayStreams, AWholeAnswerWaitsAMomentForItsSaveAndThenSaysThatItIsPending) {
  Gateway& gateway = open();
  upstream_.then(testing::stream({testing::words("Peanuts."), testing::kStop}));
  disk_.stand();
  const auto client = connect_raw(gateway.port());
  ASSERT_TRUE(client->send(ask("Which nuts should I avoid?", "", false)));
  EXPECT_THAT(client->receive_response(), HasSubstr("Pandora-Acknowledged: pending"));
  disk_.go_on();
  EXPECT_TRUE(eventually([&] { return turns().size() == 1; }));
}

TEST_F(GatewayStreams, ASaveThatFailsIsSaidBehindTheReply) {
  Gateway& gateway = open();
  upstream_.then(testing::stream({testing::words("Peanuts."), testing::kStop}));
  world_.files.limit_bytes(0);
  const auto client = connect_raw(gateway.port());
  ASSERT_TRUE(client->send(ask("Which nuts should I avoid?")));
  EXPECT_THAT(client->receive_until("[DONE]"), HasSubstr("Peanuts."));
  EXPECT_THAT(client->receive_until("0\r\n\r\n"), HasSubstr("\"acknowledged\":false"));
  world_.files.limit_bytes(std::nullopt);
}

// Pieces that come together leave together; what a client waits for is the first.
TEST_F(GatewayStreams, WithoutMemoryEveryChunkGoesOnAsItCame) {
  Gateway& gateway = open();
  const std::string odd =
      R"({"id":"c", "object":"chat.completion.chunk","created":1,"model":"m","x":1.0,"usage":null,"choices":[{"index":0,"delta":{"content":"Pea"},"finish_reason":null}]})";
  upstream_.then(testing::stream({odd, testing::words("nuts."), testing::kStop}));
  const auto client = connect_raw(gateway.port());
  ASSERT_TRUE(client->send(ask("Which nuts should I avoid?", "Pandora-Memory: off\r\n")));
  const std::string got = client->receive_until("0\r\n\r\n");
  EXPECT_THAT(
      got, HasSubstr(R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","x":1.0,"choices":)"));
  EXPECT_THAT(got, HasSubstr("data: " + testing::words("nuts.") + "\n\n"));
  EXPECT_THAT(got, HasSubstr("data: [DONE]"));
  EXPECT_TRUE(turns().empty());
}

}  // namespace
}  // namespace pandora
