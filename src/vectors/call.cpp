#include "vectors/call.h"

#include <charconv>

#include <fmt/format.h>

namespace pandora::qdrant {
namespace {

Fault bad_query(const std::string& what) {
  return {400, fmt::format("Deserialize error in query parameters: {}", what)};
}

}  // namespace

Outcome<CallOptions> read_options(std::string_view query) {
  CallOptions options;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals), value = pair.substr(std::min(equals + 1, pair.size()));
    if (name == "wait") {
      if (value != "true" && value != "false") return fail(bad_query("provided string was not `true` or `false`"));
      options.wait = value == "true";
    } else if (name == "ordering") {
      if (value != "weak" && value != "medium" && value != "strong")
        return fail(bad_query(fmt::format("unknown variant `{}`, expected one of `weak`, `medium`, `strong`", value)));
    } else if (name == "timeout") {
      std::uint32_t seconds = 0;
      const auto [stop, fault] = std::from_chars(value.data(), value.data() + value.size(), seconds);
      if (fault != std::errc() || stop != value.data() + value.size())
        return fail(bad_query("invalid digit found in string"));
      if (seconds == 0)
        return fail(
            Fault{422, "Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]"});
      options.timeout = std::chrono::seconds(seconds);
    }
  }
  return options;
}

Fault damaged_collection(std::string_view name, std::string_view why) {
  return {500, fmt::format("Service internal error: Collection `{}` is damaged: {}", name, why)};
}

Outcome<std::shared_ptr<Collection>> Call::collection() const {
  PANDORA_TRY(found, state.engine.find(route.collection));
  if (const auto damage = found->damage()) return fail(damaged_collection(route.collection, damage->to_line()));
  return found;
}

Outcome<JsonNode> Call::body() {
  auto tape = JsonTape::parse(request.body);
  if (!tape) return fail(bad_format(tape.error().to_text()));
  tape_ = *std::move(tape);
  return tape_.root();
}

void Call::answer(Outcome<std::string> result) {
  const double seconds = std::chrono::duration<double>(state.clock.steady() - begin_).count();
  respond(result ? ok_response(*result, seconds) : fault_response(result.error(), seconds));
}

void Call::respond(HttpResponse response) {
  CallCounters& counters = state.counters[static_cast<std::size_t>(route.api)];
  ++(response.status < 400 ? counters.ok : response.status < 500 ? counters.refused : counters.failed);
  writer_->respond(std::move(response));
}

}  // namespace pandora::qdrant
