#include "vectors/catalogue.h"

#include "wire/json_reader.h"

namespace pandora::qdrant {
namespace {

Result<std::map<std::string, std::string>> read_texts(const Json* object, const std::string& path) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, value] : object->items()) {
    if (!value.is_string()) return fail(ErrorCode::kDataCorrupt, path + ": " + name + " is no text");
    texts[name] = value.get<std::string>();
  }
  return texts;
}

}  // namespace

Result<Catalogue> Catalogue::read(FileSystem& files, const std::string& path) {
  PANDORA_TRY(text, files.read_file(path, kMaxCatalogueBytes));
  PANDORA_TRY(json, parse_json(text, kMaxCatalogueBytes, path));
  JsonReader reader(json, path);
  const std::int64_t format = reader.integer("format");
  if (reader.ok() && format != kCatalogueFormat)
    return fail(ErrorCode::kIncompatible, path + " was written by another version", "use that version");
  const Json *collections = reader.object("collections"), *aliases = reader.object("aliases");
  const Json* removed = reader.any("removed");
  PANDORA_CHECK(reader.finish());
  PANDORA_TRY(of_collections, read_texts(collections, path));
  PANDORA_TRY(of_aliases, read_texts(aliases, path));
  Catalogue catalogue{std::move(of_collections), std::move(of_aliases), {}};
  if (!removed) return catalogue;
  if (!removed->is_array()) return fail(ErrorCode::kDataCorrupt, path + ": removed is no list");
  for (const Json& id : *removed) {
    if (!id.is_string()) return fail(ErrorCode::kDataCorrupt, path + ": removed holds what is no text");
    catalogue.removed.insert(id.get<std::string>());
  }
  return catalogue;
}

Status Catalogue::write(FileSystem& files, const std::string& path) const {
  Json json = {{"format", kCatalogueFormat}, {"collections", collections}, {"aliases", aliases}};
  if (!removed.empty()) json["removed"] = removed;
  return files.write_atomic(path, dump_json(json), Durability::kNow);
}

}  // namespace pandora::qdrant
