#include "gateway/looped_reply.h"

#include <utility>

namespace pandora {

void LoopedReply::begin_call() {
  spoken_.begin_call();
  calls_.clear();
  client_calls_ = 0;
  last_ = Json();
}

void LoopedReply::add_usage(Json& chunk) {
  const auto found = chunk.find("usage");
  if (found == chunk.end()) return;
  if (found->is_object()) {
    if (usage_.is_null()) usage_ = Json::object();
    for (const auto& [name, value] : found->items()) {
      const bool adds = value.is_number_integer() && usage_.contains(name) && usage_[name].is_number_integer();
      usage_[name] = adds ? Json(usage_[name].get<std::int64_t>() + value.get<std::int64_t>()) : value;
    }
  }
  chunk.erase("usage");
}

void LoopedReply::take_text(Json& delta, bool is_last) {
  std::string text;
  if (const auto content = delta.find("content"); content != delta.end() && content->is_string())
    text = spoken_.add(content->get_ref<const std::string&>());
  if (is_last) text += spoken_.end_call();
  if (!text.empty())
    delta["content"] = std::move(text);
  else if (!delta.contains("role"))
    delta.erase("content");
  else
    delta["content"] = "";
}

void LoopedReply::take_calls(Json& delta) {
  const auto given = delta.find("tool_calls");
  if (given == delta.end()) return;
  Json passed = Json::array();
  if (given->is_array()) {
    for (auto& piece : *given) {
      if (!piece.is_object()) continue;
      Call& call = calls_[piece.value("index", 0)];
      if (call.whose == Whose::kUnknown) {
        const Json::json_pointer at("/function/name");
        const std::string name =
            piece.contains(at) && piece[at].is_string() ? piece[at].get<std::string>() : std::string();
        if (!name.empty()) {
          call.whose = client_tools_.contains(name) ? Whose::kClient : Whose::kOurs;
          if (call.whose == Whose::kClient) call.index = client_calls_++;
        }
      }
      if (call.whose == Whose::kOurs) continue;
      call.waiting.push_back(std::move(piece));
      if (call.whose == Whose::kUnknown) continue;
      for (auto& waiting : call.waiting) {
        waiting["index"] = call.index;
        passed.push_back(std::move(waiting));
      }
      call.waiting.clear();
    }
  }
  if (passed.empty())
    delta.erase("tool_calls");
  else
    delta["tool_calls"] = std::move(passed);
}

Json LoopedReply::pass(Json chunk) {
  add_usage(chunk);
  const auto choices = chunk.find("choices");
  if (choices == chunk.end() || !choices->is_array() || choices->empty()) return {};
  if (id_.is_null()) {
    id_ = chunk.value("id", Json());
    created_ = chunk.value("created", Json());
  } else {
    chunk["id"] = id_;
    chunk["created"] = created_;
  }
  Json& choice = (*choices)[0];
  if (!choice.is_object()) return {};
  Json delta = choice.contains("delta") && choice["delta"].is_object() ? choice["delta"] : Json::object();
  const bool is_last = choice.contains("finish_reason") && choice["finish_reason"].is_string();
  if (delta.contains("role") && std::exchange(gave_role_, true)) delta.erase("role");
  take_text(delta, is_last);
  take_calls(delta);
  frame_ = chunk;
  frame_.erase("choices");
  if (is_last) {
    last_ = chunk;
    last_["choices"][0]["delta"] = Json::object();
    choice["finish_reason"] = Json();
  }
  if (delta.empty()) return {};
  choice["delta"] = std::move(delta);
  return chunk;
}

std::vector<Json> LoopedReply::finish() {
  std::vector<Json> chunks;
  if (frame_.is_null()) return chunks;
  const auto chunk = [&](Json delta) {
    Json made = frame_;
    made["choices"] = Json::array();
    made["choices"].push_back({{"index", 0}, {"delta", std::move(delta)}, {"finish_reason", Json()}});
    return made;
  };
  if (const std::string rest = spoken_.end_call(); !rest.empty()) chunks.push_back(chunk({{"content", rest}}));
  Json end = last_.is_null() ? chunk(Json::object()) : std::move(last_);
  Json& reason = end["choices"][0]["finish_reason"];
  // An end for the sake of tools of ours is none for the client.
  if (client_calls_ > 0)
    reason = "tool_calls";
  else if (!reason.is_string() || reason == "tool_calls")
    reason = "stop";
  chunks.push_back(std::move(end));
  last_ = Json();
  return chunks;
}

}  // namespace pandora
