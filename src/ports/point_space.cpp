#include "ports/point_space.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hash.h"

namespace pandora {
namespace {
constexpr std::size_t kSuffixDigits = 8;
constexpr std::array kPlainNames = {kTurnsCollection, kMemoriesCollection, kResearchCollection};
}  // namespace

std::string PointOrigin::text() const {
  return fmt::format("{}@{} ({} dimensions, analyser {}, form {})", embedder.model, embedder.revision,
                     embedder.dimension, analyzer, form);
}

std::shared_ptr<const PointSpace> make_point_space(PointOrigin origin, std::string suffix,
                                                   std::shared_ptr<Embedder> embedder) {
  const auto named = [&](std::string_view plain) { return fmt::format("{}{}", plain, suffix); };
  return std::make_shared<const PointSpace>(PointSpace{std::move(origin), suffix, std::move(embedder),
                                                       named(kTurnsCollection), named(kMemoriesCollection),
                                                       named(kResearchCollection)});
}

std::shared_ptr<const PointSpace> make_point_space(std::shared_ptr<Embedder> embedder) {
  PointOrigin origin{embedder->identity()};
  return make_point_space(std::move(origin), "", std::move(embedder));
}

std::string suffix_of(const PointOrigin& origin) { return "_" + sha256_hex(origin.text()).substr(0, kSuffixDigits); }

bool is_space_collection(const std::string& name) {
  return std::ranges::any_of(kPlainNames, [&](std::string_view plain) {
    if (!name.starts_with(plain)) return false;
    const std::string_view suffix = std::string_view(name).substr(plain.size());
    return suffix.empty() || (suffix.size() == kSuffixDigits + 1 && suffix[0] == '_' &&
                              suffix.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos);
  });
}

std::shared_ptr<const PointSpace> PointSpaces::current() const {
  const std::lock_guard lock(reading_);
  return current_;
}

void PointSpaces::Writing::set_next(std::shared_ptr<const PointSpace> next) {
  spaces_.next_ = std::move(next);
  spaces_.next_error_.reset();
}

void PointSpaces::Writing::switch_to_next() {
  std::shared_ptr<const PointSpace> old;  // let go outside of the lock
  {
    const std::lock_guard lock(spaces_.reading_);
    old = std::move(spaces_.current_);
    spaces_.current_ = std::move(spaces_.next_);
  }
  set_next(nullptr);
}

std::vector<CollectionSpec> collection_specs(const PointSpace& space) {
  const EmbedderIdentity& embedder = space.origin.embedder;
  const auto spec = [&](const std::string& name, std::map<std::string, PayloadType> indexes) {
    indexes.emplace("user_id", PayloadType::kKeyword);
    return CollectionSpec{name,
                          embedder.dimension,
                          {std::string(kLexicalVector)},
                          std::move(indexes),
                          embedder.model + "@" + embedder.revision,
                          space.origin.analyzer};
  };
  using enum PayloadType;
  return {
      spec(space.turns, {{"turn_number", kInteger},
                         {"session_id", kKeyword},
                         {"topic", kText},
                         {"intent", kKeyword},
                         {"timestamp", kDatetime},
                         {"quality", kFloat},
                         {"rejected", kBool},
                         {"turn_uid", kUuid}}),
      spec(space.research, {{"research_id", kUuid},
                            {"turn_number", kInteger},
                            {"primary_topic", kText},
                            {"scope", kKeyword},
                            {"quality", kFloat},
                            {"confidence", kFloat},
                            {"created_at", kDatetime},
                            {"expires_at", kDatetime},
                            {"domains", kKeyword}}),
      spec(space.memories, {{"memory_id", kUuid},
                            {"session_id", kKeyword},
                            {"kind", kKeyword},
                            {"topic", kText},
                            {"trust", kKeyword},
                            {"confidence", kFloat},
                            {"source_turn", kUuid},
                            {"created_at", kDatetime},
                            {"expires_at", kDatetime},
                            {"superseded", kBool},
                            {"scope", kKeyword}}),
  };
}

}  // namespace pandora
