// Inside vectors: one request on its way to an answer, and what all share.
#pragma once
#include <array>
#include <atomic>

#include "net/work_pool.h"
#include "vectors/answers.h"
#include "vectors/routes.h"
#include "vectors/server.h"

namespace pandora::qdrant {

struct CallCounters {
  std::atomic<std::uint64_t> ok = 0, refused = 0, failed = 0;
};

struct ServerState {
  ServerState(VectorsOptions the_options, Engine& the_engine, IoThreads& the_threads)
      : options(std::move(the_options)),
        engine(the_engine),
        threads(the_threads),
        clock(the_threads.clock()),
        begun(clock.now()) {}
  const VectorsOptions options;
  Engine& engine;
  IoThreads& threads;
  const Clock& clock;
  const Timestamp begun;
  std::array<CallCounters, kApiCount> counters;
  std::unique_ptr<WorkPool> pool;
};

// Of the query, what this call knows of: 400 for what is no value, 422 (400 where points are read) for a timeout below
// a second. Other names are anybody's.
struct CallOptions {
  bool wait = false;
  Duration timeout = kDefaultTimeout;
};
Outcome<CallOptions> read_options(Api api, std::string_view query);

Fault damaged_collection(std::string_view name, std::string_view why);

class Call {
 public:
  Call(std::shared_ptr<ServerState> the_state, Route the_route, HttpRequest the_request,
       std::shared_ptr<ResponseWriter> writer)
      : shared_(std::move(the_state)),
        state(*shared_),
        route(std::move(the_route)),
        request(std::move(the_request)),
        writer_(std::move(writer)),
        begin_(state.clock.steady()) {}

 private:
  const std::shared_ptr<ServerState> shared_;  // a write may be done after the server has gone

 public:
  ServerState& state;
  const Route route;
  HttpRequest request;
  CallOptions options;

  Deadline deadline() const { return Deadline::after(state.clock, options.timeout); }
  // Of the collection that the route names; 404, and 500 for a red one.
  Outcome<std::shared_ptr<Collection>> collection() const;
  // The body; lives as long as the call.
  Outcome<JsonNode> body();

  // Each once.
  void answer(Outcome<std::string> result);  // JSON
  void respond(HttpResponse response);

 private:
  std::shared_ptr<ResponseWriter> writer_;
  const SteadyTime begin_;
  JsonTape tape_;
};
using SharedCall = std::shared_ptr<Call>;

// What answers, by kind of route. They answer now or see to it that it will be.
void answer_about_service(const SharedCall& call);
void answer_about_collections(const SharedCall& call);
void answer_write(const SharedCall& call);
void answer_read(const SharedCall& call);

}  // namespace pandora::qdrant
