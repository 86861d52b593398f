// Fetches a page of the public web and reads its text.
//
// Blocks; not on an I/O thread. Every address that is connected to is looked at, after the name was resolved and again
// at each redirect, so that neither a redirect nor a name that changes its mind leads to a private one
// (net/http_client.h, Reach::kPublicOnly). Bounded in time, bytes as they come, bytes unpacked, text, redirects.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/turn_record.h"
#include "fetch/html_text.h"
#include "net/http_client.h"

namespace pandora {

struct FetchOptions {
  std::size_t body_bytes = 4 << 20;      // as they come; what is beyond is left, and said
  std::size_t unpacked_bytes = 8 << 20;  // likewise
  std::size_t text_bytes = 256 * 1024;   // likewise
  int redirects = 5;
  Duration time = std::chrono::seconds(20);  // all of it
  HttpTimeouts timeouts{std::chrono::seconds(5), std::chrono::seconds(10), std::chrono::seconds(5)};
  // Of the URL itself, and of what it redirects to. kAny is for tests, whose servers are on this machine.
  Reach reach = Reach::kPublicOnly, reach_redirected = Reach::kPublicOnly;
};

struct Page {
  std::string url;         // where it was found in the end
  std::string media_type;  // "text/html"
  std::string charset;     // as it was read: "UTF-8"
  Timestamp at;
  PageText content;
  std::string body;  // as it came, unpacked
  bool cut = false;  // of body or text something is missing
};

struct Fetched {
  Result<Page> page;
  // For the score of the source; none when it is not the source's fault: no URL, no public address, cancelled.
  std::optional<FetchAttempt> attempt;
};

// Errors: kInvalidArgument (no URL, a media type that holds no text), kPermissionDenied (not public; from https to
// http), kNotFound and kUnavailable (what the server answered, or nothing), kDeadlineExceeded, kDataCorrupt,
// kCancelled (`stopped`, asked every few milliseconds).
Fetched fetch_page(HttpClient& client, const Clock& clock, const std::string& url, const FetchOptions& options,
                   const Deadline& deadline, const std::function<bool()>& stopped);

}  // namespace pandora
