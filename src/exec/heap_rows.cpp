#include "exec/heap_rows.h"

#include "hot/heap_buffers.h"
#include "hot/region.h"
#include "pg/compat.h"

extern "C" {
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/spccache.h"
}

namespace omendb::exec {

using core::Tid;

namespace {

// Rows are read in groups, of one row or of neighbours on a page.  When a group's turn comes, the rows of the next one
// are fetched into the cache, and page headers and line pointers of the one after that.  A processor overlaps such
// fetches as far as it looks ahead, and each may have to find its page's address first: so they are issued one right
// after the other, not one a row.
constexpr uint32 kGroup = 16;

// A page that has so many rows of a batch stays pinned instead of their being copied,
// as far as kMostPinned allows.
constexpr uint32 kManyRows = 4;

BlockNumber BlockOf(Tid tid) { return static_cast<BlockNumber>(core::TidBlock(tid)); }
OffsetNumber OffsetOf(Tid tid) { return static_cast<OffsetNumber>(core::TidOffset(tid)); }

}  // namespace

bool HeapRows::CanRead(Oid table) {
  const Relation relation = table_open(table, NoLock);
  const bool is_heap = relation->rd_tableam == GetHeapamTableAmRoutine();
  table_close(relation, NoLock);
  return is_heap;
}

void HeapRows::Init(Relation heap, Snapshot snapshot, MemoryContext context) {
  heap_ = heap;
  snapshot_ = snapshot;
  context_ = context;
  local_ = RelationUsesLocalBuffers(heap);
  // heapgetpage's rule.  A serializable transaction has to look at every row.
  trusts_all_visible_ = !snapshot->takenDuringRecovery && !IsolationIsSerializable();
  memory_limit_ = static_cast<Size>(work_mem) * 1024;
  capacity_ = 0;
  rows_ = nullptr;
  dead_ = nullptr;
  run_ = nullptr;
  memory_ = nullptr;
  memory_size_ = memory_used_ = 0;
  pinned_count_ = 0;
  row_bytes_ = 128;
  prefetched_ = 0;
}

void HeapRows::Release() {
  while (pinned_count_ > 0) ReleaseBuffer(pinned_[--pinned_count_]);
}

void HeapRows::Free() {
  Release();
  if (rows_ != nullptr) pfree(rows_);
  if (dead_ != nullptr) pfree(dead_);
  if (run_ != nullptr) pfree(run_);
  if (memory_ != nullptr) pfree(memory_);
}

void HeapRows::Reserve(uint32 n) {
  if (n <= capacity_) return;
  Free();
  capacity_ = n;
  rows_ = static_cast<HeapTupleData*>(MemoryContextAlloc(context_, n * sizeof(HeapTupleData)));
  dead_ = static_cast<bool*>(MemoryContextAlloc(context_, n * sizeof(bool)));
  run_ = static_cast<Run*>(MemoryContextAlloc(context_, (n + 1) * sizeof(Run)));
  memory_ = nullptr;
  memory_size_ = 0;
}

// Divides the TIDs by their pages, and looks where these probably are.  Those that are not in
// memory are asked for.
void HeapRows::LookForBuffers(const Tid* tids, uint32 n) {
  runs_ = 0;
  for (uint32 i = 0; i < n; i++) {
    const BlockNumber block = BlockOf(tids[i]);
    if (i > 0 && block == BlockOf(tids[i - 1])) continue;
    Buffer recent = InvalidBuffer;
    if (!local_ && hot::enable_hot_index) recent = hot::RecentHeapBuffer(pg::FileNodeOf(heap_), block);
    if (BufferIsValid(recent)) pg::PrefetchBufferHeader(recent);
    run_[runs_++] = Run{i, recent};
  }
  run_[runs_].first = n;
  if (local_ || n == 1 || get_tablespace_io_concurrency(heap_->rd_rel->reltablespace) == 0) return;
  for (uint32 r = 0; r < runs_; r++) {
    Run& run = run_[r];
    const BlockNumber block = BlockOf(tids[run.first]);
    if (BufferIsValid(run.recent) && likely(pg::IsProbablyIn(heap_, block, run.recent))) continue;
    const PrefetchBufferResult result = PrefetchBuffer(heap_, MAIN_FORKNUM, block);
    run.recent = result.recent_buffer;
    prefetched_ += result.initiated_io;
    if (BufferIsValid(run.recent)) hot::RememberHeapBuffer(pg::FileNodeOf(heap_), block, run.recent);
  }
}

// Whether what the first row of a run reads can be fetched: a damaged TID must not lead out of
// its page.  (Its neighbours on the page are near it.)
bool HeapRows::IsWorthFetching(const Tid* tids, const Run& run) const {
  const OffsetNumber offset = OffsetOf(tids[run.first]);
  return BufferIsValid(run.recent) && offset >= FirstOffsetNumber && offset <= MaxHeapTuplesPerPage;
}

// Of the group of runs that begins at `first`.
void HeapRows::PrefetchLinePointers(const Tid* tids, uint32 first) const {
  for (uint32 r = first; r < Min(runs_, first + kGroup); r++) {
    const Run& run = run_[r];
    if (!IsWorthFetching(tids, run)) continue;
    const char* page = static_cast<const char*>(BufferGetPage(run.recent));
    core::Prefetch(page);
    core::Prefetch(page + SizeOfPageHeaderData + (OffsetOf(tids[run.first]) - 1) * sizeof(ItemIdData));
  }
}

// What is read of a page before its lock is held is a hint where to find the row, no more.
void HeapRows::PrefetchRows(const Tid* tids, uint32 first) const {
  for (uint32 r = first; r < Min(runs_, first + kGroup); r++) {
    const Run& run = run_[r];
    if (!IsWorthFetching(tids, run)) continue;
    const char* page = static_cast<const char*>(BufferGetPage(run.recent));
    const ItemIdData line_pointer = *PageGetItemId(const_cast<char*>(page), OffsetOf(tids[run.first]));
    core::Prefetch(page + line_pointer.lp_off);
    core::Prefetch(page + line_pointer.lp_off + line_pointer.lp_len);
  }
}

Buffer HeapRows::PinPage(BlockNumber block, Buffer recent) {
  Buffer buffer = recent;
  if (!BufferIsValid(buffer) || !pg::PinRecentBuffer(heap_, block, buffer)) {
    buffer = ReadBuffer(heap_, block);
    if (!local_) hot::RememberHeapBuffer(pg::FileNodeOf(heap_), block, buffer);
  }
  // As heapam does when it comes to a page.
  heap_page_prune_opt(heap_, buffer);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  return buffer;
}

// Takes a row where it is, if its page stays pinned.
inline void HeapRows::Take(HeapTuple row) {
  if (stays_pinned_) return;
  char* copy = memory_ + memory_used_;
  memcpy(copy, row->t_data, row->t_len);
  row->t_data = reinterpret_cast<HeapTupleHeader>(copy);
  memory_used_ += MAXALIGN(row->t_len);
}

// The row of a TID, from its page, locked and all-visible; false if there is none.  Of a row on
// such a page there is one version, all can see it, and the TID leads to it by a redirect at
// most.  (A TID that was given to another row since is not of this kind: the snapshot is older
// than that row, so that not all can see it.)
inline bool HeapRows::ReadVisible(Page page, Tid tid, HeapTuple row) {
  OffsetNumber offset = OffsetOf(tid);
  if (offset < FirstOffsetNumber || offset > PageGetMaxOffsetNumber(page)) return false;
  ItemId line_pointer = PageGetItemId(page, offset);
  if (ItemIdIsRedirected(line_pointer)) {
    offset = static_cast<OffsetNumber>(ItemIdGetRedirect(line_pointer));
    line_pointer = PageGetItemId(page, offset);
  }
  if (unlikely(!ItemIdIsNormal(line_pointer))) return false;
  row->t_len = ItemIdGetLength(line_pointer);
  ItemPointerSet(&row->t_self, BlockOf(tid), offset);
  row->t_tableOid = RelationGetRelid(heap_);
  row->t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, line_pointer));
  return true;
}

// The version of a row that the snapshot sees, from its page, locked.
void HeapRows::Read(Buffer buffer, Tid tid, uint32 i) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, BlockOf(tid), OffsetOf(tid));
  if (heap_hot_search_buffer(&pointer, heap_, buffer, snapshot_, &rows_[i], &dead_[i], true))
    Take(&rows_[i]);
  else
    rows_[i].t_data = nullptr;
}

// Reads the rows of a run from their page, as far as there is room; returns where it stopped.
uint32 HeapRows::ReadRun(const Tid* tids, uint32 first, uint32 end, Buffer buffer) {
  const Page page = BufferGetPage(buffer);
  const bool all_visible = trusts_all_visible_ && PageIsAllVisible(page);
  for (uint32 i = first; i < end; i++) {
    if (unlikely(memory_size_ - memory_used_ < BLCKSZ)) return i;
    dead_[i] = false;
    if (likely(all_visible) && likely(ReadVisible(page, tids[i], &rows_[i])))
      Take(&rows_[i]);
    else
      Read(buffer, tids[i], i);
  }
  return end;
}

// Leaves a page, locked.
void HeapRows::Leave(Buffer buffer) {
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  if (stays_pinned_)
    pinned_[pinned_count_++] = buffer;
  else
    ReleaseBuffer(buffer);
}

uint32 HeapRows::Fetch(const Tid* tids, uint32 n) {
  Release();
  Reserve(n);
  // No row is longer than a page; so the loop below looks for that much room before each.
  const Size wanted = Min(n * row_bytes_, memory_limit_) + BLCKSZ;
  if (memory_size_ < wanted) {
    if (memory_ != nullptr) pfree(memory_);
    memory_ = static_cast<char*>(MemoryContextAlloc(context_, wanted));
    memory_size_ = wanted;
  }
  memory_used_ = 0;
  LookForBuffers(tids, n);
  PrefetchLinePointers(tids, 0);
  PrefetchLinePointers(tids, kGroup);
  PrefetchRows(tids, 0);

  for (uint32 r = 0; r < runs_; r++) {
    if (r % kGroup == 0) {
      PrefetchLinePointers(tids, r + 2 * kGroup);
      PrefetchRows(tids, r + kGroup);
    }
    const uint32 first = run_[r].first, end = run_[r + 1].first;
    if (unlikely(memory_size_ - memory_used_ < BLCKSZ)) return StopAt(first);
    // Each page may have to come from the disk.
    CHECK_FOR_INTERRUPTS();
    const Buffer buffer = PinPage(BlockOf(tids[first]), run_[r].recent);
    stays_pinned_ = end - first >= kManyRows && pinned_count_ < kMostPinned;
    const uint32 read = ReadRun(tids, first, end, buffer);
    Leave(buffer);
    if (unlikely(read < end)) return StopAt(read);
  }
  return n;
}

// There is no room for row i.
uint32 HeapRows::StopAt(uint32 i) {
  row_bytes_ = 2 * Max(row_bytes_, memory_used_ / i);
  return i;
}

}  // namespace omendb::exec
