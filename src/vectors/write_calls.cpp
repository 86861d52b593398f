// Calls that change points.
#include "vectors/call.h"

namespace pandora::qdrant {
namespace {

Outcome<std::vector<Operation>> read_operations(Api api, JsonNode body) {
  if (api == Api::kBatch) return read_batch(body);
  const auto one = [&]() -> Outcome<Operation> {
    switch (api) {
      case Api::kUpsert:
        return read_upsert(body);
      case Api::kDeletePoints:
        return read_delete_points(body);
      case Api::kUpdateVectors:
        return read_update_vectors(body);
      case Api::kDeleteVectors:
        return read_delete_vectors(body);
      case Api::kSetPayload:
        return read_set_payload(body);
      case Api::kOverwritePayload:
        return read_overwrite_payload(body);
      case Api::kDeletePayload:
        return read_delete_payload(body);
      default:
        return read_clear_payload(body);
    }
  };
  PANDORA_TRY(read, one());
  std::vector<Operation> operations;
  operations.push_back(std::move(read));
  return operations;
}

// As a real Qdrant does, and after it looked for the collection: what names no point at all is a mistake.
Outcome<void> check_not_empty(const std::vector<Operation>& operations) {
  const auto names_none = [](const auto& operation) {
    if constexpr (requires { operation.points.ids; })
      return !operation.points.filter && operation.points.ids.empty();
    else
      return operation.points.empty();
  };
  for (const Operation& operation : operations)
    if (std::visit(names_none, operation)) return fail(bad_request("Empty update request"));
  return {};
}

Outcome<void> write(const SharedCall& call) {
  PANDORA_TRY(body, call->body());
  PANDORA_TRY(operations, read_operations(call->route.api, body));
  PANDORA_TRY(collection, call->collection());
  const bool is_batch = call->route.api == Api::kBatch;
  if (operations.empty()) {
    call->answer("[]");
    return {};
  }
  PANDORA_CHECK(check_not_empty(operations));
  PANDORA_CHECK(check_vectors(operations, collection->memory()));
  const std::size_t bytes = call->request.body.size();
  collection->write(
      std::move(operations), bytes,
      call->options.wait ? Collection::Acknowledge::kWhenDurable : Collection::Acknowledge::kWhenQueued,
      [call, is_batch](Outcome<Written> written) {
        if (!written) return call->answer(fail(std::move(written).error()));
        call->answer(is_batch ? batch_written_json(*written) : written_json(*written));
      },
      [&threads = call->state.threads](auto work) { return threads.soon(std::move(work)); });
  return {};
}

}  // namespace

void answer_write(const SharedCall& call) {
  if (auto begun = write(call); !begun) call->answer(fail(std::move(begun).error()));
}

}  // namespace pandora::qdrant
