// The tools of an Orchestrator, over HTTP, as a ToolRunner.
//
// Arguments are checked here already. A call that may have begun is never made again. A caller that leaves, and the
// deadline, end it there too. An Orchestrator that does not answer is kUnavailable and says so. Thread-safe.
#pragma once
#include <map>

#include "net/http_client.h"
#include "ports/tool_runner.h"
#include "tools/argument_schema.h"

namespace pandora {

inline constexpr Duration kOrchestratorConnect = std::chrono::seconds(2);

class RemoteTools final : public ToolRunner {
 public:
  // `url`: "http://127.0.0.1:8090". `catalogue`: what it offers, as this program has it by the same settings.
  // `patience`: for a whole call, its approval included. `secret`: what it asks of its callers, looked up for each
  // call. Client and clock outlive it. kInvalidArgument: a schema that is none.
  using Secret = std::function<Result<std::string>()>;
  static Result<std::unique_ptr<RemoteTools>> create(std::string url, std::vector<ToolDefinition> catalogue,
                                                     Duration patience, Secret secret, HttpClient& client,
                                                     const Clock& clock);
  const std::vector<ToolDefinition>& catalogue() const override { return catalogue_; }
  Result<ToolOutcome> run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) override;

 private:
  RemoteTools(std::string url, std::vector<ToolDefinition> catalogue, Duration patience, Secret secret,
              HttpClient& client, const Clock& clock)
      : url_(std::move(url)),
        catalogue_(std::move(catalogue)),
        patience_(patience),
        secret_(std::move(secret)),
        client_(client),
        clock_(clock) {}
  const std::string url_;
  const std::vector<ToolDefinition> catalogue_;
  std::map<std::string, ArgumentSchema, std::less<>> schemas_;
  const Duration patience_;
  const Secret secret_;
  HttpClient& client_;
  const Clock& clock_;
};

}  // namespace pandora
