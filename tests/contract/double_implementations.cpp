// The doubles of models, tools, probes and processes pass the suites of their ports, as every real one will: one more
// is one more class and one more line below.
#include "contract/chat_model_contract.h"
#include "contract/health_probe_contract.h"
#include "contract/process_runner_contract.h"
#include "contract/tool_runner_contract.h"
#include "metrics/measured_chat_model.h"
#include "support/scripted_health_probe.h"
#include "support/scripted_process_runner.h"
#include "support/scripted_tool_runner.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

class ScriptedChat final : public ChatModelSetup {
 public:
  ChatModel& model() override { return model_; }
  void then(testing::ChatScript script) override { model_.then(std::move(script)); }
  void release() override { model_.release(); }
  bool wait_for_holds(int count) override { return model_.wait_for_holds(count); }

 private:
  const SystemClock clock_;
  testing::ScriptedChatModel model_{clock_};
};

// As the program has its models: what is counted changes nothing.
class MeasuredChat final : public ChatModelSetup {
 public:
  ChatModel& model() override { return *measured_; }
  void then(testing::ChatScript script) override { scripted_->then(std::move(script)); }
  void release() override { scripted_->release(); }
  bool wait_for_holds(int count) override { return scripted_->wait_for_holds(count); }

 private:
  const SystemClock clock_;
  Metrics metrics_{"test"};
  testing::ScriptedChatModel* const scripted_ = new testing::ScriptedChatModel(clock_);
  const std::unique_ptr<ChatModel> measured_ = measured(std::unique_ptr<ChatModel>(scripted_), metrics_, clock_);
};

class ScriptedTools final : public ToolRunnerSetup {
 public:
  ScriptedTools() {
    using Answer = Result<ToolOutcome>;
    const auto argument = [](const ToolCall& call, const char* name) {
      return must(parse_json(call.arguments, 1 << 20, "arguments"))[name];
    };
    tools_.add({"echo", "gives its text", R"({"type": "object", "required": ["text"]})"},
               [argument](const ToolCall& call, const ToolCaller&, const Deadline&) -> Answer {
                 return ToolOutcome{.result = argument(call, "text").get<std::string>()};
               });
    tools_.add({"long", "gives many bytes", R"({"type": "object", "required": ["bytes"]})"},
               [argument](const ToolCall& call, const ToolCaller&, const Deadline&) -> Answer {
                 const auto bytes = argument(call, "bytes").get<std::size_t>();
                 std::string text;
                 while (text.size() < bytes) text += "é";
                 return ToolOutcome{.result = std::move(text)};
               });
    tools_.add({"broken", "fails", R"({"type": "object"})"},
               [](const ToolCall&, const ToolCaller&, const Deadline&) -> Answer {
                 return ToolOutcome{.status = ToolStatus::kFailed, .result = "it broke"};
               });
    tools_.add({"slow", "waits", R"({"type": "object"})"},
               [](const ToolCall&, const ToolCaller&, const Deadline& deadline) -> Answer {
                 PANDORA_CHECK(testing::ScriptedToolRunner::hold(deadline));
                 return ToolOutcome{};
               });
    tools_.add("denied", "never given");
    tools_.refuse("denied");
  }
  ToolRunner& runner() override { return tools_; }

 private:
  testing::ScriptedToolRunner tools_;
};

class ScriptedProbe final : public HealthProbeSetup {
 public:
  HealthProbe& probe() override { return probe_; }
  void make_ready() override { probe_.answer(HealthState::kReady); }
  void make_down() override { probe_.answer(HealthState::kDown, "connection refused"); }
  void make_hang() override { probe_.hang(); }

 private:
  const SystemClock clock_;
  testing::ScriptedHealthProbe probe_{"dependency", clock_};
};

class ScriptedProcesses final : public ProcessRunnerSetup {
 public:
  ScriptedProcesses() {
    using Program = testing::ScriptedProcessRunner::Program;
    runner_.add_directory("/somewhere");
    runner_.add("copy", [](Program& program) {
      program.print(program.command().input);
      return 0;
    });
    runner_.add("arguments", [](Program& program) {
      for (std::size_t i = 1; i < program.command().arguments.size(); ++i)
        program.print(program.command().arguments[i] + "\n");
      return 0;
    });
    runner_.add("variable", [](Program& program) {
      const auto& variables = program.command().environment;
      const auto found = variables.find(program.command().arguments.at(1));
      if (found != variables.end()) program.print(found->second);
      return 0;
    });
    runner_.add("directory", [](Program& program) {
      program.print(program.command().directory);
      return 0;
    });
    runner_.add("print", [](Program& program) {
      const auto number = [&](std::size_t i) { return std::stoul(program.command().arguments.at(i)); };
      program.print(std::string(number(1), 'o'));
      program.print_error(std::string(number(2), 'e'));
      return static_cast<int>(number(3));
    });
    runner_.add("forever", [](Program& program) {
      program.print("begun");
      return program.wait_for_signal();
    });
  }
  ProcessRunner& runner() override { return runner_; }
  Command copies_input() override { return {.arguments = {"copy"}}; }
  Command prints_arguments(std::vector<std::string> arguments) override {
    arguments.insert(arguments.begin(), "arguments");
    return {.arguments = std::move(arguments)};
  }
  Command prints_variable(const std::string& name) override { return {.arguments = {"variable", name}}; }
  Command prints_directory() override { return {.arguments = {"directory"}}; }
  Command prints(std::size_t out_bytes, std::size_t err_bytes, int exit_code) override {
    return {.arguments = {"print", std::to_string(out_bytes), std::to_string(err_bytes), std::to_string(exit_code)}};
  }
  Command runs_for_ever() override { return {.arguments = {"forever"}}; }
  std::string directory() override { return "/somewhere"; }
  std::string new_path(const std::string& name) override { return name; }
  std::string read_log(const std::string& path) override { return runner_.log(path); }

 private:
  testing::ScriptedProcessRunner runner_;
};

}  // namespace

std::vector<Implementation<ChatModelSetup>> chat_model_implementations() {
  return {{"Scripted", [] { return std::make_unique<ScriptedChat>(); }},
          {"Measured", [] { return std::make_unique<MeasuredChat>(); }}};
}
std::vector<Implementation<ToolRunnerSetup>> tool_runner_implementations() {
  auto all = tool_registry_implementations();
  all.push_back({"Scripted", [] { return std::make_unique<ScriptedTools>(); }});
  return all;
}
std::vector<Implementation<HealthProbeSetup>> health_probe_implementations() {
  return {{"Scripted", [] { return std::make_unique<ScriptedProbe>(); }}};
}
std::vector<Implementation<ProcessRunnerSetup>> process_runner_implementations() {
  return {{"Scripted", [] { return std::make_unique<ScriptedProcesses>(); }}};
}

}  // namespace pandora
