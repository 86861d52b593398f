#include "gateway/client_chat.h"
#include "gateway/gateway_core.h"
#include "gateway/responses.h"

namespace pandora {
namespace {

constexpr std::string_view kList = "/v1/models";

Json model_json(const std::string& name, std::string_view owner) {
  return {{"id", name}, {"object", "model"}, {"created", 0}, {"owned_by", owner}};
}

class ModelsHandler final : public GatewayHandler {
 public:
  explicit ModelsHandler(GatewayCore& core) : core_(core) {}

  void handle(HttpRequest request, const Caller&, std::shared_ptr<ResponseWriter> writer) override {
    Json models = Json::array();
    models.push_back(model_json(std::string(kPandoraModel), "pandora"));
    models.push_back(model_json(core_.parts.spaces.current()->origin.embedder.model, "pandora"));
    if (core_.parts.directory)
      for (const auto& model : core_.parts.directory->all(Deadline::after(core_.parts.clock, kModelListPatience)))
        models.push_back(model_json(model.name, model.server));
    if (request.path == kList) return writer->respond(json_response({{"object", "list"}, {"data", models}}));
    const auto name = percent_decode(std::string_view(request.path).substr(kList.size() + 1));
    if (!name) return writer->respond(error_response(name.error()));
    for (const auto& model : models)
      if (model["id"] == *name) return writer->respond(json_response(model));
    writer->respond(model_not_found(
        {ErrorCode::kNotFound, "there is no model \"" + *name + "\"", "GET /v1/models lists those there are"}));
  }

 private:
  GatewayCore& core_;
};

}  // namespace

std::unique_ptr<GatewayHandler> make_models_handler(GatewayCore& core) { return std::make_unique<ModelsHandler>(core); }

}  // namespace pandora
