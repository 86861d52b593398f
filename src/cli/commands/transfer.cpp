#include "cli/commands/transfer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/catch_up.h"
#include "cli/terminal/line_reader.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kBatchLines = 100;  // lines a call: progress, and Ctrl-C, come in between
constexpr std::size_t kBatchBytes = 4u << 20;
constexpr std::size_t kMaxLineBytes =
    kMaxArgumentBytes - kBatchBytes - 4096;  // as JSON in a call; 4096: all that is around it
constexpr std::size_t kMaxShownErrors = 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error cannot_read(const std::string& path, int code) {
  const ErrorCode kind = code == EACCES || code == EPERM ? ErrorCode::kPermissionDenied
                         : code == EISDIR                ? ErrorCode::kInvalidArgument
                         : code == ENOENT                ? ErrorCode::kNotFound
                                                         : ErrorCode::kUnavailable;
  return {kind, fmt::format("cannot read {}: {}", path, std::strerror(code)),
          "name a file of JSON lines, or - for standard input"};
}

// Of a line as a string of JSON: what is no JSON itself may be up to six times as long.
std::size_t escaped_bytes(std::string_view line) {
  std::size_t bytes = line.size() + 3;  // quotes and comma
  for (const char c : line)
    bytes += c == '"' || c == '\\'                   ? 1
             : static_cast<unsigned char>(c) < 0x20  ? 5
             : static_cast<unsigned char>(c) >= 0x80 ? 2
                                                     : 0;
  return bytes;
}

class Import {
 public:
  Import(Service& service, const UserId& user, std::size_t size) : service_(service), user_(user), size_(size) {}

  // Every line up to here is kept, known, or refused by name.
  Status take(LineReader& lines) {
    Line line;
    while (lines.next(line)) {
      ++number_;
      const std::size_t bytes = escaped_bytes(line.text);
      if (line.whole() && bytes <= kMaxLineBytes) {
        if (batch_.empty()) first_ = number_;
        bytes_ += bytes;
        batch_.push_back(std::move(line.text));
      } else {  // its number is not to be that of another line
        PANDORA_CHECK(flush());
        errors_.push_back(
            {{"line", number_},
             {"error", fmt::format("a line of {} bytes, at most {} are taken", line.bytes, kMaxLineBytes)}});
      }
      if (batch_.size() >= kBatchLines || bytes_ >= kBatchBytes) PANDORA_CHECK(flush());
      if (interrupted()) break;
      progress_.show(fmt::format("{} lines imported{}", number_,
                                 size_ == 0 ? "" : fmt::format(", {} %", lines.consumed() * 100 / size_)));
    }
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
    return flush();
  }

  void settle() { pandora::settle(service_, user_, progress_); }
  std::int64_t number() const { return number_; }
  Json result() const { return {{"imported", imported_}, {"known", known_}, {"others", others_}, {"errors", errors_}}; }
  std::string summary() const {
    const std::string others = others_ > 0 ? fmt::format(", {} memories, research, sources and images", others_) : "";
    return fmt::format("{} turns imported{}, {} known already, {} lines refused\n", imported_, others, known_,
                       errors_.size());
  }
  void show_errors() const {
    for (std::size_t i = 0; i < std::min(errors_.size(), kMaxShownErrors); ++i)
      print_error(fmt::format("pandora: line {}: {}\n", errors_[i].value("line", 0), errors_[i].value("error", "")));
    if (errors_.size() > kMaxShownErrors)
      print_error(fmt::format("pandora: and {} more; --json lists all\n", errors_.size() - kMaxShownErrors));
  }
  bool clean() const { return errors_.empty(); }

 private:
  Status flush() {
    if (batch_.empty()) return {};
    const Json arguments = {{"lines", batch_}, {"first_line", first_}};
    PANDORA_TRY(answer, service_.call({"import.turns", user_, dump_json(arguments)}, progress_, Deadline::never()));
    const Json result = Json::parse(answer, nullptr, false);
    imported_ += result.value("imported", 0);
    known_ += result.value("known", 0);
    others_ += result.value("others", 0);
    for (const auto& error : result["errors"]) errors_.push_back(error);
    batch_.clear();
    bytes_ = 0;
    return {};
  }

  Service& service_;
  const UserId& user_;
  const std::size_t size_;
  ProgressObserver progress_;
  std::vector<std::string> batch_;
  std::size_t bytes_ = 0;
  std::int64_t number_ = 0, first_ = 1;
  std::int64_t imported_ = 0, known_ = 0, others_ = 0;
  Json errors_ = Json::array();
};

}  // namespace

int import_turns(Service& service, const UserId& user, const std::string& path, bool json) {
  const Descriptor file(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (file.get() < 0) return report(cannot_read(path, errno));
  if (::fstat(file.get(), &info) == 0 && S_ISDIR(info.st_mode)) return report(cannot_read(path, EISDIR));
  catch_interrupts();
  LineReader lines(file.get(), kMaxLineBytes);
  Import import(service, user, S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) : 0);
  const Status taken = import.take(lines);
  if (!taken)
    return report(Error(taken.error())
                      .with_context(fmt::format("near line {}", import.number()))
                      .with_remedy("run it again: what is known is skipped"));
  if (lines.error() != 0) return report(cannot_read(path, lines.error()));
  import.settle();
  print_out(json ? import.result().dump(2) + "\n" : import.summary());
  import.show_errors();
  return import.clean() ? 0 : error_info(ErrorCode::kInvalidArgument).exit_code;
}

int export_all(Service& service, const UserId& user) {
  catch_interrupts();
  ProgressObserver progress;
  std::string after;
  for (bool end = false; !end && !output_failed();) {
    const auto page = service.call({"export", user, dump_json({{"after", after}})}, progress, Deadline::never());
    if (!page) return report(page.error());
    const Json result = Json::parse(*page, nullptr, false);
    for (const auto& line : result["lines"]) print_out(line.get<std::string>() + "\n");
    if (interrupted()) return report({ErrorCode::kCancelled, "interrupted: the export is not complete", ""});
    after = result.value("after", "");
    end = result.value("end", true);
  }
  return 0;
}

}  // namespace pandora
