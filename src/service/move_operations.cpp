#include <fmt/format.h>

#include "base/hash.h"
#include "ports/journal_register.h"
#include "service/exchange.h"
#include "turns/mover.h"

namespace pandora {
namespace {

constexpr int kMostPasses = 8;  // a source that is written to all the time is never caught up with

// Of everything that `export` gives of these users, line by line.
Result<std::string> export_hash(OperationCall& call, Stores stores, const std::set<UserId>& users, Patience& patience) {
  ServiceParts parts = call.parts;
  const auto of = [&](const UserId& user) -> Result<std::string> {
    const Principal who = Principal::of(user);
    std::string hash = sha256_hex(user.str());
    // References cannot be set anew: the same parts over the other stores.
    ServiceParts there{stores,
                       parts.spaces,
                       parts.saver,
                       parts.runtime,
                       parts.recall,
                       parts.files,
                       parts.clock,
                       parts.ids,
                       parts.keys,
                       parts.journal_directory,
                       parts.message_bytes,
                       parts.archive_after_days,
                       parts.recall_defaults,
                       parts.recall_deadline,
                       parts.overwrite_deleted,
                       parts.open_encoder,
                       parts.encoder,
                       parts.open_move,
                       parts.approvals};
    OperationCall inner{there, who, call.in, call.observer, call.deadline};
    std::int64_t lines = 0;
    for (std::string after;;) {
      PANDORA_CHECK(call.cancelled());
      PANDORA_TRY(page, patience.ask([&] { return export_page(inner, after, kMaxPage); }));
      for (const auto& line : page.lines) hash = sha256_hex(hash + line);
      lines += static_cast<std::int64_t>(page.lines.size());
      call.progress("lines compared", lines, 0);
      if (page.end) return hash;
      after = page.next;
    }
  };
  std::string all = sha256_hex("");
  for (const auto& user : users) {
    PANDORA_TRY(hash, of(user));
    all = sha256_hex(all + hash);
  }
  return all;
}

Json to_json(const MovePass& pass) {
  Json counts = Json::object();
  for (const auto& count : pass.counts)
    counts[count.kind] = {{"rows", count.rows}, {"written", count.written}, {"removed", count.removed}};
  return counts;
}

// Gateways beside this one that write here still, or hold turns that never came here: a move carries what is in the
// rows.
Result<Json> others(OperationCall& call) {
  Json all = Json::array();
  if (!call.parts.journals) return all;
  PANDORA_TRY(known, call.parts.journals->list(call.deadline));
  for (const RegisteredJournal& one : known) {
    if (one.id == call.parts.journal_id || (one.is_silent() && one.pending == 0 && one.directories == 0)) continue;
    all.push_back({{"host", one.host},
                   {"directory", one.directory},
                   {"silent", one.is_silent()},
                   {"turns", one.pending + one.directories}});
  }
  return all;
}

std::int64_t whole_seconds(Duration time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); }

// A store was away for too long.
Error given_up(Error error) {
  if (!Patience::passes(error.code)) return error;
  return std::move(error)
      .with_context(fmt::format("the move waited {} s", whole_seconds(kLongestPatience)))
      .with_remedy("run it again when that answers: it goes on where it was");
}

Result<Json> move(OperationCall& call) {
  const std::string to = call.in.text("to");
  const std::string points = call.in.text_or("points", "");
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(places, call.parts.open_move(to, points));
  MoveSide from = places->from(), there = places->to();
  Patience patience(call.parts.clock, [&](const Error& why, Duration waited) -> Status {
    call.progress(fmt::format("{}: asked again, for", why.message), whole_seconds(waited),
                  whole_seconds(kLongestPatience));
    return call.cancelled();
  });
  Mover mover(from, there, places->carries_points(), call.parts.clock, patience);
  const auto progress = [&](std::string_view what, std::int64_t done, std::int64_t of) -> Status {
    call.progress(what, done, of);
    return call.cancelled();
  };
  Json passes = Json::array();
  MovePass last;
  do {  // what is said meanwhile follows
    PANDORA_CHECK(call.parts.saver.drain(call.deadline));
    auto pass = mover.pass(progress, call.deadline);
    if (!pass) return fail(given_up(std::move(pass).error()));
    last = *std::move(pass);
    passes.push_back(to_json(last));
  } while (last.changed() > 0 && static_cast<int>(passes.size()) < kMostPasses);
  for (const auto& count : last.counts)
    if (last.changed() == 0 && count.from_sha256 != count.to_sha256)
      return fail(ErrorCode::kDataCorrupt, fmt::format("{} read back from the other side are not the same", count.kind),
                  "run `pandora reconcile` here, then move again");
  const auto here_hash = export_hash(call, from.stores, last.users, patience);
  if (!here_hash) return fail(given_up(here_hash.error()));
  const auto there_hash = export_hash(call, there.stores, last.users, patience);
  if (!there_hash) return fail(given_up(there_hash.error()));
  PANDORA_TRY(gateways, patience.ask([&] { return others(call); }));
  return Json{{"to", to},
              {"points", points},
              {"passes", std::move(passes)},
              {"users", last.users.size()},
              {"from_sha256", *here_hash},
              {"to_sha256", *there_hash},
              {"equal", *here_hash == *there_hash && last.changed() == 0},
              {"gateways", std::move(gateways)}};
}

}  // namespace

std::vector<Operation> move_operations() {
  return {{{"move", "to, points?",
            "carries everything to the stores of the other profile, embedded or server, and compares both sides"},
           move}};
}

}  // namespace pandora
