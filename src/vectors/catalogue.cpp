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
  if (!files.exists(path)) return Catalogue();
  PANDORA_TRY(text, files.read_file(path, kMaxCatalogueBytes));
  PANDORA_TRY(json, parse_json(text, kMaxCatalogueBytes, path));
  JsonReader reader(json, path);
  const std::int64_t format = reader.integer("format");
  if (reader.ok() && format != kCatalogueFormat)
    return fail(ErrorCode::kIncompatible, path + " was written by another version", "use that version");
  const Json *collections = reader.object("collections"), *aliases = reader.object("aliases");
  PANDORA_CHECK(reader.finish());
  PANDORA_TRY(of_collections, read_texts(collections, path));
  PANDORA_TRY(of_aliases, read_texts(aliases, path));
  return Catalogue{std::move(of_collections), std::move(of_aliases)};
}

Status Catalogue::write(FileSystem& files, const std::string& path) const {
  return files.write_atomic(
      path, dump_json({{"format", kCatalogueFormat}, {"collections", collections}, {"aliases", aliases}}),
      Durability::kNow);
}

}  // namespace pandora::qdrant
