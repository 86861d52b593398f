#include "vectors/call.h"

#include <charconv>

#include <fmt/format.h>

namespace pandora::qdrant {
namespace {

constexpr std::uint64_t kLongestTimeout = 1'000'000'000;  // seconds; more is as if it were this

std::optional<std::uint64_t> as_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc() && stop == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Fault bad_query(const std::string& what) {
  return {400, fmt::format("Deserialize error in query parameters: {}", what)};
}

}  // namespace

Outcome<CallOptions> read_options(Api api, std::string_view query) {
  const bool changes_points =
      (api >= Api::kUpsert && api <= Api::kBatch) || api == Api::kCreateIndex || api == Api::kDeleteIndex;
  const bool reads_points = api >= Api::kPoint && api <= Api::kSearchBatch;
  const bool takes_time = changes_points || reads_points || changes_something(api);
  CallOptions options;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals), value = pair.substr(std::min(equals + 1, pair.size()));
    if (name == "wait" && changes_points) {
      if (value != "true" && value != "false") return fail(bad_query("provided string was not `true` or `false`"));
      options.wait = value == "true";
    } else if (name == "ordering" && changes_points) {
      if (value != "weak" && value != "medium" && value != "strong")
        return fail(bad_query(fmt::format("unknown variant `{}`, expected one of `weak`, `medium`, `strong`", value)));
    } else if (name == "consistency" && reads_points) {
      const auto factor = as_number(value);
      if (!(factor && *factor > 0) && value != "all" && value != "majority" && value != "quorum" && !value.empty())
        return fail(bad_query("failed to deserialize read consistency query parameter value"));
    } else if (name == "timeout" && takes_time) {
      const auto seconds = as_number(value);
      if (!seconds) return fail(bad_query("invalid digit found in string"));
      if (*seconds == 0 && reads_points) return fail(bad_query("invalid value: integer `0`, expected a nonzero u64"));
      if (*seconds == 0)
        return fail(
            Fault{422, "Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]"});
      options.timeout = std::chrono::seconds(std::min(*seconds, kLongestTimeout));
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
