// A scan of an index, as the access method (scan_callbacks.cpp) and the batched nodes
// (exec/) read it: the ranges that the conditions span, and the chunk of entries that was
// read of the current one.  It can turn around at any entry.
#ifndef OMENDB_AM_SCAN_H
#define OMENDB_AM_SCAN_H

#include <type_traits>

#include "am/quals.h"
#include "tree/search.h"

#include "am/parallel_position.h"
#include "am/tuple_former.h"

namespace omendb::am {

struct ScanRequest {
  const ScanKeyData* keys;
  int key_count;
  Snapshot snapshot;
  // The caller may do without the row of the table: the leaf is kept pinned while the
  // chunk is the current one, so that no TID of it is given to another row.
  bool index_only;
  uint64 columns;    // bit c: the caller wants value column c
  bool form_tuples;  // index tuples of all columns
  bool skip_killed;
};

class Scan {
 public:
  // `rel` must outlive it.  Its memory belongs to `context`.
  Scan(Relation rel, MemoryContext context);
  void Free();

  // Begins, or begins anew.  `parallel`: where the processes of a parallel scan say how far
  // they are; else null.
  void Rescan(const ScanRequest& request, ParallelPosition* parallel);

  // To the next entry in this direction; false at the end, from where the other
  // direction begins anew.
  bool Advance(core::Direction direction) {
    if (likely(positioned_)) {
      if (direction == core::Direction::kForward ? position_ + 1 < reader_.entries().count : position_ > 0) {
        position_ += direction == core::Direction::kForward ? 1 : -1;
        return true;
      }
    }
    return AdvanceChunk(direction);
  }
  // To the first entry in this direction of the next chunk, which has at least one.
  bool AdvanceChunk(core::Direction direction);

  // The current chunk, in the order of the index, and the position in it.
  const core::Entries& entries() const { return reader_.entries(); }
  uint32 position() const { return position_; }
  // REQUIRES: form_tuples.
  IndexTuple Tuple() { return former_.Tuple(reader_.entries(), position_); }
  const Layout& layout() const { return layout_; }

  // Entry i of the chunk leads to no row that anybody can see.
  void Kill(uint32 i);
  void KillCurrent() {
    if (positioned_) Kill(position_);
  }

  // Mark and restore: the marked entry's chunk is set aside when the scan leaves it,
  // so that restoring needs neither page nor luck.
  void MarkPosition();
  void RestorePosition();

 private:
  static constexpr uint32 kMaxKilled = 512;
  // Of how many ranges the leaves are fetched ahead.
  static constexpr uint32 kMaxAhead = 8;

  // Where the marked entry is: in the chunk that the scan is in, or set aside.
  enum class Mark : uint8 { kNone, kInChunk, kAside };

  // A chunk's place: the range, whether it has more entries on either side of the chunk,
  // and where the chunk ends on a side that has.
  struct Extent {
    core::Bound low, high;
    core::Bound chunk_low, chunk_high;
    bool done_forward, done_backward;
  };

  // Values of bytes columns where an extent's chunk ends: what was read is gone then.
  struct ExtentMemory {
    core::KeyBytes chunk_low, chunk_high;
  };

  // The place of the chunk set aside.
  struct Marked {
    Extent extent;
    ExtentMemory memory;
    int range[INDEX_MAX_KEYS];
  };

  void OwnEnds(Extent* extent, ExtentMemory* memory) const;

  bool NextChunk(core::Direction direction);
  bool NextChunkOfAll(core::Direction direction);
  bool FirstRange(core::Direction direction);
  bool NextRange(core::Direction direction);
  void BeginRange(core::Direction direction);
  void PrefetchRanges(core::Direction direction);
  void ReadOn(core::Direction direction);
  void Read(core::Direction direction, const core::Bound& from);
  void FlushKilled() {
    if (unlikely(killed_count_ > 0)) TellKilled();
  }
  void TellKilled();

  MemoryContext context_;
  Layout layout_;
  Quals quals_;
  tree::LeafReader reader_;
  TupleFormer former_;
  ParallelPosition* parallel_;
  bool form_tuples_;
  Mark mark_;
  bool positioned_;
  uint32 position_;
  uint32 ahead_;      // ranges after the current one whose leaves were fetched
  uint32 max_ahead_;  // of them; grows while the scan goes on
  core::Direction ahead_direction_;
  Extent extent_;                // of the current chunk
  ExtentMemory* extent_memory_;  // only if there are bytes columns
  uint32 marked_position_;
  Marked* marked_;  // when a chunk is first set aside; few scans do that
  // TIDs of entries of the chunk that are dead to everybody.
  core::Tid* killed_;
  uint32 killed_count_;
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<Scan>);

}  // namespace omendb::am

#endif  // OMENDB_AM_SCAN_H
