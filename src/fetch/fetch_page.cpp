#include "fetch/fetch_page.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/source.h"
#include "fetch/charset.h"
#include "fetch/content_coding.h"

namespace pandora {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(5);  // between two looks at `stopped`

struct Answer {
  ResponseHead head;
  std::string body;
  bool cut = false;
};

// Takes an answer until it is whole or long enough.
class Taking final : public HttpCallSink {
 public:
  explicit Taking(std::size_t most) : most_(most) {}
  void on_head(const ResponseHead& head) override {
    const std::lock_guard lock(mutex_);
    answer_.head = head;
  }
  Flow on_body(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    answer_.cut |= answer_.body.size() + bytes.size() > most_;
    answer_.body += bytes.substr(0, most_ - answer_.body.size());
    if (!answer_.cut) return Flow::kMore;
    done_ = true;
    changed_.notify_all();
    return Flow::kPause;
  }
  void on_done() override { end(std::nullopt); }
  void on_error(Error error) override { end(std::move(error)); }

  Result<Answer> wait(const std::function<bool()>& stopped) {
    std::unique_lock lock(mutex_);
    while (!done_) {
      lock.unlock();
      if (stopped()) return fail(ErrorCode::kCancelled, "the fetch was stopped");
      lock.lock();
      changed_.wait_for(lock, kLook, [&] { return done_; });
    }
    if (error_) return fail(*error_);
    return std::move(answer_);
  }

 private:
  void end(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    if (done_) return;  // it was long enough
    error_ = std::move(error);
    done_ = true;
    changed_.notify_all();
  }
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  std::optional<Error> error_;
  bool done_ = false;
};

std::string lower(std::string_view text) {
  std::string out(trim(text));
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

struct MediaType {
  std::string essence, charset;
};
MediaType media_type_of(std::string_view header) {
  MediaType type{lower(header.substr(0, header.find(';'))), {}};
  const std::string parameters = lower(header.substr(std::min(header.find(';'), header.size())));
  if (const std::size_t at = parameters.find("charset="); at != std::string::npos) {
    const std::string_view rest = std::string_view(parameters).substr(at + 8);
    const std::string_view bare = rest.starts_with('"') ? rest.substr(1) : rest;
    type.charset = trim(bare.substr(0, bare.find_first_of("\";")));
  }
  return type;
}

bool is_html(std::string_view type) { return type == "text/html" || type == "application/xhtml+xml"; }
bool is_text(std::string_view type) {
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
         type.ends_with("+json") || type.ends_with("+xml") || type == "application/javascript" ||
         type == "application/x-ndjson";
}
// Without a word of the server's.
std::string guessed_type(std::string_view body) {
  if (body.substr(0, 1024).find('\0') != std::string_view::npos) return "application/octet-stream";
  return trim(body).starts_with('<') ? "text/html" : "text/plain";
}

Status judge_status(int status) {
  if (status >= 200 && status < 300) return {};
  const std::string what(trim(fmt::format("the server answers {} {}", status, reason_phrase(status))));
  if (status >= 300 && status < 400) return fail(ErrorCode::kUnavailable, what);
  if (status == 404 || status == 410) return fail(ErrorCode::kNotFound, what);
  return fail(ErrorCode::kUnavailable, what);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

class Fetch {
 public:
  Fetch(HttpClient& client, const FetchOptions& options, const Deadline& deadline, const std::function<bool()>& stopped)
      : client_(client), options_(options), deadline_(deadline), stopped_(stopped) {}

  Result<Page> run(const std::string& address, const Clock& clock) {
    PANDORA_TRY(first, parse_url(address));
    url_ = std::move(first);
    for (int redirects = 0;; ++redirects) {
      PANDORA_TRY(answer, ask(redirects == 0 ? options_.reach : options_.reach_redirected));
      const std::string location(answer.head.headers.get("Location"));
      if (!is_redirect(answer.head.status) || location.empty()) return read(std::move(answer), clock.now());
      if (redirects >= options_.redirects)
        return fail(ErrorCode::kUnavailable, fmt::format("it redirects more than {} times", options_.redirects));
      PANDORA_TRY(next, resolve_url(url_, location));
      if (url_.is_secure() && !next.is_secure())
        return fail(ErrorCode::kPermissionDenied, "it redirects from https to http: " + next.authority());
      url_ = std::move(next);
    }
  }
  const Url& url() const { return url_; }

 private:
  Result<Answer> ask(Reach reach) {
    HttpCallRequest request;
    request.url = url_.to_string();
    request.headers = {{"Accept", "text/html, text/plain;q=0.9, application/json;q=0.8, text/*;q=0.7, */*;q=0.1"},
                       {"Accept-Encoding", std::string(kAcceptedCodings)}};
    request.options.timeouts = options_.timeouts;
    request.options.max_body_bytes = UINT64_MAX;  // the sink ends it
    request.options.reach = reach;
    Taking taking(options_.body_bytes);
    const auto call = client_.start(std::move(request), deadline_, taking);
    return taking.wait(stopped_);
  }

  Result<Page> read(Answer answer, Timestamp now) {
    PANDORA_CHECK(judge_status(answer.head.status));
    Page page;
    page.url = url_.to_string();
    page.at = now;
    if (answer.head.headers.count("Content-Encoding") > 1)
      return fail(ErrorCode::kInvalidArgument, "it is packed more than once");
    PANDORA_TRY(unpacked, unpack(answer.head.headers.get("Content-Encoding"), answer.body, options_.unpacked_bytes));
    page.body = std::move(unpacked.bytes);
    MediaType type = media_type_of(answer.head.headers.get("Content-Type"));
    if (type.essence.empty()) type.essence = guessed_type(page.body);
    page.media_type = type.essence;
    if (!is_html(type.essence) && !is_text(type.essence))
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("it is {}, which holds no text to read", one_line(ellipsize(type.essence, 60))));
    page.charset = charset_of(page.body, type.charset, is_html(type.essence));
    PANDORA_TRY(text, to_utf8(page.body, page.charset));
    if (is_html(type.essence)) {
      page.content = read_html(text, url_, options_.text_bytes, [&] { return stopped_() || deadline_.expired(); });
    } else {
      page.content.cut = text.size() > options_.text_bytes;
      page.content.text = ellipsize(text, options_.text_bytes);
    }
    if (stopped_()) return fail(ErrorCode::kCancelled, "the fetch was stopped");
    PANDORA_CHECK(deadline_.check("reading the page"));
    page.cut = answer.cut || unpacked.cut || page.content.cut;
    return page;
  }

  HttpClient& client_;
  const FetchOptions& options_;
  const Deadline& deadline_;
  const std::function<bool()>& stopped_;
  Url url_;
};

// The source's own failures, in few words that stay the same: they are kept as what works on a site and what does not.
std::optional<FetchAttempt> attempt_at(const Url& url, const Result<Page>& page, Timestamp now) {
  auto domain = normalise_domain(url.host);
  if (!domain) return std::nullopt;  // an address of IPv6, or no URL at all
  FetchAttempt attempt{*std::move(domain), now, page.has_value(), {}};
  if (page) {
    attempt.detail = fmt::format("{} in {}", page->media_type, page->charset);
    return attempt;
  }
  if (page.error().code == ErrorCode::kPermissionDenied || page.error().code == ErrorCode::kCancelled)
    return std::nullopt;
  attempt.detail = ellipsize(one_line(page.error().message), 200);
  return attempt;
}

}  // namespace

Fetched fetch_page(HttpClient& client, const Clock& clock, const std::string& url, const FetchOptions& options,
                   const Deadline& deadline, const std::function<bool()>& stopped) {
  const Deadline in_all = deadline.at_most(clock, options.time);
  Fetch fetch(client, options, in_all, stopped);
  Fetched fetched{fetch.run(url, clock), std::nullopt};
  fetched.attempt = attempt_at(fetch.url(), fetched.page, clock.now());
  return fetched;
}

}  // namespace pandora
