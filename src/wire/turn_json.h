// Turns, records, memories, research and sources as JSON, lossless both ways.
//
// Every document that is stored carries {"format": name, "version": n}; a newer version is kIncompatible, anything
// malformed kDataCorrupt with its place. Formats and golden files: docs/formats.md. Never throws.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "domain/source.h"
#include "domain/turn_record.h"
#include "wire/json_reader.h"

namespace pandora {

inline constexpr int kTurnFormatVersion = 1;
// Of a record and of metadata.json when the turn has objects: a program of before there were any must not take them.
inline constexpr int kTurnWithObjectsVersion = 2;
inline constexpr std::size_t kMaxRecordBytes = 64u << 20;

// Plain values, as results of operations show them and documents hold them.
Json to_json(const Utterance& utterance);
Json to_json(const TurnObject& object);
Json to_json(const Turn& turn);
Json to_json(const Memory& memory);
Json to_json(const Research& research);
Json to_json(const Source& source);
Json to_json(const Observation& observation);
Json to_json(const GatheredItem& item);
Result<Turn> turn_from_json(const Json& json, const std::string& place);
// As a row of turns holds it, without its format: each save writes one and an answer reads many, so this is the quick
// way. The text is that of `to_json`, under the number that the row says.
std::string row_of_turn(const Turn& turn, TurnNumber number);
Result<Turn> turn_of_row(std::string_view document);
// Of many, in their order, by all of the pool's threads; the first that cannot be read is the error.
Result<std::vector<Turn>> turns_of_rows(std::span<const std::string_view> documents, ThreadPool& pool);
Result<Memory> memory_from_json(const Json& json, const std::string& place);
Result<Research> research_from_json(const Json& json, const std::string& place);
Result<Source> source_from_json(const Json& json, const std::string& place);
Result<Observation> observation_from_json(const Json& json, const std::string& place);
Result<Finding> finding_from_json(const Json& json, const std::string& place);

// The journal's record: everything of a turn.
std::string encode_record(const TurnRecord& record);
Result<TurnRecord> decode_record(std::string_view bytes);

// metadata.json: what the rows hold of a turn and of what came with it (all of a record but its context document and
// its observations, which have files of their own).
std::string encode_metadata(const TurnRecord& record);
Result<TurnRecord> decode_metadata(std::string_view bytes);
// metrics.json: the observations.
std::string encode_metrics(const std::vector<Observation>& observations);
Result<std::vector<Observation>> decode_metrics(std::string_view bytes);

// memories/<id>.json, research/<id>.json, site_knowledge/<domain>.json
std::string encode_memory(const Memory& memory);
Result<Memory> decode_memory(std::string_view bytes);
std::string encode_research(const Research& research);
Result<Research> decode_research(std::string_view bytes);
std::string encode_source(const Source& source);
Result<Source> decode_source(std::string_view bytes);

}  // namespace pandora
