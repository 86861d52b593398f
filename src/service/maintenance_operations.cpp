#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "service/one_at_a_time.h"
#include "service/search_items.h"
#include "turns/reconciler.h"
#include "turns/reindexer.h"

namespace pandora {
namespace {

constexpr Duration kGlance = std::chrono::seconds(1);  // at a server
constexpr Duration kOthersFollow = 5 * kJournalHeard;  // a move of the points; an encoder is opened for it

Result<Json> reconcile(OperationCall& call) {
  const bool apply = call.in.boolean_or("apply", false);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(alone, OneAtATime::begin(apply ? call.parts.cache : nullptr, call.parts.clock, "reconcile"));
  Forgetting forgetting = make_forgetting(call.parts);
  Reconciler reconciler(call.parts.stores, call.parts.spaces, call.parts.saver, forgetting, call.parts.clock);
  const auto progress = [&](std::string_view stage, std::int64_t done) -> Status {
    call.progress(stage, done, 0);
    PANDORA_CHECK(alone.go_on());
    return call.cancelled();
  };
  PANDORA_TRY(report, reconciler.run(apply ? Apply::kApply : Apply::kDryRun, progress, call.deadline));
  Json differences = Json::array();
  for (const auto& difference : report.differences)
    differences.push_back({{"kind", difference.kind}, {"what", difference.what}, {"repair", difference.repair}});
  return Json{{"applied", apply},          {"differences", differences},  {"more", report.more},
              {"turns", report.turns},     {"memories", report.memories}, {"research", report.research},
              {"sources", report.sources}, {"points", report.points},     {"objects", report.objects}};
}

// Each asks every kJournalHeard by what points are made.
Reindexer::OthersFollow others_follow(OperationCall& call) {
  if (!call.parts.journals) return {};
  return [&call]() -> Status {
    PANDORA_TRY(journals, call.parts.journals->list(call.deadline));
    const bool alone = std::ranges::all_of(
        journals, [&](const RegisteredJournal& one) { return one.id == call.parts.journal_id || one.is_silent(); });
    for (auto waited = Duration::zero(); !alone && waited < kOthersFollow; waited += kGlance) {
      PANDORA_CHECK(call.cancelled());
      std::this_thread::sleep_for(kGlance);
    }
    return {};
  };
}

Result<Json> reindex(OperationCall& call) {
  const std::string model = call.in.text_or("encoder", call.parts.encoder);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(embedder, call.parts.open_encoder(model));
  // Weights that are missing or wrong are told before anything is begun.
  const std::string_view text = "ready?";
  PANDORA_CHECK(embedder->embed({&text, 1}, TextRole::kPassage, call.deadline).map([](auto&&) {}));
  PANDORA_TRY(alone, OneAtATime::begin(call.parts.cache, call.parts.clock, "reindex"));
  Reindexer reindexer(call.parts.stores, call.parts.spaces, call.parts.clock, others_follow(call));
  const auto progress = [&](std::string_view what, std::int64_t done, std::int64_t of) -> Status {
    call.progress(what, done, of);
    PANDORA_CHECK(alone.go_on());
    return call.cancelled();
  };
  PANDORA_TRY(report, reindexer.run(std::move(embedder), progress, call.deadline));
  return Json{{"moved", report.moved}, {"from", report.from},         {"to", report.to},
              {"turns", report.turns}, {"memories", report.memories}, {"research", report.research}};
}

Result<Json> verify_forgotten(OperationCall& call) {
  const auto id = call.in.optional_value("id", Uuid::parse);
  const Json* given = id ? nullptr : call.in.object("report");
  PANDORA_CHECK(call.in.finish());
  Forgetting forgetting = make_forgetting(call.parts);
  PANDORA_TRY(report, id ? forgetting.report_of(*id, call.deadline) : forget_report_from_json(*given));
  PANDORA_TRY(left, forgetting.verify(report, call.deadline));
  Json findings = Json::array();
  for (const auto& finding : left) findings.push_back({{"store", finding.store}, {"detail", finding.detail}});
  return Json{{"clean", left.empty()}, {"left", findings}};
}

// Points may be with a server, which may be away, or have a collection of that name that is another one.
Status list_collections(OperationCall& call, Json& collections) {
  VectorStore& vectors = call.parts.stores.vectors;
  PANDORA_TRY(specs, vectors.collections(call.deadline));
  for (const auto& spec : specs) {
    PANDORA_TRY(points, vectors.count(spec.name, {}, Principal::system(), call.deadline));
    PANDORA_TRY(unsearched, vectors.unsearched(spec.name, call.deadline));
    collections.push_back(
        {{"name", spec.name}, {"points", points}, {"unsearched", unsearched}, {"embedder", spec.embedder}});
  }
  const auto space = call.parts.spaces.current();
  for (const auto& name : {space->turns, space->memories, space->research})
    if (std::ranges::find(specs, name, &CollectionSpec::name) == specs.end())
      if (const auto count = vectors.count(name, {}, Principal::system(), call.deadline);
          !count && count.error().code != ErrorCode::kNotFound)
        return fail(count.error());
  return {};
}

// Of the gateways that share the rows, this one first.
Status list_journals(OperationCall& call, Json& journals) {
  if (!call.parts.journals) return {};
  PANDORA_TRY(all, call.parts.journals->list(call.deadline));
  for (const auto& one : all) {
    const bool mine = one.id == call.parts.journal_id;
    journals.insert(mine ? journals.begin() : journals.end(),
                    Json{{"id", one.id},
                         {"host", one.host},
                         {"directory", one.directory},
                         {"pending", one.pending},
                         {"directories", one.directories},
                         {"silent_seconds", one.silent / std::chrono::seconds(1)},
                         {"silent", one.is_silent() && !mine},
                         {"mine", mine}});
  }
  return {};
}

// What rows say; when they are out of reach, the rest is still told.
Status add_rows(OperationCall& call, Json& status) {
  PANDORA_TRY(turns, call.parts.stores.turns.count(Principal::system(), call.deadline));
  PANDORA_TRY(newest, call.parts.stores.turns.list({.limit = 1}, Principal::system(), call.deadline));
  PANDORA_TRY(receipts, call.parts.stores.receipts.status(call.deadline));
  status["turns"] = turns;
  status["newest_at"] = newest.empty() ? Json() : Json(to_iso8601(newest.front().created_at));
  status["receipts"] = {{"kept", receipts.kept},
                        {"waiting", receipts.waiting},
                        {"lost", receipts.lost},
                        {"last_error", receipts.last_error}};
  return list_journals(call, status["journals"]);
}

Result<Json> status(OperationCall& call) {
  PANDORA_CHECK(call.in.finish());
  const SaverStatus saver = call.parts.saver.status();
  Json status = {{"journals", Json::array()}};
  const Status rows = add_rows(call, status);
  if (!rows && !error_info(rows.error().code).retryable) return fail(rows.error());
  Json collections = Json::array();
  const Status searched = list_collections(call, collections);
  // Bounded: what else there is to say is said whatever these do.
  const auto glance = [&call] { return call.deadline.at_most(call.parts.clock, kGlance); };
  const Status shared = call.parts.cache ? call.parts.cache->check(glance()) : Status();
  const Status objects = call.parts.stores.objects.list("", 1, glance()).map([](auto&&) {});
  const Status documents = call.parts.stores.documents.exists("tombstones", glance()).map([](auto&&) {});
  // Each may be read from a server that writes none.
  std::string rows_error = rows ? saver.rows_error : rows.error().to_line();
  if (rows_error.empty() && call.parts.rows_unwritable) rows_error = call.parts.rows_unwritable();
  const auto space = call.parts.spaces.current();
  const EmbedderIdentity& embedder = space->origin.embedder;
  status.update(
      {{"pending", saver.pending},
       {"outbox", saver.outbox},
       {"last_error", saver.last_error},
       {"rows_error", rows_error},
       {"collections", collections},
       {"points_error", searched ? saver.points_error : searched.error().to_line()},
       {"cache_error", shared ? "" : shared.error().to_line()},
       {"objects_error", objects ? "" : objects.error().to_line()},
       {"documents_error", documents ? saver.files_error : documents.error().to_line()},
       {"encoder", {{"model", embedder.model}, {"revision", embedder.revision}, {"dimension", embedder.dimension}}},
       {"points",
        {{"made_by", space->origin.text()}, {"analyzer", space->origin.analyzer}, {"form", space->origin.form}}}});
  return status;
}

}  // namespace

std::vector<Operation> maintenance_operations() {
  return {
      {{"reconcile", "apply? = false",
        "finds, and with apply repairs, every difference between files, rows, points and objects"},
       reconcile},
      {{"reindex", "encoder? = encoder.model",
        "makes search's points again by another encoder, and moves over to them; the old ones answer until then"},
       reindex},
      {{"forget.verify", "report or id", "looks again for what was forgotten"}, verify_forgotten},
      {{"status", "", "what the owner of the data directory is doing"}, status},
  };
}

}  // namespace pandora
