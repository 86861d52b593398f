// What a collection is made of, and the bodies that make and change one.
//
// Only what changes answers is a value here. The rest of Qdrant's settings (graphs, optimizers, quantisation, disk) are
// hints to an engine that this one is not: they are read (`wire/qdrant_settings.h`), kept and given back (`hints`).
#pragma once
#include <map>

#include <nlohmann/json.hpp>

#include "wire/qdrant_filter.h"

namespace pandora::qdrant {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxNamedVectors = 64;     // of a collection, dense and sparse
inline constexpr std::size_t kMaxCollectionName = 255;  // characters
inline constexpr std::size_t kMaxAliasActions = 1'000;

enum class Distance { kCosine, kDot, kEuclid, kManhattan };
std::string_view to_string(Distance distance);

struct DenseParams {
  std::size_t size = 0;
  Distance distance = Distance::kCosine;
  bool operator==(const DenseParams&) const = default;
};
enum class SparseModifier { kNone, kIdf };
struct CollectionParams {
  std::map<std::string, DenseParams> dense;  // "": the unnamed one
  std::map<std::string, SparseModifier> sparse;
  // Of the create and update bodies, merged, by the names that they have at the top of a create body. "vectors" and
  // "sparse_vectors" by the names of vectors.
  Json hints = Json::object();
};

enum class FieldType { kKeyword, kInteger, kFloat, kBool, kDatetime, kUuid, kText };
std::string_view to_string(FieldType type);
struct TextOptions {
  enum class Tokenizer { kWord, kWhitespace, kPrefix } tokenizer = Tokenizer::kWord;
  bool lowercase = true;
  bool phrases = false;
  std::size_t min_length = 0, max_length = 0;  // of a token, in characters; 0: no bound
};
struct FieldSchema {
  FieldType type = FieldType::kKeyword;
  bool lookup = true, range = true;  // of integers
  TextOptions text;
  std::string given;  // as JSON, when it was an object
};

struct AliasAction {
  enum class Kind { kCreate, kDelete, kRename } kind = Kind::kCreate;
  std::string alias, collection, new_alias;
};

// 422 with the reason. `name` is percent-decoded. Of one that is asked for the length alone counts.
Outcome<void> check_name_length(std::string_view name);
Outcome<void> check_collection_name(std::string_view name);
Outcome<CollectionParams> read_create_collection(JsonNode body);
Outcome<CollectionParams> read_kept_collection(JsonNode json);  // of `params_to_json`, of today or of before
Outcome<Json> read_update_collection(JsonNode body);            // the hints that change
// A block's settings each by themselves, quantisation as a whole, metadata by its keys (null removes one). The vectors
// that `update` names are there.
CollectionParams with_update(CollectionParams params, const Json& update);
Outcome<std::vector<AliasAction>> read_alias_actions(JsonNode body);
struct IndexRequest {
  PayloadPath path;
  FieldSchema schema;
};
Outcome<IndexRequest> read_create_index(JsonNode body);
Outcome<FieldSchema> read_field_schema(JsonNode node);

// For the file of a collection.
std::string params_to_json(const CollectionParams& params);
// "config" of GET /collections/{name}.
Json config_of(const CollectionParams& params);

}  // namespace pandora::qdrant
