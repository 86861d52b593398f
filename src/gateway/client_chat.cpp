#include "gateway/client_chat.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "pipeline/prompt.h"
#include "wire/json_skim.h"
#include "wire/openai_chat.h"

namespace pandora {
namespace {

constexpr std::size_t kFingerprintDigits = 32;
constexpr std::string_view kImageMark = "[image]";
constexpr std::size_t kMostDigits = 15;  // of a number that every reader holds exactly

bool is_system(const OpenAiMessage& message) { return message.role == "system" || message.role == "developer"; }

std::string text_with_images(const OpenAiMessage& message) {
  std::string text = sanitize_utf8(message.text());
  for (std::size_t i = message.image_urls().size(); i > 0; --i)
    text.append(text.empty() ? "" : "\n").append(kImageMark);
  return std::string(trim(text));
}

// A name that is fit is kept, so that people find it again; any other stands for itself by its hash.
SessionId session_named(std::string_view name) {
  if (auto session = SessionId::parse(name)) return *std::move(session);
  return SessionId::parse("h" + sha256_hex(name).substr(0, kFingerprintDigits)).value();
}

SessionId fingerprint(const std::vector<OpenAiMessage>& messages, const UserId& user) {
  std::string begun = user.str();
  for (const auto& message : messages) {
    begun.append(1, '\0').append(message.role).append(1, '\0').append(message.text());
    for (const auto& url : message.image_urls()) begun.append(1, '\0').append(url);
    if (message.role == "user") break;
  }
  return SessionId::parse("c" + sha256_hex(begun).substr(0, kFingerprintDigits)).value();
}

Result<SessionId> session_of(const HttpRequest& http, const OpenAiChatRequest& chat, const UserId& user) {
  if (http.headers.has(kSessionHeader)) {
    auto session = SessionId::parse(http.headers.get(kSessionHeader));
    if (!session)
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", kSessionHeader, session.error().message),
                  session.error().remedy);
    return session;
  }
  if (chat.metadata.is_object())
    if (const auto id = chat.metadata.find("session_id");
        id != chat.metadata.end() && id->is_string() && !id->get_ref<const std::string&>().empty())
      return session_named(id->get_ref<const std::string&>());
  if (!chat.user.empty()) return session_named(chat.user);
  return fingerprint(chat.messages, user);
}

Result<ClientMemory> memory_of(const HttpRequest& http) {
  const std::string_view given = http.headers.get(kMemoryHeader);
  if (given.empty() || given == "on") return ClientMemory::kOn;
  if (given == "read") return ClientMemory::kRead;
  if (given == "write") return ClientMemory::kWrite;
  if (given == "off") return ClientMemory::kOff;
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} is none of on, read, write and off", kMemoryHeader));
}

Result<bool> wants_our_tools(const HttpRequest& http, const ClientChat& chat) {
  const std::string_view given = http.headers.get(kToolsHeader);
  if (!given.empty() && given != "on" && given != "off")
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is neither on nor off", kToolsHeader));
  const bool wanted = given.empty() ? chat.model == kPandoraModel : given == "on";
  return wanted && chat.memory == ClientMemory::kOn;
}

// May there be tools that its client does not know of?
bool leaves_room_for_tools(const Json& request) {
  const auto given = [&](const char* name) { return request.contains(name) && !request[name].is_null(); };
  if (given("functions") || given("function_call")) return false;
  if (given("tool_choice") && request["tool_choice"] != "auto") return false;
  return !given("n") || request["n"] == 1;
}

std::string name_of_tool(const Json& tool) {
  const Json::json_pointer at("/function/name");
  return tool.is_object() && tool.contains(at) && tool[at].is_string() ? tool[at].get<std::string>() : std::string();
}

Json to_openai(const ToolDefinition& tool) {
  return {{"type", "function"},
          {"function",
           {{"name", tool.name},
            {"description", tool.description},
            {"parameters", Json::parse(tool.schema, nullptr, false)}}}};
}

Json to_openai(const ChatMessage& message) {
  if (message.role == ChatRole::kTool)
    return {{"role", "tool"}, {"tool_call_id", message.tool_call_id}, {"content", message.content}};
  Json calls = Json::array();
  for (const auto& call : message.tool_calls)
    calls.push_back(
        {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  return {{"role", "assistant"},
          {"content", message.content.empty() ? Json() : Json(message.content)},
          {"tool_calls", std::move(calls)}};
}

// What the client's tools gave since the user's last message.
void read_tools(const std::vector<OpenAiMessage>& messages, std::size_t from, ClientChat& chat) {
  struct Call {
    std::string name, arguments;
    int pass;
  };
  std::map<std::string, Call> calls;
  int pass = 0;
  for (std::size_t i = from; i < messages.size(); ++i) {
    const OpenAiMessage& message = messages[i];
    if (!message.tool_calls.empty()) {
      ++pass;
      chat.called_tools.clear();
      for (const auto& call : message.tool_calls) {
        calls[call.id] = {call.name, call.arguments, pass};
        chat.called_tools.push_back(call.id);
      }
    }
    if (message.role != "tool" || chat.tools_run.size() == kMaxToolCalls) continue;
    const auto call = calls.find(message.tool_call_id);
    ToolBlock block;
    block.pass = std::max(1, pass);
    block.tool =
        call == calls.end() ? "tool" : ellipsize(one_line(sanitize_utf8(call->second.name)), kMaxToolNameBytes);
    if (call != calls.end()) block.arguments = ellipsize(sanitize_utf8(call->second.arguments), kMaxToolArgumentBytes);
    block.result = ellipsize(sanitize_utf8(message.text()), kMaxToolResultBytes / kMaxToolCalls);
    chat.tools_run.push_back(std::move(block));
  }
}

bool is_absent(const SkimmedValue* value) { return !value || value->is(SkimmedKind::kNull); }
bool is_absent_or(const SkimmedValue* value, SkimmedKind kind) { return is_absent(value) || value->is(kind); }

bool is_plain_message(const SkimmedValue& element, bool& has_images) {
  SkimmedObject message;
  if (!element.is(SkimmedKind::kObject) || !message.read(element.text)) return false;
  const auto *role = message.find("role"), *content = message.find("content");
  if (!role || role->plain().empty() || message.find("tool_calls")) return false;
  if (!is_absent_or(message.find("tool_call_id"), SkimmedKind::kString)) return false;
  if (!is_absent_or(content, SkimmedKind::kString) && !content->is(SkimmedKind::kArray)) return false;
  has_images |= content && content->is(SkimmedKind::kArray) && content->text.find("image") != std::string_view::npos;
  return true;
}

// A request without memory in which nothing is unusual goes on as it came, but for the fields that we write ourselves.
// Whatever this does not take is read below, which also says what is wrong with it.
std::optional<ClientChat> read_untouched(const HttpRequest& http) {
  SkimmedObject fields;
  if (!fields.read(http.body)) return std::nullopt;
  ClientChat chat;
  chat.memory = ClientMemory::kOff;
  const auto *model = fields.find("model"), *streams = fields.find("stream"), *usage = fields.find("stream_options"),
             *tools = fields.find("tools"), *messages = fields.find("messages");
  if (!is_absent(model) && model->plain().empty()) return std::nullopt;
  if (!is_absent_or(streams, SkimmedKind::kBoolean) || !is_absent_or(fields.find("user"), SkimmedKind::kString) ||
      !is_absent_or(fields.find("temperature"), SkimmedKind::kNumber) || !is_absent_or(tools, SkimmedKind::kArray))
    return std::nullopt;
  PassedOnRequest passed;
  passed.has_temperature = !is_absent(fields.find("temperature"));
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    const auto* most = fields.find(name);
    passed.has_max_tokens |= most != nullptr;
    if (!is_absent(most) && most->text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    if (most && most->text.size() > kMostDigits) return std::nullopt;
  }
  if (!is_absent(usage)) {
    SkimmedObject options;
    if (!usage->is(SkimmedKind::kObject) || !options.read(usage->text)) return std::nullopt;
    const auto* include = options.find("include_usage");
    if (!is_absent_or(include, SkimmedKind::kBoolean)) return std::nullopt;
    chat.wants_usage = !is_absent(include) && include->text == "true";
  }
  std::size_t count = 0;
  const bool plain = messages && skim_elements(messages->text, [&](const SkimmedValue& message) {
                       ++count;
                       return is_plain_message(message, chat.has_images);
                     });
  if (!plain || count == 0) return std::nullopt;
  std::size_t given = 0;
  if (!is_absent(tools) && !skim_elements(tools->text, [&](const SkimmedValue& tool) {
        ++given;
        return tool.is(SkimmedKind::kObject);
      }))
    return std::nullopt;
  chat.has_tools = given > 0;  // an empty list is left out: vLLM refuses it
  chat.model = is_absent(model) ? std::string(kPandoraModel) : std::string(model->plain());
  if (chat.has_images && chat.model == kPandoraModel) return std::nullopt;  // whether they are some is for a reader
  passed.streams = chat.streams = !is_absent(streams) && streams->text == "true";
  passed.body = given > 0 || !tools ? fields.without({"model", "stream_options"})
                                    : fields.without({"model", "stream_options", "tools", "tool_choice"});
  chat.untouched = std::move(passed);
  return chat;
}

}  // namespace

Result<ClientChat> read_client_chat(const HttpRequest& http, const UserId& user) {
  PANDORA_TRY(memory, memory_of(http));
  if (memory == ClientMemory::kOff && !http.headers.has(kSessionHeader)) {
    if (auto untouched = read_untouched(http)) return *std::move(untouched);
  }
  PANDORA_TRY(read, decode_chat_request(http.body));
  ClientChat chat;
  PANDORA_TRY(session, session_of(http, read, user));
  chat.memory = memory;
  chat.session = std::move(session);
  chat.model = read.model.empty() ? std::string(kPandoraModel) : read.model;
  chat.streams = read.stream;
  chat.wants_usage = read.include_usage;
  chat.has_tools = !read.tools.empty();
  std::size_t last_user = read.messages.size();
  for (std::size_t i = 0; i < read.messages.size(); ++i) {
    const OpenAiMessage& message = read.messages[i];
    if (message.role == "user") last_user = i, ++chat.user_messages;
    if (message.role == "user" || message.role == "assistant")
      chat.held.add(message.role == "user" ? Role::kUser : Role::kAssistant, message.text());
    chat.has_images |= message.role == "user" && !message.image_urls().empty();
  }
  chat.has_system_prompt = is_system(read.messages.front());
  // Only what the user said last, and what tools answered to it, makes a turn; a request that ends with the assistant's
  // own words has the model go on with them.
  if (last_user < read.messages.size() &&
      (last_user + 1 == read.messages.size() || read.messages.back().role == "tool")) {
    chat.message = text_with_images(read.messages[last_user]);
    chat.messages_since = read.messages.size() - last_user - 1;
    read_tools(read.messages, last_user + 1, chat);
  }
  for (const auto& tool : read.tools) chat.tool_names.push_back(name_of_tool(tool));
  chat.request = Json::parse(http.body, nullptr, false);  // it has been read once: it is an object
  PANDORA_TRY(wanted, wants_our_tools(http, chat));
  chat.takes_our_tools = wanted && leaves_room_for_tools(chat.request);
  chat.request.erase("model");
  chat.request.erase("stream_options");
  // vLLM refuses an empty list of tools.
  if (const auto tools = chat.request.find("tools"); tools != chat.request.end() && tools->empty()) {
    chat.request.erase(tools);
    chat.request.erase("tool_choice");
  }
  return chat;
}

PassedOnRequest ClientChat::compose(const GatherSection& gathered, const std::vector<OwnRounds>& rounds,
                                    const std::vector<ToolDefinition>& tools) const {
  if (untouched) return *untouched;
  // A server's own model gets memory, and no role of ours.
  const bool as_pandora = model == kPandoraModel && !has_system_prompt && memory != ClientMemory::kOff;
  const std::string ours = as_pandora ? system_prompt(gathered) : memory_prompt(gathered);
  PassedOnRequest passed;
  passed.streams = streams;
  passed.has_temperature = request.contains("temperature") && !request["temperature"].is_null();
  passed.has_max_tokens = request.contains("max_tokens") || request.contains("max_completion_tokens");
  if (ours.empty() && rounds.empty() && tools.empty()) {
    passed.body = dump_json(request);
    return passed;
  }
  Json with_ours = request;
  Json& messages = with_ours["messages"];
  const std::size_t since = messages.size() - messages_since;            // the first behind the user's message
  for (auto round = rounds.rbegin(); round != rounds.rend(); ++round) {  // from the last, so that places hold
    const auto at = static_cast<std::ptrdiff_t>(since + std::min(round->after, messages_since));
    Json inner = Json::array();
    for (const auto& one : round->messages) inner.push_back(to_openai(one));
    messages.insert(messages.begin() + at, inner.begin(), inner.end());
  }
  for (const auto& tool : tools) with_ours["tools"].push_back(to_openai(tool));
  if (ours.empty()) {
    // The messages stand as they are.
  } else if (!has_system_prompt) {
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", ours}});
  } else if (Json& content = messages.front()["content"]; content.is_array()) {
    content.push_back({{"type", "text"}, {"text", ours}});
  } else {
    content = (content.is_string() ? content.get<std::string>() + "\n\n" : std::string()) + ours;
  }
  passed.body = dump_json(with_ours);
  return passed;
}

}  // namespace pandora
