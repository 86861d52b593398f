// What a question has in common with the points that it is asked of: the encoder, and the collections of what that one
// encoded.
//
// A query takes the space that answers as one value and keeps it until it ends, so that it never compares a vector of
// one model with those of another, also while `pandora reindex` moves over. Whoever writes points holds `write()`: it
// names where they go, and nobody else writes meanwhile. Thread-safe.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/analyzer.h"
#include "ports/embedder.h"
#include "ports/vector_store.h"

namespace pandora {

// Raised when points of the same text come out otherwise: windows, saturation, what of a turn is spoken, payload
// fields, indexes.
inline constexpr int kPointForm = 2;  // 2: turns say whom they follow

// By what points were made; stands beside the data.
struct PointOrigin {
  EmbedderIdentity embedder;
  int analyzer = kAnalyzerVersion;
  int form = kPointForm;
  std::string text() const;  // "bge-small-en-v1.5@0a1b (384 dimensions, analyser 1, form 2)"
  bool operator==(const PointOrigin&) const = default;
};

struct PointSpace {
  PointOrigin origin;
  std::string suffix;  // of its collections' names: "", or "_" and 8 hex digits of what it is made by
  std::shared_ptr<Embedder> embedder;
  std::string turns, memories, research;  // collections
  bool has_collection(const std::string& name) const { return name == turns || name == memories || name == research; }
};
std::shared_ptr<const PointSpace> make_point_space(PointOrigin origin, std::string suffix,
                                                   std::shared_ptr<Embedder> embedder);
// That of an encoder as this program uses it, under the plain names.
std::shared_ptr<const PointSpace> make_point_space(std::shared_ptr<Embedder> embedder);
std::string suffix_of(const PointOrigin& origin);
// A name that some space's collection may have.
bool is_space_collection(const std::string& name);

class PointSpaces {
 public:
  explicit PointSpaces(std::shared_ptr<const PointSpace> current) : current_(std::move(current)) {}
  std::shared_ptr<const PointSpace> current() const;  // the one that answers

  class Writing {
   public:
    const PointSpace& current() const { return *spaces_.current_; }
    // The one that is being made beside it, and gets every write too; null: none.
    const PointSpace* next() const { return spaces_.next_error_ ? nullptr : spaces_.next_.get(); }
    // It lacks a write now, and can never answer.
    void next_failed(Error error) { spaces_.next_error_ = std::move(error); }
    const std::optional<Error>& next_error() const { return spaces_.next_error_; }
    void set_next(std::shared_ptr<const PointSpace> next);  // null: no more
    // From now on `next` answers.
    void switch_to_next();

   private:
    friend class PointSpaces;
    explicit Writing(PointSpaces& spaces) : spaces_(spaces), alone_(spaces.writing_) {}
    PointSpaces& spaces_;
    std::unique_lock<std::mutex> alone_;
  };
  Writing write() { return Writing(*this); }
  // Of whoever makes the next space; not owned: another does so.
  std::unique_lock<std::mutex> try_move() { return {moving_, std::try_to_lock}; }

 private:
  mutable std::mutex reading_;
  std::shared_ptr<const PointSpace> current_;  // changed under both locks
  std::mutex writing_, moving_;
  std::shared_ptr<const PointSpace> next_;  // under writing_, as its error
  std::optional<Error> next_error_;
};

// Collections, the vector names in them, and their payload indexes (C14).
inline constexpr std::string_view kTurnsCollection = "turns";
inline constexpr std::string_view kResearchCollection = "research";
inline constexpr std::string_view kMemoriesCollection = "memories";
inline constexpr std::string_view kLexicalVector = "bm25";
std::vector<CollectionSpec> collection_specs(const PointSpace& space);

}  // namespace pandora
