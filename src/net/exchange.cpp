#include "net/exchange.h"

#include <array>
#include <charconv>
#include <ctime>

#include <fmt/format.h>

#include "base/log.h"

namespace pandora {
namespace {

constexpr std::size_t kSentAtOnce = 16 * 1024;  // what is less goes out with what the thread writes next
constexpr Duration kLookAgain = std::chrono::milliseconds(20);  // at a deadline of an injected clock

// The current second's date, made once.
const std::string& current_date(const Clock& clock) {
  thread_local std::int64_t second = -1;
  thread_local std::string date;
  const Timestamp now = clock.now();
  if (now.micros / 1'000'000 != second) {
    second = now.micros / 1'000'000;
    date = http_date(now);
  }
  return date;
}

bool is_ours(std::string_view name) {
  for (const std::string_view ours :
       {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date", "X-Request-Id"})
    if (equal_ignoring_case(name, ours)) return true;
  return false;
}

bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

}  // namespace

std::string http_date(Timestamp now) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = now.micros / 1'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                     utc.tm_sec);
}

void Exchange::write_head(int status, const HttpHeaders& headers, Framing framing, std::size_t length) {
  framing_ = framing;
  if (framing == Framing::kUntilClose) traits_.persistence = Persistence::kClose;
  fmt::format_to(std::back_inserter(out_), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& header : headers)
    if (!is_ours(header.name)) append_header(out_, header.name, header.value);
  if (const auto loop = loop_.lock()) append_header(out_, "Date", current_date(loop->clock()));
  append_header(out_, "X-Request-Id", traits_.request_id);
  if (framing == Framing::kLength && !(has_no_body(status) && length == 0))
    fmt::format_to(std::back_inserter(out_), "Content-Length: {}\r\n", length);
  if (framing == Framing::kChunked) out_ += "Transfer-Encoding: chunked\r\n";
  if (traits_.persistence == Persistence::kClose)
    out_ += "Connection: close\r\n";
  else if (traits_.minor_version == 0)
    out_ += "Connection: keep-alive\r\n";
  out_ += "\r\n";
}

void Exchange::respond(HttpResponse response) {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kWaiting) return;
    if (has_no_body(response.status)) response.body.clear();
    out_.reserve(256 + response.body.size());
    write_head(response.status, response.headers, Framing::kLength, response.body.size());
    if (!traits_.is_head) out_ += response.body;
    stage_ = Stage::kFinished;
  }
  wake();
}

void Exchange::start(int status, const HttpHeaders& headers) {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kWaiting) return;
    const std::string_view length = headers.get("Content-Length");
    Framing framing = traits_.minor_version == 0 ? Framing::kUntilClose : Framing::kChunked;
    std::size_t bytes = 0;
    if (!length.empty() && std::from_chars(length.data(), length.data() + length.size(), bytes).ec == std::errc())
      framing = Framing::kLength, left_ = bytes;
    if (has_no_body(status)) framing = Framing::kLength, left_ = bytes = 0;
    write_head(status, headers, framing, bytes);
    stage_ = Stage::kStreaming;
  }
  wake();
}

WriteState Exchange::write(std::string_view bytes) {
  bool is_first = false;  // whoever waits for the first words does not wait for those behind them
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kStreaming || ended_) return WriteState::kGone;
    if (!bytes.empty() && !traits_.is_head) {
      if (framing_ == Framing::kLength && bytes.size() > left_) {
        log_error("http.too_much_written", {{"request", traits_.request_id}});
        stage_ = Stage::kBroken;
      } else if (unsent() + bytes.size() > traits_.max_unsent) {
        log_error("http.writer_did_not_pause", {{"request", traits_.request_id}});
        stage_ = Stage::kBroken;
      } else {
        is_first = !std::exchange(wrote_, true);
        if (framing_ == Framing::kLength) left_ -= bytes.size();
        if (framing_ == Framing::kChunked) fmt::format_to(std::back_inserter(out_), "{:x}\r\n", bytes.size());
        out_ += bytes;
        if (framing_ == Framing::kChunked) out_ += "\r\n";
      }
    }
  }
  wake(is_first ? Wake::kNow : Wake::kSoon);
  const std::lock_guard lock(mutex_);
  if (gone_ || ended_ || stage_ == Stage::kBroken) return WriteState::kGone;
  if (unsent() <= traits_.high_water) return WriteState::kMore;
  paused_ = true;
  return WriteState::kPause;
}

void Exchange::finish() {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ != Stage::kStreaming) return;
    if (framing_ == Framing::kChunked && !traits_.is_head) out_ += "0\r\n\r\n";
    stage_ = framing_ == Framing::kLength && left_ > 0 && !traits_.is_head ? Stage::kBroken : Stage::kFinished;
  }
  wake();
}

void Exchange::abandon() {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::kFinished || stage_ == Stage::kBroken) return;
    if (stage_ == Stage::kStreaming) stage_ = Stage::kBroken;
  }
  respond(error_response(Error{ErrorCode::kInternal, "the request was not answered", {}}));  // unless it was
  wake();
}

bool Exchange::gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

void Exchange::when_gone(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) {
      if (!ended_) when_gone_ = std::move(call);
      return;
    }
  }
  const auto loop = loop_.lock();
  if (!loop) return;
  if (loop->is_current())
    call();
  else
    loop->post(std::move(call));
}

void Exchange::when_writable(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    if (gone_ || ended_) return;
    if (paused_) {
      when_writable_ = std::move(call);
      return;
    }
  }
  const auto loop = loop_.lock();
  if (!loop) return;
  if (loop->is_current())
    call();
  else
    loop->post(std::move(call));
}

Status Exchange::wait_writable(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (gone_ || ended_) return fail(ErrorCode::kCancelled, "the client left");
    if (!paused_) return {};
    PANDORA_CHECK(deadline.check("waiting for a slow reader"));
    changed_.wait_for(lock, kLookAgain);
  }
}

void Exchange::wake(Wake when) {
  const auto loop = loop_.lock();
  if (!loop) return;
  if (loop->is_current()) {
    const auto outlet = outlet_.lock();
    if (!outlet) return;
    std::size_t waiting = 0;
    {
      const std::lock_guard lock(mutex_);
      waiting = out_.size();
    }
    return when == Wake::kSoon && waiting < kSentAtOnce ? loop->defer(outlet) : outlet->flush();
  }
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(wake_posted_, true)) return;
  }
  loop->post([self = shared_from_this()] {
    {
      const std::lock_guard lock(self->mutex_);
      self->wake_posted_ = false;
    }
    if (const auto outlet = self->outlet_.lock()) outlet->flush();
  });
}

Exchange::Progress Exchange::take(std::string& into) {
  const std::lock_guard lock(mutex_);
  taken_ += out_.size();
  if (into.empty())
    into.swap(out_);
  else
    into += out_;
  out_.clear();
  if (stage_ == Stage::kBroken) return Progress::kBroken;
  return stage_ == Stage::kFinished ? Progress::kFinished : Progress::kOpen;
}

void Exchange::sent(std::size_t still_unsent) {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    taken_ = still_unsent;
    if (!paused_ || unsent() > traits_.high_water / 2) return;
    paused_ = false;
    call.swap(when_writable_);
    changed_.notify_all();
  }
  if (call) call();
}

void Exchange::leave() {
  std::function<void()> call, dropped;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(gone_, true)) return;
    call.swap(when_gone_);
    dropped.swap(when_writable_);
    changed_.notify_all();
  }
  if (call) call();
}

void Exchange::end() {
  std::function<void()> gone, writable;
  const std::lock_guard lock(mutex_);
  ended_ = true;
  gone.swap(when_gone_);
  writable.swap(when_writable_);
  changed_.notify_all();
}

void Exchange::close_after() {
  const std::lock_guard lock(mutex_);
  traits_.persistence = Persistence::kClose;
}

Persistence Exchange::persistence() const {
  const std::lock_guard lock(mutex_);
  return traits_.persistence;
}

}  // namespace pandora
