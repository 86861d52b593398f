#include "metrics/process_samples.h"

#include <charconv>
#include <cstdio>
#include <memory>

#include <dirent.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace pandora {
namespace {

constexpr std::size_t kMaxProcFile = 8'192;

std::string read_file(const char* path) {
  std::string text(kMaxProcFile, '\0');
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), std::fclose);
  text.resize(file ? std::fread(text.data(), 1, text.size(), file.get()) : 0);
  return text;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (end > at) found.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return found;
}

double number(std::string_view word) {
  double value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

std::size_t count_entries(const char* directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory), ::closedir);
  std::size_t count = 0;
  while (open && ::readdir(open.get())) ++count;
  return count;
}

// Seconds since 1970 at which the machine was started.
double boot_time() {
  const std::string text = read_file("/proc/stat");
  const std::size_t at = text.find("\nbtime ");
  return at == std::string::npos ? 0 : number(words(std::string_view(text).substr(at + 7)).front());
}

}  // namespace

void add_process_samples(std::vector<Sample>& samples) {
  const auto add = [&](const char* name, const char* help, SampleType type, double value) {
    samples.push_back({name, help, type, {}, value});
  };
  using enum SampleType;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto of = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    add("process_cpu_seconds_total", "Processor time", kCounter, of(usage.ru_utime) + of(usage.ru_stime));
  }
  // The name, in brackets, may hold spaces: what is counted begins behind it.
  const std::string stat = read_file("/proc/self/stat");
  const std::size_t behind_name = stat.rfind(')');
  const auto fields = words(std::string_view(stat).substr(std::min(stat.size(), behind_name + 1)));
  constexpr std::size_t kThreads = 17, kStart = 19, kVirtual = 20, kResident = 21;  // proc(5), less 3
  if (fields.size() > kResident) {
    add("process_threads", "Threads", kGauge, number(fields[kThreads]));
    add("process_virtual_memory_bytes", "Address space in use", kGauge, number(fields[kVirtual]));
    add("process_resident_memory_bytes", "Memory in use", kGauge,
        number(fields[kResident]) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    add("process_start_time_seconds", "When it was started, in seconds since 1970", kGauge,
        boot_time() + number(fields[kStart]) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  }
  constexpr std::size_t kNoFiles = 3;  // ".", "..", and the listing itself
  const std::size_t files = count_entries("/proc/self/fd");
  if (files > kNoFiles)
    add("process_open_fds", "Open files and sockets", kGauge, static_cast<double>(files - kNoFiles));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    add("process_max_fds", "Open files and sockets at most", kGauge, static_cast<double>(limit.rlim_cur));
}

void add_disk_samples(const std::string& directory, std::string_view volume, std::vector<Sample>& samples) {
  struct statvfs found{};
  if (::statvfs(directory.c_str(), &found) != 0) return;
  samples.push_back({"pandora_disk_free_bytes",
                     "Room for this user on the file system",
                     SampleType::kGauge,
                     {{"volume", std::string(volume)}},
                     static_cast<double>(found.f_bavail) * static_cast<double>(found.f_frsize)});
}

}  // namespace pandora
