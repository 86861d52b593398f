// Payloads that are changed and shown in part: whatever the paths, what comes out is an object of JSON again; to do the
// same once more changes nothing; what was cut is not there; and what is shown is a part of it.
//
// {"payload": {…}, "change": {…}, "key": path, "paths": [path, …]}
#include <cstdint>
#include <cstdlib>
#include <string>

#include "vectors/payload_edit.h"

namespace {
using namespace pandora;
using namespace pandora::qdrant;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string object(JsonNode node) {
  std::string text;
  if (node && node.is_object()) append_compact(text, node);
  return text.empty() || is_too_deep(text) ? "{}" : text;
}

std::string checked(std::string text) {
  const auto tape = JsonTape::parse(text);
  require(tape.has_value() && tape->root().is_object());
  std::string compact;
  append_compact(compact, tape->root());
  require(compact == text);
  return text;
}

std::size_t count_at(const std::string& payload, const PayloadPath& path) {
  const auto tape = JsonTape::parse(payload);
  require(tape.has_value());
  std::size_t count = 0;
  auto visit = [&](JsonNode) { return ++count, true; };
  visit_values(tape->root(), path.steps(), 0, visit);
  return count;
}

bool has_index(const PayloadPath& path) {
  for (const PathStep& step : path.steps())
    if (step.kind == PathStep::Kind::kIndex) return true;
  return false;
}

std::string shown(PayloadSelector::Kind kind, const std::vector<PayloadPath>& paths, const std::string& payload) {
  std::string out;
  PayloadView(PayloadSelector{kind, paths}).append(out, payload);
  return checked(std::move(out));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tape = JsonTape::parse({reinterpret_cast<const char*>(data), size});
  if (!tape || !tape->root().is_object()) return 0;
  const std::string payload = object(tape->root().find("payload")), change = object(tape->root().find("change"));

  std::vector<PayloadPath> paths;
  if (const JsonNode list = tape->root().find("paths"))
    if (auto read = read_paths(list)) paths = *std::move(read);
  for (const PayloadPath& path : paths) {
    const auto again = PayloadPath::parse(path.to_text());
    require(again.has_value() && *again == path);
  }

  const std::string merged = checked(merge_payload(payload, change, nullptr));
  require(merge_payload(merged, change, nullptr) == merged);
  if (const JsonNode key = tape->root().find("key"))
    if (const auto path = read_path(key)) {
      const std::string below = checked(merge_payload(payload, change, &*path));
      require(merge_payload(below, change, &*path) == below);
    }

  const PayloadCut cut(paths);
  const std::string left = checked(cut.apply(payload));
  require(left.size() <= payload.size() && cut.apply(left) == left);
  for (const PayloadPath& path : paths)
    if (path.steps().back().kind == PathStep::Kind::kKey) require(count_at(left, path) == 0);

  require(shown(PayloadSelector::Kind::kAll, {}, payload) == payload);
  const std::string included = shown(PayloadSelector::Kind::kInclude, paths, payload);
  require(included.size() <= payload.size());
  require(shown(PayloadSelector::Kind::kInclude, paths, included) == included);
  const std::string excluded = shown(PayloadSelector::Kind::kExclude, paths, payload);
  require(excluded.size() <= payload.size());
  for (const PayloadPath& path : paths)
    if (path.steps().back().kind == PathStep::Kind::kKey && !has_index(path)) require(count_at(excluded, path) == 0);
  return 0;
}
