// The arguments of a call against the JSON schema of its tool (draft 7), before anything runs. Thread-safe.
//
// What is wrong is said by place ("query: is missing"), at most kMaxShownFaults of them, so that a model can put it
// right; the remedy names what the tool takes.
#pragma once
#include <memory>
#include <string>

#include "wire/json_reader.h"

namespace pandora {

inline constexpr std::size_t kMaxShownFaults = 5;
inline constexpr std::size_t kMaxArgumentDepth = 32;  // of objects and lists within each other

class ArgumentSchema {
 public:
  // kInvalidArgument: no schema, or none of an object.
  static Result<ArgumentSchema> parse(std::string_view tool, std::string_view schema);
  // The object that the text holds. kInvalidArgument, kTooLarge past `max_bytes`.
  Result<Json> read(std::string_view arguments, std::size_t max_bytes) const;

 private:
  struct Compiled;
  explicit ArgumentSchema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace pandora
