#include "support/scripted_process_runner.h"

#include <csignal>

namespace pandora::testing {
namespace {

constexpr auto kLook = std::chrono::milliseconds(1);  // between two looks at a clock, in real time
constexpr int kFirstPid = 1'000;

Status check(const Command& command) {
  const auto wrong = [](const std::string& what) { return fail(ErrorCode::kInvalidArgument, what); };
  const auto clean = [](const std::string& text) { return text.find('\0') == std::string::npos; };
  if (command.arguments.empty() || command.arguments[0].empty()) return wrong("no program is named");
  for (const auto& argument : command.arguments)
    if (!clean(argument)) return wrong("a NUL byte in an argument");
  for (const auto& [name, value] : command.environment)
    if (name.empty() || name.find('=') != std::string::npos || !clean(name) || !clean(value))
      return wrong("a variable that is none");
  if (!clean(command.directory)) return wrong("a NUL byte in the directory");
  if (command.input.size() <= kMaxCommandInput) return {};
  return fail(ErrorCode::kTooLarge, "too much input");
}

}  // namespace

class ScriptedProcess final : public Process {
 public:
  ScriptedProcess(std::shared_ptr<ScriptedProcessRunner::Program> program, int pid)
      : program_(std::move(program)), pid_(pid) {}
  int pid() const override { return pid_; }
  Status signal(int number) override {
    const std::lock_guard lock(program_->mutex_);
    if (program_->status_) return fail(ErrorCode::kNotFound, "the process has ended");
    if (program_->signal_ == 0) program_->signal_ = number;
    program_->changed_.notify_all();
    return {};
  }
  Status signal_all(int number) override { return signal(number); }  // it has started nothing
  Result<std::optional<ExitStatus>> wait(const Deadline& deadline) override {
    std::unique_lock lock(program_->mutex_);
    while (!program_->status_ && !deadline.expired()) program_->changed_.wait_for(lock, kLook);
    return program_->status_;
  }

 private:
  std::shared_ptr<ScriptedProcessRunner::Program> program_;
  const int pid_;
};

void ScriptedProcessRunner::Program::print(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (log_) return log_(text);
  out_ += text;
  if (out_.size() > kMaxCommandOutput) too_large_ = true;
  changed_.notify_all();
}
void ScriptedProcessRunner::Program::print_error(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (log_) return log_(text);
  err_ += text;
  if (err_.size() > kMaxCommandOutput) too_large_ = true;
  changed_.notify_all();
}
int ScriptedProcessRunner::Program::signalled() const {
  const std::lock_guard lock(mutex_);
  return signal_;
}
int ScriptedProcessRunner::Program::wait_for_signal() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return signal_ != 0; });
  return signal_;
}

ScriptedProcessRunner::~ScriptedProcessRunner() {
  for (auto& program : started_) {
    {
      const std::lock_guard lock(program->mutex_);
      if (program->signal_ == 0) program->signal_ = SIGKILL;
      program->changed_.notify_all();
    }
    program->thread_.join();
  }
}

void ScriptedProcessRunner::add(const std::string& name, Main main) { programs_[name] = std::move(main); }
void ScriptedProcessRunner::add_directory(const std::string& path) { directories_.insert(path); }

std::vector<Command> ScriptedProcessRunner::commands() const {
  const std::lock_guard lock(mutex_);
  return commands_;
}
std::string ScriptedProcessRunner::log(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = logs_.find(path);
  return found == logs_.end() ? "" : found->second;
}

Result<std::shared_ptr<ScriptedProcessRunner::Program>> ScriptedProcessRunner::begin(
    const Command& command, std::function<void(std::string_view)> log) {
  PANDORA_CHECK(check(command));
  const auto main = programs_.find(command.arguments[0]);
  if (main == programs_.end()) return fail(ErrorCode::kNotFound, "there is no program " + command.arguments[0]);
  if (!command.directory.empty() && !directories_.contains(command.directory))
    return fail(ErrorCode::kNotFound, "there is no directory " + command.directory);
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(command);
  }
  auto program = std::make_shared<Program>();
  program->command_ = command;
  program->log_ = std::move(log);
  program->thread_ = std::thread([body = main->second, one = program.get()] {
    const int code = body(*one);
    const std::lock_guard lock(one->mutex_);
    one->status_ = ExitStatus{one->signal_ != 0 ? 128 + one->signal_ : code};
    one->changed_.notify_all();
  });
  return program;
}

Result<CommandOutput> ScriptedProcessRunner::run(const Command& command, const Deadline& deadline) {
  PANDORA_CHECK(check(command));
  PANDORA_CHECK(deadline.check("running " + command.arguments[0]));
  PANDORA_TRY(program, begin(command, nullptr));
  Status status;
  {
    std::unique_lock lock(program->mutex_);
    while (status && !program->status_) {
      program->changed_.wait_for(lock, kLook);
      if (program->too_large_)
        status = fail(ErrorCode::kTooLarge, command.arguments[0] + " says too much");
      else if (!program->status_)
        status = deadline.check("running " + command.arguments[0]);
    }
    if (program->too_large_) status = fail(ErrorCode::kTooLarge, command.arguments[0] + " says too much");
    if (!status) program->signal_ = SIGKILL;
    program->changed_.notify_all();
  }
  program->thread_.join();
  PANDORA_CHECK(status);
  return CommandOutput{*program->status_, std::move(program->out_), std::move(program->err_)};
}

Result<std::unique_ptr<Process>> ScriptedProcessRunner::start(const Command& command, const std::string& log_path) {
  PANDORA_TRY(program, begin(command, [this, log_path](std::string_view text) {
                const std::lock_guard lock(mutex_);
                logs_[log_path] += text;
              }));
  const std::lock_guard lock(mutex_);
  logs_[log_path];
  started_.push_back(program);
  return std::make_unique<ScriptedProcess>(program, kFirstPid + static_cast<int>(started_.size()));
}

}  // namespace pandora::testing
