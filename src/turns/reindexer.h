// Moves search over to points made another way: by another encoder, analyser or form.
//
// New collections are made from the rows beside those that answer; what is saved meanwhile is written to both. When
// every row has its point, one durable write names the new ones (the record below), and from then on they answer. The
// old ones are dropped once the last query that began with them has ended. So a query always finds what it would have
// found before or after, never less; and a process that dies leaves the old ones answering until that one write, the
// new ones after it. What it left behind is dropped by `tidy_collections` at the next start. Own vectors are kept with
// the rows as they are made: a second run encodes no turn twice. Once the move has been made those of other encoders
// go, a thousand turns at a time; what a process that died did not come to goes at the next start.
//
// Other processes that share rows and points write into the old collections until they have heard of the move. What
// they wrote since it began is asked for again then, and what they removed is removed from the new ones.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ports/stores.h"
#include "turns/indexer.h"

namespace pandora {

// Which space answers: the value of "points" in InstanceStore. JSON, version 1 (docs/formats.md).
struct PointSpaceRecord {
  PointOrigin origin;
  std::string suffix;
  bool operator==(const PointSpaceRecord&) const = default;
};
// None: nothing was ever indexed. Data of before there was a record is what the collections say that they are.
Result<std::optional<PointSpaceRecord>> read_point_space(InstanceStore& instance, VectorStore& vectors,
                                                         const Deadline& deadline);
Status write_point_space(InstanceStore& instance, const PointSpace& space, const Deadline& deadline);
// Drops the collections of other spaces, and lets the plain names stand for this one's. Their bytes are overwritten by
// whoever empties the database's log. Returns how many were dropped.
Result<int> tidy_collections(VectorStore& vectors, const PointSpace& space, const Deadline& deadline);

// Drops turns' own vectors of other encoders than the space's, where a move to it has been made and they were not all
// dropped yet. An error leaves the rest to the next call.
Status drop_former_vectors(TurnStore& turns, InstanceStore& instance, const PointSpace& space,
                           const Deadline& deadline);

struct ReindexReport {
  std::string from, to;  // PointOrigin::text
  bool moved = false;    // false: it was made this way already
  std::int64_t turns = 0, memories = 0, research = 0;
};

class Reindexer {
 public:
  // An error ends the run, and the old points go on answering.
  using Progress = std::function<Status(std::string_view what, std::int64_t done, std::int64_t of)>;
  // Called once the move has been made; returns when every other process that writes points writes into the new ones.
  // None: there never is another.
  using OthersFollow = std::function<Status()>;
  Reindexer(Stores stores, PointSpaces& spaces, const Clock& clock, OthersFollow others_follow = {})
      : stores_(stores), spaces_(spaces), indexer_(stores, clock), others_follow_(std::move(others_follow)) {}

  // To what `embedder` and this program make. kConflict: another move is under way. What the encoder or a store did not
  // do is the error, and nothing has moved.
  Result<ReindexReport> run(std::shared_ptr<Embedder> embedder, const Progress& progress, const Deadline& deadline);

 private:
  Status fill(const std::shared_ptr<const PointSpace>& next, ReindexReport& report, const Progress& progress,
              const Deadline& deadline);
  Status fill_turns(const PointSpace& next, ReindexReport& report, const Progress& progress, const Deadline& deadline);
  template <class Page, class Index>
  Status fill_texts(const char* what, Page next_page, Index index, std::int64_t& done, const Progress& progress);
  Status switch_over(const PointSpace& next);
  struct Moved {
    std::string from, to;  // collections
    const char* field;     // of their points, that names the row
    OutboxKind point;
  };
  Status make_up_for(const std::vector<Moved>& moved, std::int64_t since, const Deadline& deadline);
  Status drop(const PointSpace& space, const Deadline& deadline);

  Stores stores_;
  PointSpaces& spaces_;
  Indexer indexer_;
  const OthersFollow others_follow_;
};

}  // namespace pandora
