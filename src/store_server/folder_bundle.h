// A folder as one object: "pandora folder 1", then each document by its path within the folder, in their order.
//
//   pandora folder 1
//   5 context.md
//   hello
//   2 webpage_cache/1.html
//   <>
//
// Each document is a line with its size in bytes and its path, the bytes as they are, and a line's end.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

using FolderBundle = std::map<std::string, std::string>;  // bytes by path

inline constexpr std::size_t kMaxBundledDocuments = 10'000;

std::string encode_bundle(const FolderBundle& documents);
Result<FolderBundle> decode_bundle(std::string_view bytes);  // kDataCorrupt, kIncompatible (a newer form)

}  // namespace pandora
