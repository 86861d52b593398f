#include "cli/catch_up.h"

#include <fmt/format.h>

#include "cli/terminal/output.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr int kPieceMillis = 500;  // between two looks at Ctrl-C; also how long nothing is said
constexpr int kStuck = 4;          // pieces with an error and without progress

// True until everything is findable, or waiting is of no use.
void wait(Service& service, const UserId& user, ProgressObserver& progress, const Deadline& deadline) {
  NoObserver nobody;
  std::int64_t last = -1;
  for (int stuck = 0;;) {
    const auto answer =
        service.call({"drain", user, dump_json({{"at_most_ms", kPieceMillis}})}, nobody, Deadline::never());
    if (!answer)
      return print_error(fmt::format("pandora: the latest turns may be missing: {}\n", answer.error().to_line()));
    const Json state = Json::parse(*answer, nullptr, false);
    if (state.value("drained", false)) return;
    const std::int64_t left = state.value("pending", std::int64_t{0}) + state.value("outbox", std::int64_t{0});
    const std::string why = state.value("last_error", "");
    stuck = why.empty() || (left < last) ? 0 : stuck + 1;
    last = left;
    progress.show(fmt::format("making {} things findable", left));
    if (!interrupted() && stuck < kStuck && !deadline.expired()) continue;
    return print_error(fmt::format("pandora: the latest turns may be missing: {} things are not findable yet{}{}\n",
                                   left, why.empty() ? "" : ": ", why));
  }
}

}  // namespace

void catch_up(Service& service, const UserId& user, ProgressObserver& progress) {
  const SystemClock clock;
  wait(service, user, progress, Deadline::after(clock, kPatience));
}

void settle(Service& service, const UserId& user, ProgressObserver& progress) {
  wait(service, user, progress, Deadline::never());
}

}  // namespace pandora
