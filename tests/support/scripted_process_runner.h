// A process runner whose programs are functions of the test, each on a thread of its own, as ports/process_runner.h
// promises.
//
// Nothing of the machine is touched: directories and log files are names in the object. Thread-safe once the programs
// are added. A started program is killed, at the latest, when the runner goes.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "ports/process_runner.h"

namespace pandora::testing {

class ScriptedProcessRunner final : public ProcessRunner {
 public:
  // What a program sees and does. A program that runs long must look at `signalled` and then end.
  class Program {
   public:
    const Command& command() const { return command_; }
    void print(std::string_view text);
    void print_error(std::string_view text);
    int signalled() const;  // the number of a signal; 0: none yet
    int wait_for_signal();  // until there is one

   private:
    friend class ScriptedProcessRunner;
    friend class ScriptedProcess;
    Command command_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string out_, err_;
    std::function<void(std::string_view)> log_;  // of a started one
    int signal_ = 0;
    bool too_large_ = false;
    std::optional<ExitStatus> status_;
    std::thread thread_;
  };
  using Main = std::function<int(Program&)>;  // gives the exit code; after a signal 128 + its number counts

  ScriptedProcessRunner() = default;
  ~ScriptedProcessRunner() override;
  void add(const std::string& name, Main main);
  void add_directory(const std::string& path);
  std::vector<Command> commands() const;  // that were run or started
  std::string log(const std::string& path) const;

  Result<CommandOutput> run(const Command& command, const Deadline& deadline) override;
  Result<std::unique_ptr<Process>> start(const Command& command, const std::string& log_path) override;

 private:
  Result<std::shared_ptr<Program>> begin(const Command& command, std::function<void(std::string_view)> log);

  std::map<std::string, Main> programs_;
  std::set<std::string> directories_;
  mutable std::mutex mutex_;
  std::vector<Command> commands_;
  std::map<std::string, std::string> logs_;
  std::vector<std::shared_ptr<Program>> started_;
};

}  // namespace pandora::testing
