// Lets in who may come in: by the key of a request, its scopes and its limits.
//
// Without any key in the ring, and on loopback, everybody is the owner. Otherwise each request names a key as OpenAI's
// clients do ("Authorization: Bearer sk-…"), and what is refused is refused with OpenAI's statuses, codes and headers:
// 401 before a byte of the body is read, 403 for a scope that is missing, 429 with Retry-After. Thread-safe.
#pragma once
#include "access/key_ring.h"
#include "access/rate_limiter.h"
#include "gateway/caller.h"
#include "net/origin_check.h"

namespace pandora {

// What a path asks of its callers.
enum class Entry {
  kOpen,   // answers strangers too
  kKnown,  // any key
  kScope,  // a key with the scope
};
struct Needs {
  Entry entry = Entry::kKnown;
  KeyScope scope = KeyScope::kChat;
  static Needs nothing() { return {Entry::kOpen, {}}; }
  static Needs a_key() { return {Entry::kKnown, {}}; }
  static Needs of(KeyScope scope) { return {Entry::kScope, scope}; }
};

// Of an address to listen on; what is none counts as beyond.
Exposure exposure_of(const std::string& address);

class Guard {
 public:
  // `ring` and `cache` may be null together; all of it outlives the guard.
  Guard(KeyRing* ring, Cache* cache, UserId owner, Exposure exposure, const Clock& clock);

  using Identified = tl::expected<Caller, HttpResponse>;
  Identified identify(const HttpRequest& head, const Needs& needs);
  // Counts a request of the caller's; the headers that tell him his limits, or the refusal.
  tl::expected<HttpHeaders, HttpResponse> count(const Caller& caller);
  void count_tokens(const Caller& caller, std::int64_t tokens);
  bool is_open() const;  // nobody needs a key

 private:
  KeyRing* const ring_;
  const UserId owner_;
  const Exposure exposure_;
  const Clock& clock_;
  std::optional<RateLimiter> limiter_;
};

}  // namespace pandora
