#include "store_embedded/point_codec.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/byte_reader.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxJsonBytes = 16u << 20;  // of kMaxPayloadBytes, each byte escaped at worst

Json value_json(const PayloadValue& value) {
  return std::visit(
      [](const auto& v) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Timestamp>)
          return {{"time", v.micros}};
        else
          return v;
      },
      value);
}

Result<PayloadValue> value_from(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object() && json.size() == 1 && json.contains("time") && json["time"].is_number_integer())
    return Timestamp{json["time"].get<std::int64_t>()};
  if (json.is_array()) {
    std::vector<std::string> texts;
    for (const auto& item : json) {
      if (!item.is_string()) return fail(ErrorCode::kDataCorrupt, "a payload holds an array of other than strings");
      texts.push_back(item.get<std::string>());
    }
    return texts;
  }
  return fail(ErrorCode::kDataCorrupt, "a payload holds a value of no known type");
}

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
void put_array(std::string& bytes, const std::vector<T>& values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

void put_name(std::string& bytes, const std::string& name) {
  put(bytes, static_cast<std::uint8_t>(name.size()));
  bytes += name;
}

constexpr std::string_view kPayloadTypes[] = {"keyword", "integer", "float", "bool", "datetime", "text", "uuid"};

}  // namespace

std::string encode_payload(const Payload& payload) {
  Json json = Json::object();
  for (const auto& [name, value] : payload) json[name] = value_json(value);
  return dump_json(json);
}

Result<Payload> decode_payload(std::string_view text) {
  PANDORA_TRY(json, parse_json(text, kMaxJsonBytes, "a payload"));
  if (!json.is_object()) return fail(ErrorCode::kDataCorrupt, "a payload is no object");
  Payload payload;
  for (const auto& [name, value] : json.items()) {
    PANDORA_TRY(decoded, value_from(value));
    payload[name] = std::move(decoded);
  }
  return payload;
}

std::string encode_stored(const Payload& payload) {
  std::string bytes;
  const auto put_text = [&](const std::string& text) {
    put(bytes, static_cast<std::uint32_t>(text.size()));
    bytes += text;
  };
  for (const auto& [name, value] : payload) {
    put_name(bytes, name);
    put(bytes, static_cast<std::uint8_t>(value.index()));
    std::visit(
        [&](const auto& v) {
          using Value = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<Value, std::string>) {
            put_text(v);
          } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
            put(bytes, static_cast<std::uint32_t>(v.size()));
            for (const auto& text : v) put_text(text);
          } else {
            put(bytes, v);
          }
        },
        value);
  }
  return bytes;
}

Result<Payload> decode_stored(std::string_view encoded, std::span<const std::string> fields) {
  ByteReader bytes(encoded);
  Payload payload;
  while (bytes.ok() && !bytes.finished()) {
    const std::string_view name = bytes.take_sized<std::uint8_t>();
    const bool wanted = fields.empty() || std::ranges::find(fields, name) != fields.end();
    PayloadValue value;
    switch (bytes.take<std::uint8_t>()) {
      case 0:
        value = bytes.take<std::uint8_t>() != 0;
        break;
      case 1:
        value = bytes.take<std::int64_t>();
        break;
      case 2:
        value = bytes.take<double>();
        break;
      case 3:
        if (const std::string_view text = bytes.take_sized<std::uint32_t>(); wanted) value = std::string(text);
        break;
      case 4:
        value = bytes.take<Timestamp>();
        break;
      default: {
        std::vector<std::string> texts;
        for (auto left = bytes.take<std::uint32_t>(); left > 0 && bytes.ok(); --left)
          texts.emplace_back(bytes.take_sized<std::uint32_t>());
        value = std::move(texts);
      }
    }
    if (wanted) payload.emplace_hint(payload.end(), name, std::move(value));
  }
  if (!bytes.ok()) return fail(ErrorCode::kDataCorrupt, "a payload of the index is damaged");
  return payload;
}

std::string encode_vectors(const Point& point) {
  std::string bytes;
  put(bytes, static_cast<std::uint8_t>(point.dense.size()));
  for (const auto& [name, vector] : point.dense) {
    put_name(bytes, name);
    put(bytes, static_cast<std::uint32_t>(vector.size()));
    put_array(bytes, vector);
  }
  put(bytes, static_cast<std::uint8_t>(point.sparse.size()));
  for (const auto& [name, vector] : point.sparse) {
    put_name(bytes, name);
    put(bytes, static_cast<std::uint32_t>(vector.indices.size()));
    put_array(bytes, vector.indices);
    put_array(bytes, vector.values);
  }
  return bytes;
}

Status decode_vectors(std::string_view encoded, Point& point) {
  ByteReader bytes(encoded);
  for (auto left = bytes.take<std::uint8_t>(); left > 0 && bytes.ok(); --left) {
    const std::string name(bytes.take_sized<std::uint8_t>());
    point.dense[name] = bytes.take_array<float>(bytes.take<std::uint32_t>());
  }
  for (auto left = bytes.take<std::uint8_t>(); left > 0 && bytes.ok(); --left) {
    const std::string name(bytes.take_sized<std::uint8_t>());
    const auto count = bytes.take<std::uint32_t>();
    auto indices = bytes.take_array<std::uint32_t>(count);
    point.sparse[name] = {std::move(indices), bytes.take_array<float>(count)};
  }
  if (bytes.finished()) return {};
  return fail(ErrorCode::kDataCorrupt, fmt::format("the vectors of point {} are damaged", point.id.to_string()));
}

std::string encode_spec(const CollectionSpec& spec) {
  Json indexes = Json::object();
  for (const auto& [field, type] : spec.indexes) indexes[field] = kPayloadTypes[static_cast<std::size_t>(type)];
  return dump_json({{"name", spec.name},
                    {"dimension", spec.dimension},
                    {"sparse", spec.sparse},
                    {"indexes", indexes},
                    {"embedder", spec.embedder},
                    {"analyzer_version", spec.analyzer_version}});
}

Result<CollectionSpec> decode_spec(std::string_view text) {
  PANDORA_TRY(json, parse_json(text, kMaxJsonBytes, "a collection"));
  JsonReader in(json, "collection");
  CollectionSpec spec;
  spec.name = in.text("name");
  spec.dimension = static_cast<std::size_t>(in.integer("dimension"));
  spec.sparse = in.texts("sparse");
  if (const Json* indexes = in.object("indexes"))
    for (const auto& [field, type] : indexes->items()) {
      const auto* found = std::ranges::find(kPayloadTypes, type.is_string() ? type.get<std::string>() : std::string());
      if (found == std::end(kPayloadTypes))
        in.fault("indexes", "a type is unknown");
      else
        spec.indexes[field] = static_cast<PayloadType>(found - std::begin(kPayloadTypes));
    }
  spec.embedder = in.text("embedder");
  spec.analyzer_version = static_cast<int>(in.integer("analyzer_version"));
  PANDORA_CHECK(in.finish());
  return spec;
}

}  // namespace pandora
