// Requests that are being answered, so that they can be cancelled. Thread-safe.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "wire/json_reader.h"

namespace pandora {

class McpCallState {
 public:
  bool cancelled() const { return cancelled_; }

 private:
  friend class CallsUnderWay;
  std::atomic<bool> cancelled_ = false;
  std::function<void()> when_cancelled_;  // at most once, without a lock
};

class CallsUnderWay {
 public:
  // `owner` is who may cancel it: a connection, or a user and a session. Null: one of that id is under way.
  std::shared_ptr<McpCallState> begin(const std::string& owner, const Json& id, std::function<void()> when_cancelled);
  void end(const std::string& owner, const Json& id);
  bool cancel(const std::string& owner, const Json& id);  // whether it is under way here; it may have ended
  void cancel_all(const std::string& owner);
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, std::shared_ptr<McpCallState>>> calls_;  // by owner, then by id
};

}  // namespace pandora
