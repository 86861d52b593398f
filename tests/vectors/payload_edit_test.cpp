#include "vectors/payload_edit.h"

#include <ctime>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"

namespace pandora::qdrant {
namespace {

using Value = nlohmann::ordered_json;
using Steps = std::vector<PathStep>;

PayloadPath path(const std::string& text) { return PayloadPath::parse(text).value(); }
std::vector<PayloadPath> paths(const std::vector<std::string>& texts) {
  std::vector<PayloadPath> all;
  for (const std::string& text : texts) all.push_back(path(text));
  return all;
}
std::string cut(const std::string& payload, const std::vector<std::string>& keys) {
  return PayloadCut(paths(keys)).apply(payload);
}

// The same in the simplest words, one path after the other on a tree of values.
void merge_at(Value& at, const Steps& steps, std::size_t from, const Value& change) {
  if (from == steps.size()) {
    if (!at.is_object()) at = Value::object();
    for (const auto& [name, value] : change.items())
      if (value.is_null())
        at.erase(name);
      else
        at[name] = value;
  } else if (const PathStep& step = steps[from]; step.kind == PathStep::Kind::kKey) {
    if (!at.is_object()) at = Value::object();
    merge_at(at[step.key], steps, from + 1, change);
  } else {
    if (!at.is_array()) at = Value::array();
    for (std::size_t i = 0; i < at.size(); ++i)
      if (step.kind == PathStep::Kind::kEvery || i == step.index) merge_at(at[i], steps, from + 1, change);
  }
}
void erase_at(Value& at, const Steps& steps, std::size_t from) {
  const PathStep& step = steps[from];
  const bool last = from + 1 == steps.size();
  if (step.kind == PathStep::Kind::kKey) {
    if (!at.is_object() || !at.contains(step.key)) return;
    if (last)
      at.erase(step.key);
    else
      erase_at(at[step.key], steps, from + 1);
  } else if (at.is_array()) {
    if (last && step.kind == PathStep::Kind::kEvery) at = Value::array();
    for (std::size_t i = 0; !last && i < at.size(); ++i)
      if (step.kind == PathStep::Kind::kEvery || i == step.index) erase_at(at[i], steps, from + 1);
  }
}

class Made {
 public:
  explicit Made(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_.next() % n; }
  Value value(int depth) {
    const std::size_t kind = depth == 0 ? 2 : below(3);
    if (kind == 2) return below(6) == 0 ? Value() : Value(below(100));
    Value made = kind == 0 ? Value::object() : Value::array();
    for (std::size_t i = below(4); i > 0; --i)
      if (kind == 0)
        made[name()] = value(depth - 1);
      else
        made.push_back(value(depth - 1));
    return made;
  }
  Value object(int depth) {
    Value made = Value::object();
    for (std::size_t i = below(4); i > 0; --i) made[name()] = value(depth - 1);
    return made;
  }
  std::string path() {
    std::string text = name();
    for (std::size_t i = below(4); i > 0; --i) {
      const std::size_t kind = below(4);
      text += kind == 0 ? "[]" : kind == 1 ? "[" + std::to_string(below(3)) + "]" : "." + name();
    }
    return text;
  }

 private:
  std::string name() { return std::string(1, static_cast<char>('a' + below(3))); }
  SeededRandom random_;
};

TEST(PayloadEdit, what_becomes_of_a_payload_is_what_one_path_after_the_other_makes_of_it) {
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Made made(seed);
    const Value payload = made.object(4);
    const Value change = made.object(2);
    const PayloadPath at = path(made.path());
    Value merged = payload;
    merge_at(merged, at.steps(), 0, change);
    ASSERT_EQ(merge_payload(payload.dump(), change.dump(), &at), merged.dump()) << payload << ' ' << at.to_text();
    Value joined = payload;
    merge_at(joined, {}, 0, change);
    ASSERT_EQ(merge_payload(payload.dump(), change.dump(), nullptr), joined.dump()) << payload;
    std::vector<std::string> keys;
    for (std::size_t i = made.below(4); i > 0; --i) keys.push_back(made.path());
    Value less = payload;
    for (const std::string& key : keys) erase_at(less, path(key).steps(), 0);
    ASSERT_EQ(cut(payload.dump(), keys), less.dump()) << payload << ' ' << Value(keys);
  }
}

TEST(PayloadEdit, a_null_takes_a_key_away_and_a_path_makes_what_it_needs) {
  const auto set = [](const std::string& payload, const std::string& key, const std::string& change) {
    const PayloadPath at = path(key);
    return merge_payload(payload, change, &at);
  };
  EXPECT_EQ(merge_payload(R"({"a":1,"b":2})", R"({"a":null,"c":null,"d":3})", nullptr), R"({"b":2,"d":3})");
  EXPECT_EQ(set(R"({"k":{"a":1,"b":2}})", "k", R"({"a":null})"), R"({"k":{"b":2}})");
  EXPECT_EQ(set("{}", "k", R"({"a":null})"), R"({"k":{}})");
  EXPECT_EQ(set(R"({"l":[1,2]})", "l[1]", R"({"v":1})"), R"({"l":[1,{"v":1}]})");
  EXPECT_EQ(set(R"({"l":[1]})", "l[3]", R"({"v":1})"), R"({"l":[1]})");
  EXPECT_EQ(set("{}", "m.n[0]", R"({"v":1})"), R"({"m":{"n":[]}})");
  EXPECT_EQ(set(R"({"x":10})", "x[].q", R"({"v":1})"), R"({"x":[]})");
  EXPECT_EQ(set(R"({"x":[{"v":0},5]})", "x[]", R"({"v":1})"), R"({"x":[{"v":1},{"v":1}]})");
}

TEST(PayloadEdit, an_item_of_an_array_is_not_removed_by_its_index_but_what_is_in_it) {
  EXPECT_EQ(cut(R"({"a":[1,2,3]})", {"a[0]"}), R"({"a":[1,2,3]})");
  EXPECT_EQ(cut(R"({"a":[{"b":1,"c":2},{"b":3}]})", {"a[0].b", "a[1]"}), R"({"a":[{"c":2},{"b":3}]})");
  EXPECT_EQ(cut(R"({"a":[1,2]})", {"a[]", "a[0]"}), R"({"a":[]})");
}

TEST(PayloadEdit, a_key_is_found_however_it_was_written_and_what_stays_is_as_it_was) {
  EXPECT_EQ(cut(R"({"\u0061":1,"b":1.50})", {"a"}), R"({"b":1.50})");
  EXPECT_EQ(merge_payload(R"({"\u0061":1})", R"({"a":2})", nullptr), R"({"\u0061":2})");
  const PayloadPath quote = path("a");
  EXPECT_EQ(merge_payload("{}", R"({"k":1})", &quote), R"({"a":{"k":1}})");
}

TEST(PayloadEdit, of_a_selector_only_what_it_includes_is_shown) {
  const auto shown = [](PayloadSelector::Kind kind, const std::vector<std::string>& keys, const char* payload) {
    std::string out;
    PayloadView(PayloadSelector{kind, paths(keys)}).append(out, payload);
    return out;
  };
  constexpr auto kInclude = PayloadSelector::Kind::kInclude, kExclude = PayloadSelector::Kind::kExclude;
  const char* const payload = R"({"a":[{"x":1,"y":2},{"z":3},4],"b":{"c":5},"d":6,"e":null})";
  EXPECT_EQ(shown(kInclude, {"a[].x", "b"}, payload), R"({"a":[{"x":1},{},4],"b":{"c":5}})");
  EXPECT_EQ(shown(kInclude, {"b.q", "d.q", "e.q", "n"}, payload), R"({"b":{},"d":6,"e":null})");
  EXPECT_EQ(shown(kInclude, {"a[1].z", "b[0]"}, payload), R"({"a":[],"b":{}})");
  EXPECT_EQ(shown(kInclude, {"a.x"}, payload), R"({"a":[]})");
  EXPECT_EQ(shown(kExclude, {"a[].x", "b.c", "d"}, payload), R"({"a":[{"y":2},{"z":3},4],"b":{},"e":null})");
  EXPECT_EQ(shown(kExclude, {"a[0]", "a[0].x", "b", "d"}, payload), R"({"a":[{"x":1,"y":2},{"z":3},4],"e":null})");
}

TEST(PayloadEdit, of_many_keys_each_costs_little) {
  std::string payload = "{", change = "{";
  std::vector<std::string> keys;
  for (int i = 0; i < 100'000; ++i) {
    const std::string key = "key_" + std::to_string(i), separator = i > 0 ? "," : "";
    payload += separator + "\"" + key + "\":1";
    change += separator + "\"other_" + key + "\":1";
    keys.push_back(key);
  }
  payload += '}', change += '}';
  const std::clock_t begun = std::clock();  // of the processor: others may want it too
  EXPECT_EQ(merge_payload(payload, change, nullptr).size(), payload.size() + change.size() - 1);
  EXPECT_EQ(cut(payload, keys), "{}");
  std::string out;
  PayloadView({PayloadSelector::Kind::kInclude, paths(keys)}).append(out, payload);
  EXPECT_EQ(out, payload);
  EXPECT_LT(std::clock() - begun, 10 * CLOCKS_PER_SEC);  // much more when it is quadratic
}

}  // namespace
}  // namespace pandora::qdrant
