#include "embed/model_files.h"

#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/hash.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxManifestBytes = 1 << 20;
constexpr std::string_view kFetch = "run scripts/fetch_weights --force";  // with --model, where that is known

// A model's directory has its name.
std::string fetch_of(const std::string& directory) {
  const auto last = directory.find_last_not_of('/');
  const std::string path = directory.substr(0, last == std::string::npos ? 0 : last + 1);
  return "run scripts/fetch_weights --model " + path.substr(path.rfind('/') + 1);
}

// A change that follows the stamp within this time may leave the file's time of change as it was: clocks of file
// systems tick coarsely. A stamp that is not later than that is not believed.
constexpr std::int64_t kStampAfter = 1'000'000'000;  // nanoseconds

// What tells that a file is still the one that was hashed.
std::string stamp_of(const struct stat& info, const std::string& sha256) {
  return fmt::format("{} {} {} {}.{:09}\n", sha256, info.st_size, info.st_ino, info.st_ctim.tv_sec,
                     info.st_ctim.tv_nsec);
}

std::int64_t nanoseconds(const struct timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

bool was_verified(const struct stat& info, const std::string& stamp, const std::string& stamp_path) {
  struct stat stamped{};
  if (::stat(stamp_path.c_str(), &stamped) != 0) return false;
  if (nanoseconds(stamped.st_mtim) - nanoseconds(info.st_ctim) < kStampAfter) return false;
  return make_posix_file_system()->read_file(stamp_path, kMaxManifestBytes).value_or("") == stamp;
}

Result<ModelManifest> parse_manifest(const std::string& text) {
  PANDORA_TRY(json, parse_json(text, kMaxManifestBytes, "manifest.json"));
  JsonReader in(json, "manifest");
  ModelManifest manifest;
  manifest.name = in.text("name");
  manifest.revision = in.text("revision");
  for (const auto& [name, target] : {std::pair{"layers", &manifest.layers},
                                     {"heads", &manifest.heads},
                                     {"hidden", &manifest.hidden},
                                     {"intermediate", &manifest.intermediate},
                                     {"window", &manifest.window}}) {
    const auto value = in.integer(name);
    if (in.ok() && (value < 1 || value > 65'536)) in.fault(name, "is out of bounds");
    *target = static_cast<std::size_t>(value);
  }
  const std::string pooling = in.text("pooling");
  if (in.ok() && pooling != "first" && pooling != "mean") in.fault("pooling", "must be first or mean");
  manifest.mean_pooling = pooling == "mean";
  manifest.question_prefix = in.text("question_prefix");
  manifest.passage_prefix = in.text("passage_prefix");
  if (const Json* files = in.object("files"))
    for (const auto& [name, entry] : files->items()) {
      JsonReader file(entry, "manifest.files." + name);
      manifest.files[name] = {static_cast<std::uint64_t>(file.integer("size")), file.text("sha256")};
      (void)file.optional_text("header_sha256");
      in.absorb(file.finish());
    }
  (void)in.text("licence");
  if (in.integer("dimension") != static_cast<std::int64_t>(manifest.hidden))
    in.fault("dimension", "must be that of the hidden layers");
  if (in.ok() && (manifest.hidden % manifest.heads != 0 || manifest.window < 4))
    in.fault("heads", "do not divide hidden");
  PANDORA_CHECK(in.finish());
  return manifest;
}

}  // namespace

Result<ModelManifest> read_manifest(const std::string& directory) {
  const auto files = make_posix_file_system();
  auto text = files->read_file(directory + "/manifest.json", kMaxManifestBytes);
  if (!text && text.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kNotFound, fmt::format("there are no encoder weights in {}", directory),
                fetch_of(directory) + ", or set encoder.model = \"hashing\"");
  if (!text) return fail(std::move(text).error());
  auto manifest = parse_manifest(*text);
  if (!manifest)
    return fail(std::move(manifest).error().with_context(directory).with_remedy(fetch_of(directory) + " --force"));
  return manifest;
}

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& directory, const std::string& name,
                                                     const ModelManifest& manifest) {
  const std::string path = directory + "/" + name, remedy = fetch_of(directory) + " --force";
  const auto expected = manifest.files.find(name);
  if (expected == manifest.files.end())
    return fail(ErrorCode::kDataCorrupt, fmt::format("{}/manifest.json does not name {}", directory, name), remedy);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const ErrorCode code = errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kPermissionDenied;
    return fail(code, fmt::format("cannot open {}: {}", path, std::strerror(errno)), remedy);
  }
  const auto other = [&] {
    return fail(ErrorCode::kIncompatible, fmt::format("{} is not the file that its manifest names", path), remedy);
  };
  struct stat info{};
  const bool known = ::fstat(descriptor, &info) == 0;
  const auto size = static_cast<std::size_t>(info.st_size);
  if (known && (size != expected->second.bytes || size == 0)) {
    ::close(descriptor);
    return other();
  }
  void* data = known ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
  const int error = errno;
  ::close(descriptor);
  if (data == MAP_FAILED)
    return fail(ErrorCode::kUnavailable, fmt::format("cannot map {}: {}", path, std::strerror(error)));
  std::unique_ptr<MappedFile> file(new MappedFile(static_cast<const char*>(data), size));

  const std::string stamp = stamp_of(info, expected->second.sha256), stamp_path = path + ".verified";
  if (was_verified(info, stamp, stamp_path)) return file;
  if (sha256_hex(file->bytes()) != expected->second.sha256) return other();
  // A cache that cannot be written is only slower.
  (void)make_posix_file_system()->write_atomic(stamp_path, stamp, Durability::kDeferred);
  return file;
}

void MappedFile::forget_pages() const { ::madvise(const_cast<char*>(data_), size_, MADV_DONTNEED); }

MappedFile::~MappedFile() { ::munmap(const_cast<char*>(data_), size_); }

Result<Tensors> Tensors::parse(std::string_view bytes) {
  const auto wrong = [](std::string what) {
    return fail(ErrorCode::kDataCorrupt, "model.safetensors: " + what, std::string(kFetch));
  };
  std::uint64_t header_size = 0;
  if (bytes.size() < sizeof header_size) return wrong("too short");
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  if (header_size > bytes.size() - sizeof header_size) return wrong("its header is cut off");
  PANDORA_TRY(header, parse_json(bytes.substr(sizeof header_size, header_size), bytes.size(), "model.safetensors"));
  const std::string_view data = bytes.substr(sizeof header_size + header_size);
  Tensors tensors;
  if (!header.is_object() || header_size % alignof(float) != 0) return wrong("its header makes no sense");
  const auto is = [](const Json& object, const char* name, const char* value) {
    return object.is_object() && object.contains(name) && object[name] == value;
  };
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      tensors.linear_in_out_ = is(entry, "linear_layout", "in_out");
      continue;
    }
    if (!is(entry, "dtype", "F32")) continue;  // tables of positions, as some tools write them
    const Json offsets = entry.value("data_offsets", Json());
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      return wrong(name + " has no place in the file");
    const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > data.size() || begin % alignof(float) != 0)
      return wrong(name + " lies outside of the file");
    tensors.tensors_[name] = {reinterpret_cast<const float*>(data.data() + begin), (end - begin) / sizeof(float)};
  }
  return tensors;
}

Result<std::span<const float>> Tensors::find(const std::string& name, std::size_t values) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end() && found->second.size() == values) return found->second;
  return fail(ErrorCode::kDataCorrupt, fmt::format("model.safetensors has no tensor {} of {} values", name, values),
              std::string(kFetch));
}

Result<std::span<const float>> Tensors::find_table(const std::string& name, std::size_t rows, std::size_t width) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end() && found->second.size() >= rows * width && found->second.size() % width == 0)
    return found->second;
  return fail(ErrorCode::kDataCorrupt, fmt::format("model.safetensors has no tensor {} of {} rows", name, rows),
              std::string(kFetch));
}

}  // namespace pandora
