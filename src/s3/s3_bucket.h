// A bucket of an S3 server, AWS's or another. Thread-safe; blocks.
//
// What is asked is signed (s3_signature.h); a call that the server had no time for (503, 500, 429), or that met another
// of the same key (409), or whose connection ended before the answer began, is made again, kS3Attempts times in all,
// after a pause that doubles. Every call here may be made twice. Errors: kNotFound (the key), kConflict (a condition
// was not met), kUnauthenticated, kPermissionDenied, kInvalidArgument (no such bucket), kUnavailable (away, cut off,
// its clock and ours differ), kResourceExhausted (it asks to slow down), kStorageFull, kTooLarge, kDeadlineExceeded:
// each names the server, with its remedy, and never a secret.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http_client.h"
#include "net/url.h"
#include "s3/s3_signature.h"

namespace pandora {

inline constexpr int kS3Attempts = 4;
inline constexpr std::size_t kS3PartBytes = 16 << 20;  // a longer object is sent in parts of this size
inline constexpr std::size_t kMaxS3Bytes = 256 << 20;  // of one object
inline constexpr std::size_t kMaxS3Page = 1'000;

enum class S3Style {
  kPath,     // http://server/bucket/key: what servers of one's own want
  kVirtual,  // http://bucket.server/key: what AWS wants
};

struct S3Options {
  std::string endpoint;  // "http://127.0.0.1:7070"; no path
  std::string region = "us-east-1";
  std::string bucket;
  S3Credentials credentials;
  S3Style style = S3Style::kPath;
  HttpTimeouts timeouts{std::chrono::seconds(5), std::chrono::seconds(30), std::chrono::seconds(30)};
  Duration pause = std::chrono::milliseconds(200);  // before the second attempt
};

enum class S3When { kAlways, kNew };  // kNew: kConflict when there is something under the key
struct S3Object {
  std::string bytes, media_type, tag;  // the tag tells one content of a key from another
};
struct S3Head {
  std::uint64_t size = 0;
  std::string media_type, tag;
};
struct S3Listed {
  std::string key;
  std::uint64_t size = 0;
};
struct S3Page {
  std::vector<S3Listed> objects;     // ascending by their bytes
  std::vector<std::string> folders;  // with a delimiter: what keys have in common up to it, with it
  std::string next;                  // to go on with; empty: that was all
};

class S3Bucket {
 public:
  // kInvalidArgument: an endpoint, bucket or region that is none, no credentials. Nothing is sent yet. `client` and
  // `clock` outlive it.
  static Result<std::unique_ptr<S3Bucket>> create(S3Options options, HttpClient& client, const Clock& clock);

  // Durable when it returns. The tag of what is there now.
  Result<std::string> put(const std::string& key, std::string_view bytes, const std::string& media_type, S3When when,
                          const Deadline& deadline);
  // Only when what is there has this tag; kConflict otherwise.
  Result<std::string> replace(const std::string& key, std::string_view bytes, const std::string& media_type,
                              const std::string& tag, const Deadline& deadline);
  Result<S3Object> get(const std::string& key, const Deadline& deadline);
  Result<S3Head> head(const std::string& key, const Deadline& deadline);
  Status remove(const std::string& key, const Deadline& deadline);  // missing is fine
  // Keys that begin with `prefix`, above `after` (a key; empty: from the first), or from where a page said `next`.
  struct Listing {
    std::string prefix, after, next;
    std::string delimiter;  // "/": folders are told instead of what is in them
    std::size_t limit = kMaxS3Page;
  };
  Result<S3Page> list(const Listing& listing, const Deadline& deadline);
  // That the bucket is there, and what is under the prefix ours to list.
  Status check(const std::string& prefix, const Deadline& deadline);
  // That conditions hold there, which some servers take and do not keep: kIncompatible. Under a key that nobody has;
  // nothing stays of it.
  Status check_conditions(const std::string& key, const Deadline& deadline);
  std::string place() const;  // "bucket at http://127.0.0.1:7070", for messages

 private:
  S3Bucket(S3Options options, Url endpoint, HttpClient& client, const Clock& clock);
  struct Call {
    std::string method = "GET", key;
    std::map<std::string, std::string> query, headers;
    std::string_view body;
    std::string sha256;  // of the body; empty: to be made
  };
  Result<HttpResponse> send(const Call& call, const Deadline& deadline);
  Result<HttpResponse> send_once(const Call& call, const Deadline& deadline);
  Result<std::string> store(Call call, const std::string& key, std::string_view bytes, const std::string& media_type,
                            const Deadline& deadline);
  Result<std::string> put_together_already(const Call& whole, const std::string& before, const Error& unknown,
                                           const Deadline& deadline);
  Result<std::string> store_in_parts(const Call& whole, const Deadline& deadline);
  Error error_of(const HttpResponse& response, const Call& call) const;

  const S3Options options_;
  const Url endpoint_;
  HttpClient& client_;
  const Clock& clock_;
};

}  // namespace pandora
