// What the commands about a stack have in common: its folder, the Engine, and that only one changes it at a time.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cli/terminal/terminal.h"
#include "net/io_threads.h"
#include "stack/sight.h"

namespace pandora {

// From then on no other command changes the instance in that folder. kConflict: another is at it.
Result<std::unique_ptr<FileLock>> hold_instance(FileSystem& files, const std::string& state_directory,
                                                const std::string& name, const std::string& command);

class StackSession {
 public:
  // An open folder; no Engine yet. kNotFound: no instance is there.
  static Result<std::unique_ptr<StackSession>> open(const std::string& directory,
                                                    const std::vector<std::string>& profiles);
  // From now on no other command changes this instance, until the session ends. kConflict: another is at it.
  Status hold(const std::string& command);
  Result<DockerEngine*> engine();
  Result<StackSight> look();

  const StackFolder& folder() const { return folder_; }
  FileSystem& files() { return *files_; }
  ProcessRunner& runner() { return *runner_; }
  HttpClient& http() { return *http_; }
  const Clock& clock() const { return clock_; }
  // With its password where one is needed; none: it is not asked from here, or has no port.
  std::unique_ptr<HealthProbe> probe_of(const std::string& service);

 private:
  StackSession() = default;
  const SystemClock clock_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<ProcessRunner> runner_;
  std::unique_ptr<FileLock> lock_;
  StackFolder folder_;
  std::unique_ptr<IoThreads> threads_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<DockerEngine> engine_;
};

}  // namespace pandora
