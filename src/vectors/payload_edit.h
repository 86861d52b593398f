// Payloads changed and shown in part. A payload is compact JSON text, an object; paths are applied as far as they lead.
//
// All of it walks the text once, whatever the number of keys: in time linear in the payload but for a logarithm.
#pragma once
#include <map>
#include <memory>

#include "wire/qdrant_query.h"

namespace pandora::qdrant {

inline constexpr std::size_t kMaxPayloadText = 16 * 1024 * 1024;    // of one point
inline constexpr std::size_t kMaxPayloadDepth = kMaxJsonDepth - 3;  // as deep as it fits into the body of an upsert

// Paths; those that begin alike share their beginning, so that many cost no more to follow than one.
struct PathTree {
  bool ends = false;  // a path leads just here
  std::map<std::string, std::unique_ptr<PathTree>, std::less<>> keys;
  std::map<std::size_t, std::unique_ptr<PathTree>> items;
  std::unique_ptr<PathTree> every;
  void add(const PayloadPath& path);
};

// Removes what paths lead to; an item of an array by its index stays, since to remove it twice would be another thing.
// For many payloads.
class PayloadCut {
 public:
  explicit PayloadCut(const std::vector<PayloadPath>& paths);
  std::string apply(std::string_view payload) const;

 private:
  PathTree tree_;
};

// Lets through what a selector says. Of the items of an array all or none: a path with an index includes none of them
// and excludes nothing. For many payloads.
class PayloadView {
 public:
  explicit PayloadView(const PayloadSelector& selector);
  bool is_none() const { return kind_ == PayloadSelector::Kind::kNone; }
  void append(std::string& out, std::string_view payload) const;  // not of none

 private:
  PayloadSelector::Kind kind_;
  PathTree included_;
  PayloadCut excluded_;
};

// Top-level keys of `change` replace those of `payload`, or are removed by a null; below `key`, when there is one. What
// is no object there becomes one, and what is no array an empty one where the path asks for items.
std::string merge_payload(const std::string& payload, const std::string& change, const PayloadPath* key);

bool is_too_deep(const std::string& payload);  // for kMaxPayloadDepth

}  // namespace pandora::qdrant
