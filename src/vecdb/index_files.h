// The files of a PointIndex: loads them at start, writes what has changed since.
//
// A directory holds parts (`NNNNNN.part`, block_file.h) and `MANIFEST`, which names them, says which of their points
// live, and up to which sequence number everything is in; docs/formats.md has the bytes. A checkpoint writes one part
// of the tail, together with the parts before it as long as they are not larger (at most kPartSlots slots), so that a
// point is written a handful of times however many come, and a small tail costs a small file; then a new manifest
// replaces the old one, which is the moment that counts; then the files that nothing names any more are removed. A
// crash leaves the old manifest with its files or the new one.
//
// Files are used when they are of this shape, this epoch, and no later than the owner's last sequence number; whatever
// is missing, short or damaged is left aside and said: no error of a file is an error of `load`, and an index without
// files is whole in memory. An owner whose rows are elsewhere feeds them again; one that keeps only changes younger
// than the last checkpoint (Truth::kHere) cannot, and must not go on. Not thread-safe, but for `Checkpoint::write`.
#pragma once
#include <memory>
#include <string>

#include "base/file_system.h"
#include "vecdb/part_writer.h"
#include "vecdb/point_index.h"

namespace pandora {

// What a checkpoint may put together in one part: some 150 MB at 384 dimensions with their texts' terms.
inline constexpr std::size_t kPartSlots = 65'536;

class IndexFiles {
 public:
  // Where what the files hold can be had again, should they be damaged.
  enum class Truth {
    kElsewhere,  // the owner has it
    kHere,       // nowhere: what cannot be read stays where it is
  };
  // `files` outlives it. `epoch`: of the owner's database, another one after each restore.
  IndexFiles(FileSystem& files, std::string directory, Uuid epoch, Truth truth = Truth::kElsewhere);

  struct Loaded {
    bool whole = false;  // the points are those of `applied`; else of some, or all, their rows must be fed again
    std::size_t lost_parts = 0;  // that could not be used
    std::string why;             // when not whole: one line
  };
  // Into an index that is empty. `last_seq`: the owner's; `removals_since`: it knows of no removal up to there any
  // more, so that files from before are of no use. Files that are refused as a whole are removed, unless they are the
  // truth. Some 0.5 s a million points.
  Loaded load(PointIndex& index, std::uint64_t last_seq, std::uint64_t removals_since);

  class Checkpoint {
   public:
    // The files, and the manifest that names them; beside searches and changes, on any thread. After an error the old
    // ones hold on. Not after the index is gone.
    Status write();
    std::uint64_t removals_applied() const { return removals_; }  // removals up to it need not be known any more
    std::uint64_t bytes() const;                                  // written

   private:
    friend class IndexFiles;
    struct Output {
      PartContent content;
      std::uint64_t number = 0;
      std::shared_ptr<const IndexPart> part;  // once written; null when nobody lives there
    };
    explicit Checkpoint(IndexFiles& owner) : owner_(owner) {}
    std::string manifest() const;
    IndexFiles& owner_;
    const IndexShape* shape_ = nullptr;
    std::uint64_t applied_ = 0, removals_ = 0, highest_ = 0;
    std::size_t changes_ = 0;
    SlotSet live_;  // when it began
    std::vector<DenseCentre> centres_;
    std::vector<PartName> kept_;  // files that stay as they are
    std::vector<Output> outputs_;
  };
  enum class Scope { kTail, kPurge };
  // Short: codes of the tail are copied; the owner holds searches and changes off. Null: nothing has changed. kPurge:
  // also each part that still holds something dead is written anew, without it, so that no byte of what was removed is
  // left in a file once `write` has returned.
  std::unique_ptr<Checkpoint> begin(PointIndex& index, Scope scope);
  // Short; likewise. Puts what was written in the tail's place.
  void end(PointIndex& index, Checkpoint& checkpoint);
  Status remove_all();  // when the collection is gone

  const std::string& directory() const { return directory_; }
  bool any() const;  // a checkpoint has been written

 private:
  std::string path_of(std::uint64_t number) const;
  Status load_manifest(PointIndex& index, std::uint64_t last_seq, std::uint64_t removals_since, Loaded& loaded);
  void sweep(const std::vector<PartName>& named) const;  // removes parts that are not named
  FileSystem& files_;
  const std::string directory_;
  const Uuid epoch_;
  const Truth truth_;
  std::uint64_t next_number_ = 1;
};

}  // namespace pandora
