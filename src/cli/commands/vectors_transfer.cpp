#include "cli/commands/vectors_transfer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "cli/storage/data_paths.h"
#include "cli/terminal/line_reader.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "net/io_threads.h"
#include "store_server/collection_copy.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 64 * 1024;
constexpr std::size_t kMaxStateBytes = 64 * 1024;
constexpr const char* kStateFormat = "pandora vectors import";
constexpr std::int64_t kStateVersion = 1;
constexpr const char* kAgain = "run it again: it goes on where it was";

Status go_on() { return interrupted() ? Status(fail(ErrorCode::kCancelled, "interrupted", kAgain)) : Status(); }

// The servers of a transfer, and what they are asked through.
class Road {
 public:
  Road(FileSystem& files, const Config& config)
      : files_(files), authorities_(expanded_path(config.string("qdrant.ca"))), threads_(clock_) {}

  Result<std::unique_ptr<QdrantApi>> to(const std::string& url, const std::string& key, const std::string& flag) {
    if (!client_) {
      PANDORA_TRY(client, HttpClient::create({.limits = {}, .ca_file = authorities_, .unix_socket = ""}, threads_));
      client_ = std::move(client);
    }
    return QdrantApi::create({url, key, {}, "the server", fmt::format("give its key with {}", flag)}, *client_);
  }
  // Our own server, as it is configured, unless another is named.
  Result<std::unique_ptr<QdrantApi>> to_ours(const Config& config, const std::string& url, const std::string& key_file,
                                             const std::string& flag) {
    PANDORA_TRY(key, key_in(key_file));
    if (!url.empty()) return to(url, key, flag);
    const std::string& address = config.string("vectors.address");
    const bool anywhere = address == "0.0.0.0" || address == "::";
    const std::string host = anywhere                                 ? "127.0.0.1"
                             : address.find(':') == std::string::npos ? address
                                                                      : "[" + address + "]";
    return to(fmt::format("http://{}:{}", host, config.integer("vectors.port")),
              key_file.empty() ? config.string("vectors.api_key") : key, flag + " or vectors.api_key");
  }
  Result<std::string> key_in(const std::string& file) {
    if (file.empty()) return std::string();
    PANDORA_TRY(text, files_.read_file(expanded_path(file), kMaxKeyFileBytes));
    return std::string(trim(text));
  }

 private:
  FileSystem& files_;
  const std::string authorities_;
  const SystemClock clock_;
  IoThreads threads_;
  std::unique_ptr<HttpClient> client_;
};

Result<std::vector<std::string>> wanted_of(QdrantApi& api, const std::vector<std::string>& asked) {
  PANDORA_TRY(names, collection_names(api, Deadline::never()));
  for (const auto& name : asked)
    if (!std::ranges::binary_search(names, name))
      return fail(ErrorCode::kNotFound, fmt::format("{} has no collection {}", api.shown(), one_line(name)),
                  names.empty() ? "it has none"
                                : fmt::format("it has {}", one_line(fmt::format("{}", fmt::join(names, ", ")))));
  return asked.empty() ? names : asked;
}

// How far an import of one collection came; in a file of its own, so that the next run begins there.
class ImportState {
 public:
  ImportState(FileSystem& files, const std::string& root, const std::string& from, const std::string& to,
              const std::string& collection)
      : files_(files),
        directory_(join_path(root, "vectors-import")),
        of_(fmt::format("{} {} {}", from, to, collection)),
        path_(join_path(directory_, sha256_hex(of_).substr(0, 16) + ".json")) {}

  struct Place {
    std::string next;  // the id to begin with, as JSON; empty: the first
    std::int64_t points = 0;
  };
  Place read() {
    const auto text = files_.read_file(path_, kMaxStateBytes);
    const auto json = text ? parse_json(*text, kMaxStateBytes, path_) : Result<Json>(Json());
    if (!json || !json->is_object() || json->value("format", "") != kStateFormat ||
        json->value("version", std::int64_t{0}) != kStateVersion || json->value("of", "") != of_)
      return {};  // no import, or a torn file: it begins anew, which is right as well
    return {json->value("next", ""), json->value("points", std::int64_t{0})};
  }
  Status write(const Place& place) {
    PANDORA_CHECK(files_.create_directories(directory_));
    return files_.write_atomic(path_,
                               dump_json({{"format", kStateFormat},
                                          {"version", kStateVersion},
                                          {"of", of_},
                                          {"next", place.next},
                                          {"points", place.points}}),
                               Durability::kNow);
  }
  void remove() { (void)files_.remove_file(path_); }  // left behind it costs another run a look

 private:
  FileSystem& files_;
  const std::string directory_, of_, path_;
};

// One collection: made, filled, counted, and then its aliases.
Result<Json> import_one(QdrantApi& from, QdrantApi& to, const std::string& name, ImportState& state,
                        ProgressObserver& progress) {
  const Deadline never = Deadline::never();
  PANDORA_TRY(picture, picture_of(from, name, never));
  PANDORA_TRY(of, count_points(from, name, never));
  PANDORA_TRY(left_out, make_collection(to, picture, never));
  ImportState::Place begin = state.read();
  PANDORA_TRY(there, count_points(to, name, never));
  if (there < begin.points) begin = {};  // it was emptied meanwhile
  const auto show = [&](std::int64_t done, const std::string& next) -> Status {
    const std::int64_t points = begin.points + done;
    progress.show(fmt::format("{}: {} of {} points", one_line(name), points, std::max(of, points)));
    PANDORA_CHECK(state.write({next, points}));
    return go_on();
  };
  PANDORA_CHECK(go_on());
  PANDORA_TRY(copied, copy_points(from, to, name, begin.next, show, never));
  state.remove();
  PANDORA_TRY(source, count_points(from, name, never));
  PANDORA_TRY(target, count_points(to, name, never));
  if (source != target)
    return fail(ErrorCode::kConflict,
                fmt::format("collection {}: {} points at {}, {} at {}", name, source, from.url(), target, to.url()),
                "was one of them written to meanwhile, or had it points before? Run it again");
  PANDORA_CHECK(make_aliases(to, picture, never));
  return Json{{"name", name},
              {"points", target},
              {"copied", copied},
              {"went_on_at", begin.points},
              {"aliases", picture.aliases},
              {"left_out", left_out}};
}

void show_left_out(const std::string& name, const std::vector<std::string>& left_out) {
  for (const auto& what : left_out) print_error(fmt::format("pandora: collection {}: left out: {}\n", name, what));
}

Result<Json> import_from_server(const Config& config, const VectorsTransfer& transfer, FileSystem& files) {
  Road road(files, config);
  PANDORA_TRY(key, road.key_in(transfer.from_key_file));
  PANDORA_TRY(from, road.to(transfer.from, key, "--api-key-file"));
  PANDORA_TRY(to, road.to_ours(config, transfer.to, transfer.to_key_file, "--to-api-key-file"));
  PANDORA_TRY(paths, data_paths(config));
  if (from->url() == to->url())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is both source and target", from->url()), "see --to");
  PANDORA_TRY(names, wanted_of(*from, transfer.collections));
  ProgressObserver progress;
  Json imported = Json::array();
  for (const auto& name : names) {
    ImportState state(files, paths.root, from->url(), to->url(), name);
    PANDORA_TRY(one, import_one(*from, *to, name, state, progress));
    show_left_out(name, one["left_out"].get<std::vector<std::string>>());
    imported.push_back(std::move(one));
  }
  return imported;
}

class InputFile {
 public:
  explicit InputFile(const std::string& path)
      : path_(path), descriptor_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~InputFile() {
    if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  Status opened() const { return descriptor_ >= 0 ? Status() : Status(fail(cannot_read(errno))); }
  LineSource lines() {
    return [this,
            reader = std::make_shared<LineReader>(descriptor_, kMaxLineBytes)]() -> Result<std::optional<std::string>> {
      Line line;
      if (reader->next(line)) {
        if (line.whole()) return std::optional(std::move(line.text));
        return fail(ErrorCode::kTooLarge,
                    fmt::format("a line of {} bytes, at most {} are taken", line.bytes, kMaxLineBytes));
      }
      if (interrupted())
        return fail(ErrorCode::kCancelled, "interrupted", "run it again: what is there is written over");
      if (reader->error() != 0) return fail(cannot_read(reader->error()));
      return std::optional<std::string>();
    };
  }

 private:
  Error cannot_read(int code) const {
    const ErrorCode kind = code == ENOENT                    ? ErrorCode::kNotFound
                           : code == EACCES || code == EPERM ? ErrorCode::kPermissionDenied
                                                             : ErrorCode::kUnavailable;
    return {kind, fmt::format("cannot read {}: {}", path_, std::strerror(code)), "name a file of JSON lines, or -"};
  }
  const std::string path_;
  const int descriptor_;
};

Result<Json> import_from_file(const Config& config, const VectorsTransfer& transfer, FileSystem& files) {
  InputFile file(transfer.file);
  PANDORA_CHECK(file.opened());
  Road road(files, config);
  PANDORA_TRY(to, road.to_ours(config, transfer.to, transfer.to_key_file, "--to-api-key-file"));
  ProgressObserver progress;
  LineImporter importer(*to, file.lines());
  Json imported = Json::array();
  for (;;) {
    const auto show = [&](std::int64_t done, const std::string&) -> Status {
      progress.show(fmt::format("collection {}: {} points", imported.size() + 1, done));
      return go_on();
    };
    PANDORA_TRY(one, importer.next(show, Deadline::never()));
    if (!one) return imported;
    show_left_out(one->name, one->left_out);
    imported.push_back({{"name", one->name}, {"points", one->points}, {"left_out", one->left_out}});
  }
}

Status export_all(const Config& config, const VectorsTransfer& transfer, FileSystem& files) {
  Road road(files, config);
  PANDORA_TRY(from, road.to_ours(config, transfer.from, transfer.from_key_file, "--api-key-file"));
  PANDORA_TRY(names, wanted_of(*from, transfer.collections));
  ProgressObserver progress;
  const auto print = [](std::string_view line) -> Status {
    print_out(line);
    print_out("\n");
    if (output_failed()) return fail(ErrorCode::kCancelled, "nobody takes the lines");
    return {};
  };
  for (const auto& name : names) {
    const auto show = [&](std::int64_t done, const std::string&) -> Status {
      progress.show(fmt::format("{}: {} points", one_line(name), done));
      return interrupted() ? Status(fail(ErrorCode::kCancelled, "interrupted")) : Status();
    };
    const auto exported = export_collection(*from, name, print, show, Deadline::never());
    if (!exported) return fail(exported.error());
  }
  return {};
}

}  // namespace

void add_vectors_transfer(CLI::App& vectors, VectorsTransfer& transfer) {
  vectors.require_subcommand(0, 1);
  const auto option = [](CLI::App* command, const char* flag, std::string& to, const char* help) {
    return command->add_option(flag, to, help)->type_name("");
  };
  CLI::App* import = vectors.add_subcommand(
      "import", "collections of a Qdrant, or of a file, into a running `pandora vectors`; may be run again");
  auto* from = option(import, "--from", transfer.from, "URL of the server to take them from");
  auto* file = option(import, "--file", transfer.file, "lines of `pandora vectors export`; - for standard input");
  from->excludes(file);
  option(import, "--api-key-file", transfer.from_key_file, "file with the key of --from")->needs(from);
  option(import, "--to", transfer.to, "URL of the server to bring them to (vectors.address and vectors.port)");
  option(import, "--to-api-key-file", transfer.to_key_file, "file with its key (vectors.api_key)");
  import->add_option("--collection", transfer.collections, "only this one; may be repeated")
      ->type_name("")
      ->needs(from);
  transfer.import = import;
  CLI::App* lines =
      vectors.add_subcommand("export", "collections of a running `pandora vectors` as JSON lines on stdout");
  option(lines, "--from", transfer.from, "URL of the server to take them from (vectors.address and vectors.port)");
  option(lines, "--api-key-file", transfer.from_key_file, "file with its key (vectors.api_key)");
  lines->add_option("--collection", transfer.collections, "only this one; may be repeated")->type_name("");
  transfer.export_lines = lines;
}

int import_vectors(const Config& config, const VectorsTransfer& transfer, bool json) {
  if (transfer.from.empty() && transfer.file.empty())
    return report({ErrorCode::kInvalidArgument, "nothing is named to import from", "give --from URL or --file FILE"});
  catch_interrupts();
  const auto files = make_posix_file_system();
  const auto imported =
      transfer.file.empty() ? import_from_server(config, transfer, *files) : import_from_file(config, transfer, *files);
  if (!imported) return report(imported.error());
  if (json) {
    print_out(Json{{"collections", *imported}}.dump(2) + "\n");
    return 0;
  }
  std::int64_t points = 0;
  for (const auto& one : *imported) {
    points += one.value("points", std::int64_t{0});
    print_out(fmt::format("{}: {} points\n", visible(one.value("name", "")), one.value("points", std::int64_t{0})));
  }
  print_out(fmt::format("{} collections, {} points\n", imported->size(), points));
  return 0;
}

int export_vectors(const Config& config, const VectorsTransfer& transfer) {
  catch_interrupts();
  const auto files = make_posix_file_system();
  const Status done = export_all(config, transfer, *files);
  return done || output_failed() ? 0 : report(done.error());
}

}  // namespace pandora
