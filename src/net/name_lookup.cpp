#include "net/name_lookup.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>

namespace pandora {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(50);  // a deadline's clock may be one that is ticked by hand
constexpr std::size_t kLeastSweep = 64;

Result<Addresses> ask_the_system(const std::string& host) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG;
  if (const int unknown = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); unknown != 0)
    return fail(ErrorCode::kUnavailable,
                fmt::format("no address is known for {}: {}", host,
                            unknown == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(unknown)),
                "check the name, and the network");
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* one = found; one; one = one->ai_next) {
    SocketAddress address;
    address.size = one->ai_addrlen;
    std::memcpy(&address.storage, one->ai_addr, address.size);
    addresses.push_back(address);
  }
  return addresses;
}

std::optional<Addresses> known_without_asking(const std::string& host) {
  if (auto literal = parse_address(host, 0)) return Addresses{*literal};
  if (host == "localhost") return Addresses{*parse_address("127.0.0.1", 0), *parse_address("::1", 0)};
  return std::nullopt;
}

// Signals are for the main thread.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

bool NameQuestion::wait(Duration time) {
  std::unique_lock lock(mutex_);
  return answered_.wait_for(lock, time, [this] { return answer_.has_value(); });
}

Result<Addresses> NameQuestion::addresses(std::uint16_t port) const {
  const std::lock_guard lock(mutex_);
  Result<Addresses> found = answer_.value();
  if (found)
    for (SocketAddress& address : *found) {
      if (address.storage.ss_family == AF_INET)
        reinterpret_cast<sockaddr_in&>(address.storage).sin_port = htons(port);
      else
        reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port = htons(port);
    }
  return found;
}

void NameQuestion::then(std::weak_ptr<void> who, std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    if (!answer_) {
      if (waiting_.size() >= sweep_at_) {
        std::erase_if(waiting_, [](const Waiting& one) { return one.who.expired(); });
        sweep_at_ = std::max(kLeastSweep, 2 * waiting_.size());
      }
      waiting_.push_back({std::move(who), std::move(call)});
      return;
    }
  }
  call();
}

void NameQuestion::answer(Result<Addresses> addresses) {
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(addresses);
    waiting.swap(waiting_);
    answered_.notify_all();
  }
  for (const Waiting& one : waiting)
    if (const auto who = one.who.lock()) one.call();
}

struct NameLookup::UnderWay {
  struct Lookup {
    std::shared_ptr<NameQuestion> question;
    SteadyTime since;
  };
  UnderWay(Resolve how, const Clock& with) : resolve(std::move(how)), clock(with) {}
  const Resolve resolve;
  const Clock& clock;
  std::mutex mutex;
  std::map<std::string, Lookup> latest;  // of each name
  std::size_t count = 0;
};

NameLookup::NameLookup(Resolve resolve, const Clock& clock)
    : under_way_(std::make_shared<UnderWay>(std::move(resolve), clock)) {}

const std::shared_ptr<NameLookup>& NameLookup::system() {
  // Never destroyed: a question may be under way when the process ends.
  static const auto* const clock = new SystemClock();
  static const auto* const all = new auto(std::make_shared<NameLookup>(&ask_the_system, *clock));
  return *all;
}

std::shared_ptr<NameQuestion> NameLookup::ask(const std::string& host) {
  const auto question = std::make_shared<NameQuestion>();
  if (auto known = known_without_asking(host)) {
    question->answer(*std::move(known));
    return question;
  }
  const std::lock_guard lock(under_way_->mutex);
  const SteadyTime now = under_way_->clock.steady();
  const auto found = under_way_->latest.find(host);
  if (found != under_way_->latest.end() && now - found->second.since < kFreshLookup) return found->second.question;
  const auto refuse = [&](std::string_view why) {
    question->answer(fail(ErrorCode::kResourceExhausted, fmt::format("{} is not looked up: {}", host, why),
                          "does the server of names (DNS) answer?"));
    return question;
  };
  if (under_way_->count >= kMaxLookups) return refuse(fmt::format("{} names are being looked up", kMaxLookups));
  try {
    const SignalsHeld held;  // the thread begins with them
    std::thread([all = under_way_, question, host] {
      auto addresses = all->resolve(host);
      {
        const std::lock_guard at_the_end(all->mutex);
        --all->count;
        const auto mine = all->latest.find(host);
        if (mine != all->latest.end() && mine->second.question == question) all->latest.erase(mine);
      }
      question->answer(std::move(addresses));
    }).detach();
  } catch (const std::system_error& none) {
    return refuse(none.what());
  }
  ++under_way_->count;
  under_way_->latest[host] = {question, now};
  return question;
}

Result<Addresses> NameLookup::find(const std::string& host, std::uint16_t port, const Deadline& deadline) {
  const auto question = ask(host);
  while (!question->wait(std::min(kSlice, deadline.remaining())))
    if (deadline.expired())
      return fail(ErrorCode::kDeadlineExceeded, fmt::format("the address of {} was not found in time", host),
                  "does the server of names (DNS) answer?");
  return question->addresses(port);
}

}  // namespace pandora
