#include "host/model_shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/byte_reader.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxConfig = 1u << 20;
constexpr std::size_t kGgufHeader = 4u << 20;  // the numbers come before the vocabulary
constexpr std::uint64_t kMaxKeys = 4096;

std::int64_t whole(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_number_integer() ? json[key].get<std::int64_t>() : 0;
}

// The types of the format, by number.
enum GgufType : std::uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

std::optional<std::uint64_t> size_of(std::uint32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
      return 2;
    case kU32:
    case kI32:
    case kF32:
      return 4;
    case kU64:
    case kI64:
    case kF64:
      return 8;
    default:
      return std::nullopt;
  }
}

std::string_view text_of(ByteReader& reader) { return reader.take_sized<std::uint64_t>(); }

template <class T>
std::string number_of(ByteReader& reader) {
  return fmt::format("{}", reader.take<T>());
}

// Of an array, which is passed over, an empty text; of an unknown type nothing. The reader says whether it was there.
std::optional<std::string> value_of(ByteReader& reader, std::uint32_t type) {
  switch (type) {
    case kU8:
    case kBool:
      return number_of<std::uint8_t>(reader);
    case kI8:
      return number_of<std::int8_t>(reader);
    case kU16:
      return number_of<std::uint16_t>(reader);
    case kI16:
      return number_of<std::int16_t>(reader);
    case kU32:
      return number_of<std::uint32_t>(reader);
    case kI32:
      return number_of<std::int32_t>(reader);
    case kF32:
      return number_of<float>(reader);
    case kU64:
      return number_of<std::uint64_t>(reader);
    case kI64:
      return number_of<std::int64_t>(reader);
    case kF64:
      return number_of<double>(reader);
    case kString:
      return std::string(text_of(reader));
    case kArray: {
      const auto inner = reader.take<std::uint32_t>();
      const auto count = reader.take<std::uint64_t>();
      if (const auto size = size_of(inner)) {
        if (count > kGgufHeader / *size) return std::nullopt;
        (void)reader.take_bytes(count * *size);
        return std::string();
      }
      if (inner != kString) return std::nullopt;
      for (std::uint64_t i = 0; i < count && reader.ok(); ++i) (void)text_of(reader);
      return std::string();
    }
    default:
      return std::nullopt;
  }
}

std::uint64_t weights_in(const std::string& folder, FileSystem& files) {
  const auto all = files.list(folder);
  std::uint64_t safe = 0, other = 0;
  if (!all) return 0;
  for (const auto& file : *all) {
    // What Hugging Face keeps are links to files of other names.
    const auto info = files.info(join_path(folder, file.name));
    const std::uint64_t size = info ? info->size : 0;
    if (file.name.ends_with(".safetensors")) safe += size;
    if (file.name.ends_with(".bin") || file.name.ends_with(".pt")) other += size;
  }
  return safe > 0 ? safe : other;
}

Result<ModelShape> shape_in(const std::string& folder, FileSystem& files) {
  PANDORA_TRY(text, files.read_file(join_path(folder, "config.json"), kMaxConfig));
  auto shape = parse_model_config(text);
  if (!shape) return fail(ErrorCode::kDataCorrupt, folder + "/config.json is no model's configuration");
  shape->weights_bytes = weights_in(folder, files);
  return *shape;
}

}  // namespace

std::optional<ModelShape> parse_model_config(std::string_view text) {
  const auto json = parse_json(text, kMaxConfig, "a model's configuration");
  if (!json || !json->is_object()) return std::nullopt;
  const Json& part =
      json->contains("text_config") && (*json)["text_config"].is_object() ? (*json)["text_config"] : *json;
  ModelShape shape;
  shape.layers = whole(part, "num_hidden_layers");
  const std::int64_t heads = whole(part, "num_attention_heads"), width = whole(part, "hidden_size");
  shape.kv_heads = part.contains("num_key_value_heads") ? whole(part, "num_key_value_heads") : heads;
  shape.head_size = part.contains("head_dim") ? whole(part, "head_dim") : heads > 0 ? width / heads : 0;
  shape.context = whole(part, "max_position_embeddings");
  if (shape.layers <= 0 || shape.kv_heads <= 0 || shape.head_size <= 0) return std::nullopt;
  return shape;
}

std::map<std::string, std::string> parse_gguf_header(std::string_view bytes) {
  std::map<std::string, std::string> header;
  if (!bytes.starts_with("GGUF")) return header;
  ByteReader reader(bytes.substr(4));
  const auto version = reader.take<std::uint32_t>();
  (void)reader.take<std::uint64_t>();  // tensors
  const auto keys = reader.take<std::uint64_t>();
  if (!reader.ok() || version < 2) return header;
  for (std::uint64_t i = 0; i < std::min(keys, kMaxKeys); ++i) {
    const std::string_view key = text_of(reader);
    const auto type = reader.take<std::uint32_t>();
    auto value = value_of(reader, type);
    if (!value || !reader.ok()) break;
    if (type != kArray) header[std::string(key)] = *std::move(value);
  }
  return header;
}

std::optional<ModelShape> gguf_shape(const std::map<std::string, std::string>& header) {
  const auto text = [&](const std::string& key) {
    const auto found = header.find(key);
    return found == header.end() ? std::string() : found->second;
  };
  const std::string kind = text("general.architecture");
  const auto number = [&](const std::string& key) -> std::int64_t {
    const std::string value = text(kind + key);
    return value.empty() || value.size() > 12 ||
                   !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })
               ? 0
               : std::stoll(value);
  };
  ModelShape shape;
  shape.layers = number(".block_count");
  const std::int64_t heads = number(".attention.head_count"), kv_heads = number(".attention.head_count_kv");
  shape.kv_heads = kv_heads > 0 ? kv_heads : heads;
  const std::int64_t key_length = number(".attention.key_length");
  shape.head_size = key_length > 0 ? key_length : heads > 0 ? number(".embedding_length") / heads : 0;
  shape.context = number(".context_length");
  if (shape.layers <= 0 || shape.kv_heads <= 0 || shape.head_size <= 0 || shape.context <= 0) return std::nullopt;
  return shape;
}

Result<ModelShape> read_model_shape(const std::string& weights, const std::string& hub_directory, FileSystem& files) {
  const auto info = files.info(weights);
  if (info && !info->is_directory) {
    PANDORA_TRY(file, files.open(weights, OpenMode::kRead));
    PANDORA_TRY(bytes, file->read_at(0, kGgufHeader));
    auto shape = gguf_shape(parse_gguf_header(bytes));
    if (!shape) return fail(ErrorCode::kDataCorrupt, weights + " is no GGUF file with a model's header");
    shape->weights_bytes = info->size;
    return *shape;
  }
  if (info) return shape_in(weights, files);
  std::string name = weights;
  for (std::size_t at = 0; (at = name.find('/', at)) != std::string::npos;) name.replace(at, 1, "--");
  const std::string snapshots = fmt::format("{}/models--{}/snapshots", hub_directory, name);
  const auto all = files.list(snapshots);
  if (all)
    for (const auto& one : *all)
      if (auto shape = shape_in(join_path(snapshots, one.name), files)) return shape;
  return fail(ErrorCode::kNotFound, fmt::format("{} is not on this machine yet", weights));
}

}  // namespace pandora
