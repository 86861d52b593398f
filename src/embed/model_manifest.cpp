#include "embed/model_manifest.h"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/hash.h"

namespace pandora {
namespace {

constexpr const char* kRemedy = "run scripts/fetch_weights --force";

Result<std::string> read_up_to(const std::string& path, std::size_t bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, "no encoder weights: cannot read " + path, "run scripts/fetch_weights");
  std::string content(bytes, '\0');
  file.read(content.data(), static_cast<std::streamsize>(bytes));
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

Status check_hash(const std::string& path, const std::string& expected, std::string_view bytes) {
  const auto got = sha256_hex(bytes);
  if (got == expected) return {};
  return fail(ErrorCode::kIncompatible, fmt::format("{} has SHA-256 {}, expected {}", path, got, expected), kRemedy);
}

Status verify(const std::string& directory, const std::string& name, const nlohmann::json& expected) {
  const auto path = directory + "/" + name;
  const auto hash = expected.at("sha256").get<std::string>();
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return fail(ErrorCode::kNotFound, "no encoder weights: cannot read " + path, "run scripts/fetch_weights");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size != expected.at("size").get<std::size_t>())
    return fail(ErrorCode::kIncompatible,
                fmt::format("{} has {} bytes, expected {}", path, size, expected.at("size").dump()), kRemedy);
  if (expected.contains("header_sha256")) {
    PANDORA_TRY(prefix, read_up_to(path, 8));
    std::uint64_t length = 0;
    if (prefix.size() == 8) std::memcpy(&length, prefix.data(), 8);
    if (length + 8 > size) return fail(ErrorCode::kIncompatible, path + " is no safetensors file", kRemedy);
    PANDORA_TRY(header, read_up_to(path, length + 8));
    PANDORA_CHECK(check_hash(path + " (header)", expected.at("header_sha256").get<std::string>(), header));
  }
  const auto stamp =
      fmt::format("{} {} {}.{} {}\n", hash, size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ino);
  const auto stamp_path = path + ".verified";
  if (auto stored = read_up_to(stamp_path, 512); stored && *stored == stamp) return {};
  PANDORA_TRY(content, read_up_to(path, size));
  PANDORA_CHECK(check_hash(path, hash, content));
  std::ofstream(stamp_path, std::ios::binary | std::ios::trunc) << stamp;  // a read-only cache only costs time
  return {};
}

}  // namespace

Result<ModelManifest> open_model_manifest(const std::string& directory) {
  PANDORA_TRY(text, read_up_to(directory + "/manifest.json", 64 * 1024));
  try {
    const auto json = nlohmann::json::parse(text);
    ModelManifest m;
    m.name = json.at("name"), m.revision = json.at("revision");
    m.question_prefix = json.at("question_prefix"), m.passage_prefix = json.at("passage_prefix");
    m.layers = json.at("layers"), m.heads = json.at("heads"), m.hidden = json.at("hidden");
    m.intermediate = json.at("intermediate"), m.window = json.at("window");
    m.pool_first_token = json.at("pooling") == "first";
    if (m.layers == 0 || m.heads == 0 || m.hidden % m.heads != 0 || m.window < 3 || m.window > 4096)
      return fail(ErrorCode::kIncompatible, "the manifest of the encoder has impossible figures", kRemedy);
    for (const char* name : {"model.safetensors", "vocab.txt"})
      PANDORA_CHECK(verify(directory, name, json.at("files").at(name)));
    return m;
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorCode::kIncompatible, "the manifest of the encoder does not parse", kRemedy);
  }
}

}  // namespace pandora
