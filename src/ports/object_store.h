// Binaries (screenshots, images) by the SHA-256 of their content. A directory or an S3 server. Thread-safe; a put that
// returned is durable, and so is a removal.
//
// Errors: kNotFound, kInvalidArgument (a key that is not 64 lower-case hexadecimal digits, a media type that is none),
// kTooLarge, kDataCorrupt, kStorageFull, kPermissionDenied, kUnavailable, kDeadlineExceeded (also a deadline that had
// passed before: nothing is done).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace pandora {

inline constexpr std::size_t kMaxObjectBytes = 64 * 1024 * 1024;
inline constexpr std::size_t kMaxMediaType = 127;  // "image/png": printable ASCII with one "/", neither first nor last
inline constexpr std::size_t kMaxObjectList = 1'000;

struct ObjectInfo {
  std::string key;
  std::uint64_t size = 0;
  std::string media_type;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // The key of the content, which may be empty; storing the same twice is storing it once (the first media type stays).
  virtual Result<std::string> put(std::string_view bytes, const std::string& media_type, const Deadline& deadline) = 0;
  virtual Result<std::string> get(const std::string& key,
                                  const Deadline& deadline) = 0;  // kDataCorrupt on another hash
  virtual Result<ObjectInfo> info(const std::string& key, const Deadline& deadline) = 0;
  virtual Status remove(const std::string& key, const Deadline& deadline) = 0;  // missing is fine
  // Ascending keys above `after` (empty, or a key that need not be there), at most `limit` (up to kMaxObjectList).
  virtual Result<std::vector<ObjectInfo>> list(const std::string& after, std::size_t limit,
                                               const Deadline& deadline) = 0;
};

}  // namespace pandora
