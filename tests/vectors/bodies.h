// Bodies of requests as the tests of the library write them.
#pragma once
#include <string>

#include "wire/qdrant_collection.h"

namespace pandora::qdrant {

inline constexpr const char* kPlain = R"({"vectors":{"size":2,"distance":"Dot"}})";  // of a collection

// Reads in `text`, which has to be there as long.
inline JsonTape tape_of(const std::string& text) { return JsonTape::parse(text).value(); }

inline CollectionParams params_of(const std::string& text) {
  return read_create_collection(tape_of(text).root()).value();
}

}  // namespace pandora::qdrant
