// Which index entries lead to a row that a snapshot sees, for who needs nothing else of the
// rows.
//
// Either entry by entry, with the visibility map, as an index-only scan does; or for all at
// once: Trust() before the first entry is read, IsStillTrusted() after the last.  If both
// say so, every entry that was read in between leads to exactly one row, which the snapshot
// sees.  src/README, "Omendb Aggregate", argues why.
#ifndef OMENDB_EXEC_HEAP_VISIBILITY_H
#define OMENDB_EXEC_HEAP_VISIBILITY_H

#include <type_traits>

#include "exec/heap_rows.h"

#include "pg/postgres.h"

extern "C" {
#include "access/xlogdefs.h"
}

namespace omendb::exec {

class HeapVisibility {
 public:
  // REQUIRES: HeapRows::CanRead(heap), an MVCC snapshot.  Its memory belongs to `context`.
  void Init(Relation heap, Snapshot snapshot, MemoryContext context);
  void Free();

  // Whether all pages of the heap are all-visible, and that can be found out; and whether
  // they have been so ever since.
  bool Trust();
  bool IsStillTrusted() const;
  // What one of these costs: pages of the visibility map that are read.
  uint32 map_pages() const;

  // Which entries, whose leaf is pinned since they were read, lead to a row that the
  // snapshot sees; returns whether all do.  In a serializable transaction, takes the
  // predicate locks that an index-only scan takes.
  bool Look(const core::Tid* tids, uint32 n, bool* visible);

  // For EXPLAIN.
  uint64 heap_fetches() const { return heap_fetches_; }

 private:
  // A few pages of the visibility map stay pinned.
  static constexpr uint32 kMaps = 16;

  bool PageIsVisible(BlockNumber block);
  const uint8* MapPage(BlockNumber map_block);
  bool CheckMap(uint32 page, BlockNumber heap_blocks, XLogRecPtr* lsn) const;

  Relation heap_;
  Snapshot snapshot_;
  MemoryContext context_;
  HeapRows rows_;
  bool may_trust_;  // that all pages are all-visible can be found out
  bool takes_locks_;
  bool asks_map_;

  // As of Trust().
  BlockNumber blocks_;
  XLogRecPtr* lsn_;  // of each page of the visibility map
  uint32 lsn_capacity_;

  BlockNumber map_block_[kMaps];
  Buffer map_buffer_[kMaps];

  // Entries to be looked up in the heap.
  struct Hidden {
    core::Tid tid;
    uint32 at;
  };
  Hidden* hidden_;
  core::Tid* hidden_tid_;
  uint32 capacity_;
  uint64 heap_fetches_;
};

static_assert(std::is_trivially_destructible_v<HeapVisibility>);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_HEAP_VISIBILITY_H
