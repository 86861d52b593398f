#include <fmt/format.h>

#include "base/log.h"
#include "gateway/attached_images.h"
#include "gateway/client_chat.h"
#include "gateway/client_reply.h"
#include "gateway/gateway_core.h"
#include "gateway/pass_through.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

class ChatHandler final : public GatewayHandler {
 public:
  explicit ChatHandler(GatewayCore& core) : core_(core) {}

  // Small requests come on the loop: nothing here waits, but for a model's name that was never heard.
  void handle(HttpRequest request, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    auto chat = read_client_chat(request, caller.user);
    if (!chat) return writer->respond(error_response(chat.error()));
    if (chat->model == kPandoraModel || (core_.parts.directory && core_.parts.directory->find_known(chat->model)))
      return begin(request.id, caller, *std::move(chat), std::move(writer));
    auto known = std::make_shared<ClientChat>(*std::move(chat));
    core_.turn_threads().blocking([this, id = request.id, caller, known, writer = std::move(writer)]() mutable {
      begin(id, caller, std::move(*known), std::move(writer));
    });
  }

 private:
  void begin(const std::string& request_id, const Caller& caller, ClientChat given,
             std::shared_ptr<ResponseWriter> writer) {
    const auto chat = std::make_shared<const ClientChat>(std::move(given));
    ServedModel served;
    if (chat->model != kPandoraModel) {
      auto found = find_model(core_, chat->model);
      if (!found && found.error().code == ErrorCode::kNotFound) return writer->respond(model_not_found(found.error()));
      if (!found) return writer->respond(error_response(found.error()));
      served = *std::move(found);
    } else if (chat->has_images) {
      served.role = ModelRole::kEyes;
    }
    if (!core_.begin_turn()) {
      HttpResponse full =
          error_response({ErrorCode::kResourceExhausted, "too many turns are under way", "try again in a moment"});
      full.headers.add("Retry-After", "1");
      return writer->respond(std::move(full));
    }
    const auto reply = std::make_shared<ClientReply>(reply_options(request_id, caller, *chat), std::move(writer));
    const Deadline deadline = Deadline::after(core_.parts.clock, core_.options.turn_time);
    if (chat->is_turn())
      take_turn(request_id, caller, chat, served, reply, deadline);
    else
      pass_on(request_id, *chat, served, reply, deadline);
  }

  ReplyOptions reply_options(const std::string& request_id, const Caller& caller, const ClientChat& chat) {
    ReplyOptions options;
    options.streams = chat.streams;
    options.wants_usage = chat.wants_usage;
    options.model = chat.model;
    options.created = core_.parts.clock.now().micros / 1'000'000;
    if (chat.is_turn()) options.session = chat.session;
    options.request_id = request_id;
    if (chat.is_turn() && chat.takes_our_tools)
      options.client_tools.emplace(chat.tool_names.begin(), chat.tool_names.end());
    options.after = [this](Duration wait, std::function<void()> call) {
      core_.parts.client.after(wait, std::move(call));
    };
    options.keep_open = [this, user = caller.user, session = chat.session](const std::vector<std::string>& calls,
                                                                           OpenTurn open) {
      core_.open_turns.put(user, session, calls, std::move(open));
    };
    options.when_finished = [this, request_id, caller](const TurnOutcome& outcome) {
      log_info("chat.finished", {{"request", request_id},
                                 {"turn", outcome.uid.to_string()},
                                 {"acknowledged", outcome.acknowledged},
                                 {"error", outcome.error ? outcome.error->to_line() : ""}});
      auto count = [this, caller, tokens = outcome.tokens_in + outcome.tokens_out] {
        core_.guard.count_tokens(caller, tokens);
        core_.end_turn();
      };
      // A server may be asked, and this may be a loop that others wait for.
      const bool may_wait = caller.key && core_.parts.cache && core_.parts.cache->may_wait();
      may_wait ? core_.turn_threads().saving(std::move(count)) : count();
    };
    return options;
  }

  void take_turn(const std::string& request_id, const Caller& caller, const std::shared_ptr<const ClientChat>& chat,
                 const ServedModel& served, const std::shared_ptr<ClientReply>& reply, const Deadline& deadline) {
    TurnRequest turn;
    turn.user = caller.user;
    if (caller.key) turn.key = caller.key->name;
    turn.session = chat->session;
    turn.message = {Role::kUser, "", chat->message};
    turn.memory = chat->memory == ClientMemory::kRead    ? MemoryUse::kRead
                  : chat->memory == ClientMemory::kWrite ? MemoryUse::kWrite
                                                         : MemoryUse::kOn;
    ClientRequest client;
    client.compose = [chat](const GatherSection& gathered, const std::vector<OwnRounds>& rounds,
                            const std::vector<ToolDefinition>& tools) {
      return chat->compose(gathered, rounds, tools);
    };
    client.offers_tools = chat->takes_our_tools;
    client.tool_names = chat->tool_names;
    client.messages_since = chat->messages_since;
    client.role = served.role;
    client.model = served.name;
    client.server = served.server;
    client.request_id = request_id;
    client.held = chat->held;
    if (chat->has_images)
      client.images = [chat] {
        const Json& messages = chat->request["messages"];
        return attached_images(messages[messages.size() - chat->messages_since - 1]);
      };
    client.tools_run = chat->tools_run;
    client.continues = core_.open_turns.take(caller.user, chat->session, chat->called_tools);
    const bool speaks_freely = served.name.empty() && !chat->has_tools;
    client.clarifies = speaks_freely && chat->user_messages == 1;
    client.may_quote = speaks_freely;
    turn.client = std::move(client);
    auto started = core_.parts.runtime.start(std::move(turn), reply, deadline, core_.turn_threads());
    if (started) return reply->attach(*std::move(started));
    reply->refuse(error_response(started.error()));
    core_.end_turn();
  }

  void pass_on(const std::string& request_id, const ClientChat& chat, const ServedModel& served,
               const std::shared_ptr<ClientReply>& reply, const Deadline& deadline) {
    if (!core_.parts.model) {
      reply->refuse(error_response({ErrorCode::kUnavailable, "no language model is configured", "set model.url"}));
      return core_.end_turn();
    }
    ChatRequest request;
    request.role = served.role;
    request.model = served.name;
    request.server = served.server;
    request.request_id = request_id;
    request.passed_on = chat.compose({});
    // Nothing of it blocks: another thread would cost more than all the rest.
    const auto later = [&client = core_.parts.client](std::function<void()> work) {
      client.after(Duration(0), std::move(work));
    };
    reply->attach(pass_through(*core_.parts.model, std::move(request), deadline, reply, later));
  }

  GatewayCore& core_;
};

}  // namespace

std::unique_ptr<GatewayHandler> make_chat_handler(GatewayCore& core) { return std::make_unique<ChatHandler>(core); }

Result<ServedModel> find_model(GatewayCore& core, const std::string& name) {
  if (!core.parts.directory)
    return fail(ErrorCode::kNotFound, fmt::format("there is no model \"{}\"", name),
                "GET /v1/models lists those there are");
  return core.parts.directory->find(name, Deadline::after(core.parts.clock, kModelListPatience));
}

}  // namespace pandora
