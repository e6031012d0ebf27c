// Rows of a heap table by their TIDs, many at a time.
//
// One by one, each row waits for the memory of its buffer's header, its page's header, its
// line pointer and itself, one after the other.  Many at a time, the waits overlap: the
// buffers that the pages were last seen in are known (hot/heap_buffers.h), so all of these
// are fetched ahead, and pages that are not in memory are asked for from the disk.
//
// Rows are copied, unless many of a batch are on one page, which then stays pinned.
#ifndef OMENDB_EXEC_HEAP_ROWS_H
#define OMENDB_EXEC_HEAP_ROWS_H

#include <type_traits>

#include "core/key.h"

#include "pg/postgres.h"

extern "C" {
#include "access/htup.h"
#include "storage/bufpage.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
}

namespace omendb::exec {

class HeapRows {
 public:
  // Whether the rows of a table, which is locked, can be had this way.
  static bool CanRead(Oid table);

  // REQUIRES: CanRead(its OID), an MVCC snapshot.  Its memory belongs to `context`.
  void Init(Relation heap, Snapshot snapshot, MemoryContext context);
  void Free();

  // Reads, of the first of n > 0 TIDs, the versions that the snapshot sees; returns how many
  // TIDs that were: fewer than n, but not 0, where their rows do not fit work_mem.  In the
  // order of blocks, neighbours share the visit of their page.
  uint32 Fetch(const core::Tid* tids, uint32 n);

  // Lets go of the rows.
  void Release();

  // Of the i-th TID: null if the snapshot sees no version.  Valid until the next Fetch or
  // Release.
  HeapTuple Row(uint32 i) { return rows_[i].t_data != nullptr ? &rows_[i] : nullptr; }
  // Whether nobody can see any version.
  bool IsDead(uint32 i) const { return dead_[i]; }

  // Pages that were asked for ahead of their use, for EXPLAIN.
  uint64 prefetched() const { return prefetched_; }

 private:
  // Neighbours among the TIDs that are on the same page: up to where the next begins.
  struct Run {
    uint32 first;
    Buffer recent;  // where the page probably is
  };

  void Reserve(uint32 n);
  void LookForBuffers(const core::Tid* tids, uint32 n);
  bool IsWorthFetching(const core::Tid* tids, const Run& run) const;
  void PrefetchLinePointers(const core::Tid* tids, uint32 first) const;
  void PrefetchRows(const core::Tid* tids, uint32 first) const;
  Buffer PinPage(BlockNumber block, Buffer recent);
  uint32 ReadRun(const core::Tid* tids, uint32 first, uint32 end, Buffer buffer);
  bool ReadVisible(Page page, core::Tid tid, HeapTuple row);
  void Read(Buffer buffer, core::Tid tid, uint32 i);
  void Take(HeapTuple row);
  void Leave(Buffer buffer);
  uint32 StopAt(uint32 i);

  static constexpr uint32 kMostPinned = 8;

  Relation heap_;
  Snapshot snapshot_;
  MemoryContext context_;
  bool local_;               // a temporary table, whose buffers are not shared
  bool trusts_all_visible_;  // a page that says so has only rows that we see
  Size memory_limit_;
  uint32 capacity_;
  HeapTupleData* rows_;
  bool* dead_;
  Run* run_;
  uint32 runs_;
  char* memory_;  // the copies
  Size memory_size_, memory_used_;
  Size row_bytes_;     // what a row is expected to take
  bool stays_pinned_;  // the page that is being read
  uint32 pinned_count_;
  Buffer pinned_[kMostPinned];
  uint64 prefetched_;
};

static_assert(std::is_trivially_destructible_v<HeapRows>);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_HEAP_ROWS_H
