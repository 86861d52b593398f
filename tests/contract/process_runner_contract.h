// What ports/process_runner.h promises, for every implementation. An implementation joins by a line in
// double_implementations.cpp; the setup says how each thing that a program does is asked for.
#pragma once
#include "contract/expect.h"
#include "ports/process_runner.h"

namespace pandora {

class ProcessRunnerSetup {
 public:
  virtual ~ProcessRunnerSetup() = default;
  virtual ProcessRunner& runner() = 0;
  virtual Command copies_input() = 0;                                                       // its input to its output
  virtual Command prints_arguments(std::vector<std::string> arguments) = 0;                 // one a line
  virtual Command prints_variable(const std::string& name) = 0;                             // its value, or nothing
  virtual Command prints_directory() = 0;                                                   // where it runs
  virtual Command prints(std::size_t out_bytes, std::size_t err_bytes, int exit_code) = 0;  // "o" and "e"
  virtual Command runs_for_ever() = 0;                        // says "begun" first; ends by any signal
  virtual std::string directory() = 0;                        // that exists
  virtual std::string new_path(const std::string& name) = 0;  // for a log
  virtual std::string read_log(const std::string& path) = 0;
};
std::vector<Implementation<ProcessRunnerSetup>> process_runner_implementations();

}  // namespace pandora
