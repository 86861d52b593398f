// Calls about collections, their aliases and their payload indexes.
#include "vectors/call.h"

namespace pandora::qdrant {
namespace {

std::string aliases_json(const std::map<std::string, std::string>& aliases, const std::string* of) {
  Json list = Json::array();
  for (const auto& [alias, collection] : aliases)
    if (!of || collection == *of) list.push_back({{"alias_name", alias}, {"collection_name", collection}});
  return Json{{"aliases", std::move(list)}}.dump();
}

Outcome<std::string> list(Call& call) {
  Json names = Json::array();
  for (const std::string& name : call.state.engine.names()) names.push_back({{"name", name}});
  return Json{{"collections", std::move(names)}}.dump();
}

Outcome<std::string> create(Call& call) {
  PANDORA_CHECK(check_collection_name(call.route.collection));
  PANDORA_TRY(body, call.body());
  PANDORA_TRY(params, read_create_collection(body));
  PANDORA_CHECK(call.state.engine.create(call.route.collection, std::move(params)));
  return "true";
}

Outcome<std::string> change_aliases(Call& call) {
  PANDORA_TRY(body, call.body());
  PANDORA_TRY(actions, read_alias_actions(body));
  PANDORA_CHECK(call.state.engine.change_aliases(actions));
  return "true";
}

Outcome<std::string> aliases_of(Call& call) {
  return aliases_json(call.state.engine.aliases(), &call.route.collection);
}

Outcome<std::string> info(Call& call) {
  PANDORA_TRY(collection, call.state.engine.find(call.route.collection));
  return collection_info(*collection);
}

// 400 when an update names a vector that is not there.
Outcome<void> check_vector_names(const Json& update, const CollectionMemory& memory) {
  for (const auto& [kind, is_dense] : {std::pair{"vectors", true}, {"sparse_vectors", false}}) {
    if (!update.contains(kind)) continue;
    for (const auto& [name, changes] : update.at(kind).items()) {
      const auto number = memory.number_of(name);
      if (!number || (memory.dense(*number) != nullptr) != is_dense) return fail(no_such_vector(name));
    }
  }
  return {};
}

// Goes through the collection's queue, in order with its points.
Outcome<void> change(const SharedCall& call) {
  WriteRequest request;
  if (call->route.api == Api::kDeleteIndex) {
    PANDORA_TRY(path, PayloadPath::parse(call->route.item));
    request = RemoveIndex{std::move(path)};
  } else {
    PANDORA_TRY(body, call->body());
    if (call->route.api == Api::kCreateIndex) {
      PANDORA_TRY(index, read_create_index(body));
      request = std::move(index);
    } else {
      PANDORA_TRY(hints, read_update_collection(body));
      request = UpdateHints{std::move(hints)};
    }
  }
  PANDORA_TRY(collection, call->collection());
  if (const auto* update = std::get_if<UpdateHints>(&request))
    PANDORA_CHECK(check_vector_names(update->hints, collection->memory()));
  const bool is_update = call->route.api == Api::kUpdateCollection;
  const bool waits = is_update || call->options.wait;
  collection->write(std::move(request), call->request.body.size(),
                    waits ? Collection::Acknowledge::kWhenDurable : Collection::Acknowledge::kWhenQueued,
                    [call, is_update](Outcome<Written> written) {
                      if (!written) return call->answer(fail(std::move(written).error()));
                      call->answer(is_update ? "true" : written_json(*written));
                    });
  return {};
}

}  // namespace

void answer_about_collections(const SharedCall& call) {
  Engine& engine = call->state.engine;
  switch (call->route.api) {
    case Api::kListCollections:
      return call->answer(list(*call));
    case Api::kCollection:
      return call->answer(info(*call));
    case Api::kCreateCollection:
      return call->answer(create(*call));
    case Api::kDeleteCollection: {
      auto removed = engine.remove(call->route.collection);
      if (!removed) return call->answer(fail(std::move(removed).error()));
      return call->answer(*removed ? "true" : "false");
    }
    case Api::kCollectionExists:
      return call->answer(engine.exists(call->route.collection) ? "{\"exists\":true}" : "{\"exists\":false}");
    case Api::kCollectionAliases:
      return call->answer(aliases_of(*call));
    case Api::kAliases:
      return call->answer(aliases_json(engine.aliases(), nullptr));
    case Api::kChangeAliases:
      return call->answer(change_aliases(*call));
    default:
      if (auto begun = change(call); !begun) call->answer(fail(std::move(begun).error()));
  }
}

}  // namespace pandora::qdrant
