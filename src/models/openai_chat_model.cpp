#include "models/openai_chat_model.h"

#include <map>

#include "models/chat_call.h"

namespace pandora {
namespace {

class ChatCallHandle final : public ChatHandle {
 public:
  explicit ChatCallHandle(std::shared_ptr<ChatCall> call) : call_(std::move(call)) {}
  ~ChatCallHandle() override { call_->abandon(); }
  void cancel() override { call_->cancel(); }
  void pause() override { call_->pause(); }
  void resume() override { call_->resume(); }

 private:
  std::shared_ptr<ChatCall> call_;
};

class OpenAiChatModel final : public ChatModel {
 public:
  explicit OpenAiChatModel(std::shared_ptr<ChatModelCore> core) : core_(std::move(core)) {}
  std::unique_ptr<ChatHandle> start(ChatRequest request, const Deadline& deadline, ChatSink& sink) override {
    auto call = std::make_shared<ChatCall>(core_, std::move(request), deadline, sink);
    core_->client.after(Duration(0), [call] { call->begin(); });
    return std::make_unique<ChatCallHandle>(std::move(call));
  }

 private:
  std::shared_ptr<ChatModelCore> core_;
};

}  // namespace

std::unique_ptr<ChatModel> make_openai_chat_model(ModelSettings settings, HttpClient& client, const Clock& clock,
                                                  Random& random, ServerWaker* waker) {
  auto core = std::make_shared<ChatModelCore>(ChatModelCore{std::move(settings), client, clock, random, waker, {}});
  // Roles that share a server share what is known of it.
  std::map<std::tuple<std::string, std::string, std::string>, std::shared_ptr<ModelServer>> known;
  for (std::size_t i = 0; i < core->servers.size(); ++i)
    for (const auto& one : core->settings.roles[i].servers) {
      if (core->servers[i].size() == kMaxServersOfARole) break;
      auto& server = known[{one.url, one.model, one.api_key}];
      if (!server) server = std::make_shared<ModelServer>(one, clock, core->settings.breaker);
      core->servers[i].push_back(server);
    }
  return std::make_unique<OpenAiChatModel>(std::move(core));
}

Result<std::vector<std::string>> list_models(HttpClient& client, const ModelServerSettings& server, const Clock& clock,
                                             const Deadline& deadline) {
  const ModelServer known(server, clock, {});
  auto response = client.fetch({"GET", server.url + "/models", known.headers(), "", {}}, deadline);
  if (!response) return fail(std::move(response).error());
  if (response->status != 200) return fail(to_error(decode_openai_error(response->status, response->body), server.url));
  auto models = decode_model_list(response->body);
  if (!models) return fail(std::move(models).error().with_context(server.url));
  return models;
}

}  // namespace pandora
