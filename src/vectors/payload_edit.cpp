#include "vectors/payload_edit.h"

#include <algorithm>
#include <utility>

namespace pandora::qdrant {
namespace {

using Steps = std::vector<PathStep>;
using Trees = std::vector<const PathTree*>;  // where the paths have led so far

// A key without quotes and escapes; `buffer` may have to hold it.
std::string_view text_of(JsonNode key, std::string& buffer) {
  if (key.kind() == JsonKind::kString) return key.raw().substr(1, key.raw().size() - 2);
  buffer = key.text();
  return buffer;
}

void append_member(std::string& out, const char*& separator, JsonNode key) {
  out += std::exchange(separator, ",");
  out += key.raw();
  out += ':';
}

Trees through_key(const Trees& trees, std::string_view key) {
  Trees further;
  for (const PathTree* tree : trees)
    if (const auto found = tree->keys.find(key); found != tree->keys.end()) further.push_back(found->second.get());
  return further;
}

Trees through_every(const Trees& trees) {
  Trees further;
  for (const PathTree* tree : trees)
    if (tree->every) further.push_back(tree->every.get());
  return further;
}

Trees through_item(const Trees& trees, std::size_t item) {
  Trees further;
  for (const PathTree* tree : trees) {
    if (tree->every) further.push_back(tree->every.get());
    if (const auto found = tree->items.find(item); found != tree->items.end()) further.push_back(found->second.get());
  }
  return further;
}

bool any_ends(const Trees& trees) { return std::ranges::any_of(trees, &PathTree::ends); }

// Nothing ends at `value` itself. What has nothing further down is shown as far as a path leads to it, empty or not.
void append_included(std::string& out, JsonNode value, const Trees& trees) {
  const auto append = [&](JsonNode to, const Trees& further) {
    if (any_ends(further))
      out += to.raw();
    else
      append_included(out, to, further);
  };
  const char* separator = "";
  if (value.is_array()) {
    out += '[';
    const Trees further = through_every(trees);
    for (JsonNode item = further.empty() ? JsonNode() : value.first(); item; item = item.next()) {
      out += std::exchange(separator, ",");
      append(item, further);
    }
    out += ']';
  } else if (value.is_object()) {
    out += '{';
    std::string buffer;
    for (JsonNode key = value.first(); key; key = key.next().next()) {
      const Trees further = through_key(trees, text_of(key, buffer));
      if (further.empty()) continue;
      append_member(out, separator, key);
      append(key.next(), further);
    }
    out += '}';
  } else {
    out += value.raw();
  }
}

// Nothing ends at `value` itself.
void append_cut(std::string& out, JsonNode value, const Trees& trees) {
  if (trees.empty() || !(value.is_array() || value.is_object())) {
    out += value.raw();
    return;
  }
  const char* separator = "";
  if (value.is_array()) {
    out += '[';
    const bool all = std::ranges::any_of(trees, [](const PathTree* tree) { return tree->every && tree->every->ends; });
    std::size_t i = 0;
    for (JsonNode item = all ? JsonNode() : value.first(); item; item = item.next(), ++i) {
      const Trees further = through_item(trees, i);
      if (any_ends(further)) continue;
      out += std::exchange(separator, ",");
      append_cut(out, item, further);
    }
    out += ']';
    return;
  }
  out += '{';
  std::string buffer;
  for (JsonNode key = value.first(); key; key = key.next().next()) {
    const Trees further = through_key(trees, text_of(key, buffer));
    if (any_ends(further)) continue;
    append_member(out, separator, key);
    append_cut(out, key.next(), further);
  }
  out += '}';
}

// Members of `value` as they stand, those that `change` has with its value, then the others of `change`. A null of
// `change` takes the member away. `value`: none, or what is no object, where there is nothing yet.
void append_joined(std::string& out, JsonNode value, JsonNode change) {
  std::map<std::string, JsonNode> changed;
  for (JsonNode key = change.first(); key; key = key.next().next()) changed[key.text()] = key.next();
  const char* separator = "";
  const auto append = [&](JsonNode key, JsonNode given) {
    if (given.is_null()) return;
    append_member(out, separator, key);
    out += given.raw();
  };
  out += '{';
  for (JsonNode key = value && value.is_object() ? value.first() : JsonNode(); key; key = key.next().next()) {
    const auto found = changed.find(key.text());
    if (found == changed.end()) {
      append_member(out, separator, key);
      out += key.next().raw();
    } else {
      append(key, found->second);
      changed.erase(found);
    }
  }
  for (JsonNode key = change.first(); key; key = key.next().next()) {
    const auto found = changed.find(key.text());
    if (found == changed.end()) continue;
    append(key, found->second);
    changed.erase(found);
  }
  out += '}';
}

// `value`: none where there is nothing yet. What is no object or array becomes one where the path asks for it; an array
// does not grow.
void append_merged(std::string& out, JsonNode value, const Steps& steps, std::size_t from, JsonNode change) {
  if (from == steps.size()) return append_joined(out, value, change);
  const PathStep& step = steps[from];
  const char* separator = "";
  if (step.kind == PathStep::Kind::kKey) {
    bool found = false;
    out += '{';
    for (JsonNode key = value && value.is_object() ? value.first() : JsonNode(); key; key = key.next().next()) {
      append_member(out, separator, key);
      const bool here = key.text_is(step.key);
      found |= here;
      if (here)
        append_merged(out, key.next(), steps, from + 1, change);
      else
        out += key.next().raw();
    }
    if (!found) {
      out += separator;
      append_json_text(out, step.key);
      out += ':';
      append_merged(out, JsonNode(), steps, from + 1, change);
    }
    out += '}';
    return;
  }
  out += '[';
  std::size_t i = 0;
  for (JsonNode item = value && value.is_array() ? value.first() : JsonNode(); item; item = item.next(), ++i) {
    out += std::exchange(separator, ",");
    if (step.kind == PathStep::Kind::kEvery || i == step.index)
      append_merged(out, item, steps, from + 1, change);
    else
      out += item.raw();
  }
  out += ']';
}

std::size_t depth_of(JsonNode value) {
  std::size_t deepest = 0;
  for (JsonNode one = value.first(); one; one = one.next()) deepest = std::max(deepest, depth_of(one));
  return deepest + (value.is_array() || value.is_object() ? 1 : 0);
}

}  // namespace

void PathTree::add(const PayloadPath& path) {
  PathTree* at = this;
  for (const PathStep& step : path.steps()) {
    std::unique_ptr<PathTree>& next = step.kind == PathStep::Kind::kKey     ? at->keys[step.key]
                                      : step.kind == PathStep::Kind::kIndex ? at->items[step.index]
                                                                            : at->every;
    if (!next) next = std::make_unique<PathTree>();
    at = next.get();
  }
  at->ends = true;
}

PayloadCut::PayloadCut(const std::vector<PayloadPath>& paths) {
  for (const PayloadPath& path : paths)
    if (path.steps().back().kind != PathStep::Kind::kIndex) tree_.add(path);
}

std::string PayloadCut::apply(std::string_view payload) const {
  std::string out;
  if (const auto tape = JsonTape::parse(payload)) append_cut(out, tape->root(), {&tree_});
  return out;
}

PayloadView::PayloadView(const PayloadSelector& selector) : kind_(selector.kind), excluded_({}) {
  const auto names_an_item = [](const PayloadPath& path) {
    return std::ranges::any_of(path.steps(), [](const PathStep& step) { return step.kind == PathStep::Kind::kIndex; });
  };
  if (kind_ == PayloadSelector::Kind::kInclude) {
    for (const PayloadPath& path : selector.paths) included_.add(path);
  } else if (kind_ == PayloadSelector::Kind::kExclude) {
    std::vector<PayloadPath> paths = selector.paths;
    std::erase_if(paths, names_an_item);
    excluded_ = PayloadCut(paths);
  }
}

void PayloadView::append(std::string& out, std::string_view payload) const {
  if (kind_ == PayloadSelector::Kind::kAll) {
    out += payload;
  } else if (kind_ == PayloadSelector::Kind::kExclude) {
    out += excluded_.apply(payload);
  } else if (const auto tape = JsonTape::parse(payload)) {
    append_included(out, tape->root(), {&included_});
  }
}

std::string merge_payload(const std::string& payload, const std::string& change, const PayloadPath* key) {
  const auto old = JsonTape::parse(payload), with = JsonTape::parse(change);
  std::string out;
  append_merged(out, old ? old->root() : JsonNode(), key ? key->steps() : Steps(), 0, with->root());
  return out;
}

bool is_too_deep(const std::string& payload) {
  const auto tape = JsonTape::parse(payload);
  return !tape || depth_of(tape->root()) > kMaxPayloadDepth;
}

}  // namespace pandora::qdrant
