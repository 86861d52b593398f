// `pandora vectors` in a test's own process, on a free port.
#pragma once
#include <memory>
#include <string>

#include "contract/expect.h"
#include "vectors/server.h"

namespace pandora::testing {

class VectorsProcess {
 public:
  VectorsProcess(const std::string& directory, FileSystem& files, IoThreads& threads)
      : engine_(must(qdrant::Engine::open(directory, files, clock_, random_))) {
    qdrant::VectorsOptions options;
    options.server.port = 0;
    server_ = must(qdrant::VectorsServer::open(std::move(options), *engine_, threads, random_));
  }
  std::string url() const { return server_->http().url(); }
  std::uint16_t port() const { return server_->http().port(); }

 private:
  const SystemClock clock_;
  SystemRandom random_;
  const std::unique_ptr<qdrant::Engine> engine_;
  std::unique_ptr<qdrant::VectorsServer> server_;
};

}  // namespace pandora::testing
