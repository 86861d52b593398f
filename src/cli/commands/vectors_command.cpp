#include "cli/commands/vectors_command.h"

#include <algorithm>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <malloc.h>

#include "cli/installation.h"
#include "cli/terminal/output.h"
#include "cli/terminal/stop_signals.h"
#include "vectors/server.h"

namespace pandora {
namespace {

constexpr int kLargestInHeap = 32 << 20;  // glibc's most
constexpr int kKeptFree = 64 << 20;       // of the heap's end, while writes go on

Result<std::string> directory_of(const Config& config, const VectorsCommand& command) {
  if (!command.directory.empty()) return command.directory;
  if (const std::string& path = config.string("vectors.path"); !path.empty()) return path;
  PANDORA_TRY(paths, data_paths(config));
  return join_path(paths.root, "vectors");
}

Status serve_until_told(const Config& config, const VectorsCommand& command, bool json) {
  // One heap for all threads: of others glibc gives back nothing, and each would stay as large as the largest bodies.
  // What is in no use of this one goes back when writes have ended (vectors/engine.h).
  (void)::mallopt(M_ARENA_MAX, 1);
  // Until then it stays: to ask the system for a body's memory, and give it back, costs as much as to read the body.
  (void)::mallopt(M_MMAP_THRESHOLD, kLargestInHeap);
  (void)::mallopt(M_TRIM_THRESHOLD, kKeptFree);
  const sigset_t signals = hold_stop_signals();
  const auto files = make_posix_file_system();
  SystemRandom random;
  const SystemClock clock;
  PANDORA_TRY(directory, directory_of(config, command));
  PANDORA_TRY(engine, qdrant::Engine::open(directory, *files, clock, random));
  // Searches run where they were read, so there is one such thread a processor.
  IoThreads threads(clock, static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U)));
  qdrant::VectorsOptions options;
  options.server.address = config.string("vectors.address");
  options.server.port = static_cast<std::uint16_t>(config.integer("vectors.port"));
  options.api_key = config.string("vectors.api_key");
  options.read_only_api_key = config.string("vectors.read_only_api_key");
  if (!options.api_key.empty()) options.server.beyond_loopback = BeyondLoopback::kKeysAreConfigured;
  PANDORA_TRY(server, qdrant::VectorsServer::open(std::move(options), *engine, threads, random));
  if (json)
    print_out(fmt::format("{{\"url\":\"{}\"}}\n", server->http().url()));
  else
    print_error(fmt::format("Pandora listens: {} is the URL for any client of Qdrant's REST API. Ctrl-C ends.\n",
                            server->http().url()));
  flush_output();
  if (output_failed()) return {};  // nobody learns where it is; finish_output() says why
  wait_for(signals);
  end_at_next(signals);
  const Duration patience = std::chrono::milliseconds(config.integer("gateway.drain_ms"));
  if (const Status drained = server->http().drain(Deadline::after(clock, patience)); !drained)
    print_error(fmt::format("pandora: {}\n", drained.error().message));
  return {};
}

}  // namespace

void add_vectors_command(CLI::App& app, std::map<std::string, std::string>& settings, VectorsCommand& command) {
  CLI::App* vectors = app.add_subcommand("vectors", "Qdrant's REST API on 127.0.0.1:6333, over our own engine");
  const auto setting = [&](const char* flag, const char* key, const char* help) {
    vectors
        ->add_option_function<std::string>(
            flag, [&settings, key](const std::string& value) { settings[key] = value; }, help)
        ->type_name("");
  };
  setting("--host", "vectors.address", "address to listen on (PANDORA_VECTORS_ADDRESS; 127.0.0.1)");
  setting("--port", "vectors.port", "its port; 0: any free one (PANDORA_VECTORS_PORT; 6333)");
  vectors->add_option("--data", command.directory, "where collections are (PANDORA_VECTORS_PATH; <data>/vectors)")
      ->type_name("");
  add_vectors_transfer(*vectors, command.transfer);
  command.parsed = vectors;
}

int run_vectors(const Config& config, const VectorsCommand& command, bool json) {
  if (command.transfer.import->parsed()) return import_vectors(config, command.transfer, json);
  if (command.transfer.export_lines->parsed()) return export_vectors(config, command.transfer);
  const Status served = serve_until_told(config, command, json);
  return served ? 0 : report(served.error());
}

}  // namespace pandora
