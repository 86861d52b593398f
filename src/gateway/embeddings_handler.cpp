#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <span>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/text.h"
#include "gateway/client_chat.h"
#include "gateway/gateway_core.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors go out as little-endian floats");

constexpr std::size_t kTextsAtOnce = 32;

enum class Encoding { kFloat, kBase64 };
struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> inputs;
  Encoding encoding = Encoding::kFloat;
  std::optional<std::int64_t> dimensions;
};

Result<EmbeddingRequest> read(const std::string& body) {
  const auto wrong = [](std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); };
  const auto json = parse_json(body, kMaxEmbeddingBodyBytes, "request");
  if (!json) return wrong(json.error().message);
  if (!json->is_object()) return wrong("request must be an object");
  EmbeddingRequest request;
  const auto field = [&](const char* name) { return json->contains(name) ? (*json)[name] : Json(); };
  const Json model = field("model"), input = field("input"), format = field("encoding_format"),
             size = field("dimensions");
  if (!model.is_null() && !model.is_string()) return wrong("request.model must be a string");
  request.model = model.is_string() ? model.get<std::string>() : std::string(kPandoraModel);
  if (input.is_string()) {
    request.inputs.push_back(input.get<std::string>());
  } else if (input.is_array()) {
    for (const auto& one : input) {
      if (!one.is_string())
        return wrong(fmt::format("request.input[{}] must be a string: tokens are not taken", request.inputs.size()));
      request.inputs.push_back(one.get<std::string>());
      if (request.inputs.size() > kMaxEmbeddingInputs)
        return wrong(fmt::format("request.input holds more than {} texts", kMaxEmbeddingInputs));
    }
  } else {
    return wrong("request.input must be a string or an array of strings");
  }
  if (request.inputs.empty()) return wrong("request.input is empty");
  if (format == "base64")
    request.encoding = Encoding::kBase64;
  else if (!format.is_null() && format != "float")
    return wrong("request.encoding_format is neither float nor base64");
  if (size.is_number_integer())
    request.dimensions = size.get<std::int64_t>();
  else if (!size.is_null())
    return wrong("request.dimensions must be a whole number");
  return request;
}

class EmbeddingsHandler final : public GatewayHandler {
 public:
  explicit EmbeddingsHandler(GatewayCore& core) : core_(core) {}

  void handle(HttpRequest http, const Caller& caller, std::shared_ptr<ResponseWriter> writer) override {
    const auto request = read(http.body);
    if (!request) return writer->respond(error_response(request.error()));
    const auto embedder = core_.parts.spaces.current()->embedder;
    const EmbedderIdentity& identity = embedder->identity();
    if (request->model != kPandoraModel && request->model != identity.model)
      return writer->respond(
          model_not_found({ErrorCode::kNotFound, fmt::format("no model \"{}\" embeds here", request->model),
                           "use \"" + identity.model + "\""}));
    if (request->dimensions && *request->dimensions != static_cast<std::int64_t>(identity.dimension))
      return writer->respond(
          error_response({ErrorCode::kInvalidArgument,
                          fmt::format("{} has {} dimensions, no others", identity.model, identity.dimension), ""}));
    const std::vector<std::string_view> texts(request->inputs.begin(), request->inputs.end());
    const auto deadline = Deadline::after(core_.parts.clock, core_.options.turn_time);
    std::vector<std::vector<float>> vectors;
    while (vectors.size() < texts.size()) {  // in pieces: a client that left is not worked for
      if (writer->gone()) return;
      const auto piece = std::span(texts).subspan(vectors.size());
      auto some = embedder->embed(piece.first(std::min(piece.size(), kTextsAtOnce)), TextRole::kPassage, deadline);
      if (!some) return writer->respond(error_response(some.error()));
      std::ranges::move(*some, std::back_inserter(vectors));
    }
    std::size_t tokens = 0;
    Json data = Json::array();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto& vector = vectors[i];
      tokens += embedder->count_tokens(texts[i]);
      const std::string_view bytes(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
      data.push_back(
          {{"object", "embedding"},
           {"index", i},
           {"embedding", request->encoding == Encoding::kBase64 ? Json(base64_encode(bytes)) : Json(vector)}});
    }
    core_.guard.count_tokens(caller, static_cast<std::int64_t>(tokens));
    writer->respond(json_response({{"object", "list"},
                                   {"data", std::move(data)},
                                   {"model", identity.model},
                                   {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}}));
  }

 private:
  GatewayCore& core_;
};

}  // namespace

std::unique_ptr<GatewayHandler> make_embeddings_handler(GatewayCore& core) {
  return std::make_unique<EmbeddingsHandler>(core);
}

}  // namespace pandora
