// A service whose operations are functions of the test.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "service/service.h"
#include "wire/json_reader.h"

namespace pandora::testing {

class ScriptedService final : public Service {
 public:
  using Run = std::function<Result<Json>(const Json& arguments)>;
  ScriptedService& on(const std::string& operation, Run run) {
    operations_[operation] = std::move(run);
    return *this;
  }
  Result<std::string> call(const ServiceCall& call, CallObserver&, const Deadline&) override {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call);
    }
    const auto found = operations_.find(call.operation);
    if (found == operations_.end()) return fail(ErrorCode::kNotFound, "no operation " + call.operation);
    PANDORA_TRY(result, found->second(Json::parse(call.arguments)));
    return dump_json(result);
  }
  std::vector<ServiceCall> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::map<std::string, Run> operations_;
  mutable std::mutex mutex_;
  std::vector<ServiceCall> calls_;
};

}  // namespace pandora::testing
