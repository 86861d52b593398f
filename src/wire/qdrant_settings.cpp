#include "wire/qdrant_settings.h"

#include <array>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "wire/qdrant_read.h"

namespace pandora::qdrant {
namespace {

constexpr double kAny = -std::numeric_limits<double>::infinity(), kEndless = std::numeric_limits<double>::infinity();

struct Setting {
  enum class Kind { kCount, kNumber, kFlag, kSwitch, kThreads, kOneOf, kBlock, kByVector } kind = Kind::kCount;
  const char* name = "";
  const char* alias = nullptr;
  double least = kAny, most = kEndless;
  std::span<const char* const> choices = {};  // of kOneOf
  std::span<const Setting> members = {};      // of kBlock, and of each vector's in kByVector
  bool required = false;
};

using enum Setting::Kind;
constexpr Setting count(const char* name, double least = kAny, const char* alias = nullptr) {
  return {kCount, name, alias, least};
}
constexpr Setting flag(const char* name) { return {kFlag, name}; }
constexpr Setting on_or_off(const char* name) { return {kSwitch, name}; }  // null does not stand for "not given"

constexpr const char* kDatatypes[] = {"float32", "uint8", "float16"};
constexpr const char* kScalars[] = {"int8"};
constexpr const char* kCompressions[] = {"x4", "x8", "x16", "x32", "x64"};
constexpr const char* kEncodings[] = {"one_bit", "two_bits", "one_and_half_bits"};
constexpr const char* kQueryEncodings[] = {"default", "binary", "scalar4bits", "scalar8bits"};
constexpr const char* kTurboBits[] = {"bits1", "bits1_5", "bits2", "bits4"};

constexpr Setting kGraphSettings[] = {count("m"),
                                      count("ef_construct", 4),
                                      count("full_scan_threshold", 10, "full_scan_threshold_kb"),
                                      count("max_indexing_threads"),
                                      flag("on_disk"),
                                      count("payload_m"),
                                      flag("inline_storage")};
constexpr Setting kOptimizerSettings[] = {{kNumber, "deleted_threshold", nullptr, 0, 1},
                                          count("vacuum_min_vector_number", 100),
                                          count("default_segment_number"),
                                          count("max_segment_size", 1, "max_segment_size_kb"),
                                          count("memmap_threshold", kAny, "memmap_threshold_kb"),
                                          count("indexing_threshold", kAny, "indexing_threshold_kb"),
                                          count("flush_interval_sec"),
                                          {kThreads, "max_optimization_threads"},
                                          flag("prevent_unoptimized")};
constexpr Setting kLogSettings[] = {count("wal_capacity_mb", 1), count("wal_segments_ahead"),
                                    count("wal_retain_closed")};
constexpr Setting kMostVectors[] = {count("max_vectors", 1)}, kMostTerms[] = {count("max_length", 1)};
constexpr Setting kStrictSettings[] = {flag("enabled"),
                                       count("max_query_limit", 1),
                                       count("max_timeout", 1),
                                       flag("unindexed_filtering_retrieve"),
                                       flag("unindexed_filtering_update"),
                                       count("search_max_hnsw_ef"),
                                       flag("search_allow_exact"),
                                       {kNumber, "search_max_oversampling"},
                                       count("upsert_max_batchsize"),
                                       count("search_max_batchsize"),
                                       count("max_collection_vector_size_bytes"),
                                       count("read_rate_limit", 1),
                                       count("write_rate_limit", 1),
                                       count("max_collection_payload_size_bytes"),
                                       count("max_points_count", 1),
                                       count("filter_max_conditions"),
                                       count("condition_max_size"),
                                       {kByVector, "multivector_config", nullptr, kAny, kEndless, {}, kMostVectors},
                                       {kByVector, "sparse_config", nullptr, kAny, kEndless, {}, kMostTerms},
                                       count("max_payload_index_count")};
constexpr Setting kChangedSettings[] = {count("replication_factor"), count("write_consistency_factor"),
                                        count("read_fan_out_factor"), count("read_fan_out_delay_ms"),
                                        flag("on_disk_payload")};
constexpr Setting kSparseSettings[] = {
    count("full_scan_threshold"), flag("on_disk"), {kOneOf, "datatype", nullptr, kAny, kEndless, kDatatypes}};
constexpr Setting kCodeSettings[] = {on_or_off("ignore"), flag("rescore"), {kNumber, "oversampling", nullptr, 1}};
constexpr Setting kAcornSettings[] = {on_or_off("enable"), {kNumber, "max_selectivity", nullptr, 0, 1}};
constexpr Setting kSearchSettings[] = {count("hnsw_ef"),
                                       on_or_off("exact"),
                                       on_or_off("indexed_only"),
                                       {kBlock, "quantization", nullptr, kAny, kEndless, {}, kCodeSettings},
                                       {kBlock, "acorn", nullptr, kAny, kEndless, {}, kAcornSettings}};

constexpr Setting kScalarSettings[] = {{kOneOf, "type", nullptr, kAny, kEndless, kScalars, {}, true},
                                       {kNumber, "quantile", nullptr, 0.5, 1},
                                       flag("always_ram")};
constexpr Setting kProductSettings[] = {{kOneOf, "compression", nullptr, kAny, kEndless, kCompressions, {}, true},
                                        flag("always_ram")};
constexpr Setting kBinarySettings[] = {flag("always_ram"),
                                       {kOneOf, "encoding", nullptr, kAny, kEndless, kEncodings},
                                       {kOneOf, "query_encoding", nullptr, kAny, kEndless, kQueryEncodings}};
constexpr Setting kTurboSettings[] = {flag("always_ram"), {kOneOf, "bits", nullptr, kAny, kEndless, kTurboBits}};

std::span<const Setting> settings_of(SettingsOf block) {
  switch (block) {
    case SettingsOf::kGraph:
      return kGraphSettings;
    case SettingsOf::kOptimizers:
      return kOptimizerSettings;
    case SettingsOf::kLog:
      return kLogSettings;
    case SettingsOf::kStrictMode:
      return kStrictSettings;
    case SettingsOf::kChangedParams:
      return kChangedSettings;
    case SettingsOf::kSparseIndex:
      return kSparseSettings;
    default:
      return kSearchSettings;
  }
}

std::string bounds_text(const Setting& setting) {
  if (setting.most == kEndless) return fmt::format("must be {} or larger", setting.least);
  return fmt::format("must be from {} to {}", setting.least, setting.most);
}

Outcome<Json> read_members(JsonNode node, std::span<const Setting> settings, const std::string& place,
                           Objections& objections);

Outcome<Json> read_one(JsonNode node, const Setting& setting, const std::string& place, Objections& objections) {
  switch (setting.kind) {
    case kFlag:
    case kSwitch: {
      PANDORA_TRY(flag, read_bool(node));
      return Json(flag);
    }
    case kThreads:
      if (node.text_is("auto")) return Json();
      [[fallthrough]];
    case kCount: {
      PANDORA_TRY(count, read_size(node));
      if (static_cast<double>(count) < setting.least)
        objections.out_of_bounds(
            bad_value(fmt::format("{}: value {} invalid, {}", place, count, bounds_text(setting))));
      return Json(count);
    }
    case kNumber: {
      if (!node.is_number()) return fail(invalid_type(node, "f64"));
      const double number = node.number();
      if (!(number >= setting.least && number <= setting.most))
        objections.out_of_bounds(
            bad_value(fmt::format("{}: value {} invalid, {}", place, number, bounds_text(setting))));
      return Json(number);
    }
    case kOneOf:
      for (const char* choice : setting.choices)
        if (node.text_is(choice)) return Json(choice);
      return fail(bad_format(fmt::format("unknown variant {}, expected one of `{}`", node.raw().substr(0, 100),
                                         fmt::join(setting.choices, "`, `"))));
    case kBlock:
      return read_members(node, setting.members, place, objections);
    default: {
      if (!node.is_object()) return fail(invalid_type(node, "a map"));
      Json all = Json::object();
      for (JsonNode key = node.first(); key; key = key.next().next()) {
        const std::string name = key.text();
        PANDORA_TRY(one, read_members(key.next(), setting.members, fmt::format("{}.{}", place, name), objections));
        all[name] = std::move(one);
      }
      return all;
    }
  }
}

Outcome<Json> read_members(JsonNode node, std::span<const Setting> settings, const std::string& place,
                           Objections& objections) {
  if (!node.is_object()) return fail(invalid_type(node, fmt::format("an object for `{}`", place)));
  Json read = Json::object();
  for (const Setting& setting : settings) {
    JsonNode given = setting.kind == kSwitch ? node.find(setting.name) : optional_member(node, setting.name);
    if (!given && setting.alias) given = optional_member(node, setting.alias);
    if (!given && setting.required) return fail(bad_format(fmt::format("missing field `{}`", setting.name)));
    if (!given) continue;
    PANDORA_TRY(one, read_one(given, setting, fmt::format("{}.{}", place, setting.name), objections));
    read[setting.name] = std::move(one);
  }
  return read;
}

}  // namespace

Outcome<void> Objections::verdict() const {
  if (bounds_) return fail(*bounds_);
  if (served_) return fail(*served_);
  return {};
}

Outcome<Json> read_settings(SettingsOf block, JsonNode node, const std::string& place, Objections& objections) {
  return read_members(node, settings_of(block), place, objections);
}

Outcome<Json> read_quantization(JsonNode node, const std::string& place, Disabling disabling, Objections& objections) {
  if (disabling == Disabling::kTaken && node.text_is("Disabled")) return Json();
  constexpr std::pair<const char*, std::span<const Setting>> kKinds[] = {{"scalar", kScalarSettings},
                                                                         {"product", kProductSettings},
                                                                         {"binary", kBinarySettings},
                                                                         {"turbo", kTurboSettings}};
  if (node.is_object())
    for (const auto& [kind, settings] : kKinds)
      if (const JsonNode given = node.find(kind))
        if (auto read = read_members(given, settings, fmt::format("{}.{}", place, kind), objections))
          return Json{{kind, *std::move(read)}};
  return fail(bad_format("data did not match any variant of untagged enum QuantizationConfig"));
}

Outcome<Json> read_metadata(JsonNode node) {
  if (!node.is_object()) return fail(invalid_type(node, "a map"));
  Json read = Json::parse(node.raw(), nullptr, false);
  if (read.is_discarded()) return fail(bad_format("number out of range"));  // all else the body's parser has refused
  return read;
}

Outcome<Json> read_factor(JsonNode node, const std::string& place, Objections& objections) {
  PANDORA_TRY(factor, read_size(node));
  if (factor > std::numeric_limits<std::uint32_t>::max())
    return fail(bad_format(fmt::format("invalid value: integer `{}`, expected u32", factor)));
  if (factor == 0) objections.out_of_bounds(bad_value(fmt::format("{}: value 0 invalid, must be 1 or larger", place)));
  return Json(factor);
}

}  // namespace pandora::qdrant
