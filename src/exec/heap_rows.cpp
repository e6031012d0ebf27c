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

// Rows are read in groups.  When a group's turn comes, the rows of the next one are fetched
// into the cache, and page headers and line pointers of the one after that.  A processor
// overlaps such fetches as far as it looks ahead, and each may have to find its page's
// address first: so they are issued one right after the other, not one a row.
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
  recent_ = nullptr;
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
  if (recent_ != nullptr) pfree(recent_);
  if (memory_ != nullptr) pfree(memory_);
}

void HeapRows::Reserve(uint32 n) {
  if (n <= capacity_) return;
  Free();
  capacity_ = n;
  rows_ = static_cast<HeapTupleData*>(MemoryContextAlloc(context_, n * sizeof(HeapTupleData)));
  dead_ = static_cast<bool*>(MemoryContextAlloc(context_, n * sizeof(bool)));
  recent_ = static_cast<Buffer*>(MemoryContextAlloc(context_, n * sizeof(Buffer)));
  memory_ = nullptr;
  memory_size_ = 0;
}

// Where the pages probably are.  Those that are not in memory are asked for.
void HeapRows::LookForBuffers(const Tid* tids, uint32 n) {
  for (uint32 i = 0; i < n; i++) {
    const BlockNumber block = BlockOf(tids[i]);
    if (i > 0 && block == BlockOf(tids[i - 1])) {
      recent_[i] = recent_[i - 1];
      continue;
    }
    recent_[i] = local_ || !hot::enable_hot_index ? InvalidBuffer : hot::RecentHeapBuffer(pg::FileNodeOf(heap_), block);
    if (BufferIsValid(recent_[i])) pg::PrefetchBufferHeader(recent_[i]);
  }
  if (local_ || n == 1 || get_tablespace_io_concurrency(heap_->rd_rel->reltablespace) == 0) return;
  for (uint32 i = 0; i < n; i++) {
    const BlockNumber block = BlockOf(tids[i]);
    if (i > 0 && block == BlockOf(tids[i - 1])) {
      recent_[i] = recent_[i - 1];
      continue;
    }
    if (BufferIsValid(recent_[i]) && likely(pg::IsProbablyIn(heap_, block, recent_[i]))) continue;
    const PrefetchBufferResult result = PrefetchBuffer(heap_, MAIN_FORKNUM, block);
    recent_[i] = result.recent_buffer;
    prefetched_ += result.initiated_io;
    if (BufferIsValid(recent_[i])) hot::RememberHeapBuffer(pg::FileNodeOf(heap_), block, recent_[i]);
  }
}

// Whether what TID i reads can be fetched.  Rows on the page of the one before are near it, and
// a damaged TID must not lead out of its page.
bool HeapRows::IsWorthFetching(const Tid* tids, uint32 i) const {
  return BufferIsValid(recent_[i]) && (i == 0 || recent_[i] != recent_[i - 1]) &&
         OffsetOf(tids[i]) >= FirstOffsetNumber && OffsetOf(tids[i]) <= MaxHeapTuplesPerPage;
}

// Of the group that begins at `first`.
void HeapRows::PrefetchLinePointers(const Tid* tids, uint32 n, uint32 first) const {
  for (uint32 i = first; i < Min(n, first + kGroup); i++) {
    if (!IsWorthFetching(tids, i)) continue;
    const char* page = static_cast<const char*>(BufferGetPage(recent_[i]));
    core::Prefetch(page);
    core::Prefetch(page + SizeOfPageHeaderData + (OffsetOf(tids[i]) - 1) * sizeof(ItemIdData));
  }
}

// What is read of a page before its lock is held is a hint where to find the row, no more.
void HeapRows::PrefetchRows(const Tid* tids, uint32 n, uint32 first) const {
  for (uint32 i = first; i < Min(n, first + kGroup); i++) {
    if (!IsWorthFetching(tids, i)) continue;
    const char* page = static_cast<const char*>(BufferGetPage(recent_[i]));
    const ItemIdData line_pointer = *PageGetItemId(const_cast<char*>(page), OffsetOf(tids[i]));
    core::Prefetch(page + line_pointer.lp_off);
    core::Prefetch(page + line_pointer.lp_off + line_pointer.lp_len);
  }
}

// Another page than before.
Buffer HeapRows::PinPage(Tid tid, uint32 i) {
  const BlockNumber block = BlockOf(tid);
  Buffer buffer = recent_[i];
  if (!BufferIsValid(buffer) || !pg::PinRecentBuffer(heap_, block, buffer)) {
    buffer = ReadBuffer(heap_, block);
    if (!local_) hot::RememberHeapBuffer(pg::FileNodeOf(heap_), block, buffer);
  }
  // As heapam does when it comes to a page.
  heap_page_prune_opt(heap_, buffer);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  return buffer;
}

void HeapRows::Take(const HeapTupleData& tuple, uint32 i) {
  rows_[i] = tuple;
  if (stays_pinned_) return;
  rows_[i].t_data = reinterpret_cast<HeapTupleHeader>(memory_ + memory_used_);
  memcpy(rows_[i].t_data, tuple.t_data, tuple.t_len);
  memory_used_ += MAXALIGN(tuple.t_len);
}

// The version of a row that the snapshot sees, from its page, locked.
void HeapRows::Read(Buffer buffer, Tid tid, uint32 i) {
  const Page page = BufferGetPage(buffer);
  HeapTupleData tuple;
  rows_[i].t_data = nullptr;
  dead_[i] = false;
  // Of a row on such a page there is one version, all can see it, and the TID leads to it by
  // a redirect at most.  (A TID that was given to another row since is not of this kind: the
  // snapshot is older than that row, so that not all can see it.)
  if (trusts_all_visible_ && PageIsAllVisible(page)) {
    OffsetNumber offset = OffsetOf(tid);
    if (offset >= FirstOffsetNumber && offset <= PageGetMaxOffsetNumber(page)) {
      ItemId line_pointer = PageGetItemId(page, offset);
      if (ItemIdIsRedirected(line_pointer)) {
        offset = static_cast<OffsetNumber>(ItemIdGetRedirect(line_pointer));
        line_pointer = PageGetItemId(page, offset);
      }
      if (likely(ItemIdIsNormal(line_pointer))) {
        tuple.t_len = ItemIdGetLength(line_pointer);
        ItemPointerSet(&tuple.t_self, BlockOf(tid), offset);
        tuple.t_tableOid = RelationGetRelid(heap_);
        tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, line_pointer));
        Take(tuple, i);
        return;
      }
    }
  }
  ItemPointerData pointer;
  ItemPointerSet(&pointer, BlockOf(tid), OffsetOf(tid));
  if (heap_hot_search_buffer(&pointer, heap_, buffer, snapshot_, &tuple, &dead_[i], true)) Take(tuple, i);
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
  PrefetchLinePointers(tids, n, 0);
  PrefetchLinePointers(tids, n, kGroup);
  PrefetchRows(tids, n, 0);

  Buffer buffer = InvalidBuffer;
  uint32 i = 0;
  for (; i < n; i++) {
    if (i % kGroup == 0) {
      PrefetchLinePointers(tids, n, i + 2 * kGroup);
      PrefetchRows(tids, n, i + kGroup);
    }
    if (unlikely(memory_size_ - memory_used_ < BLCKSZ)) {
      row_bytes_ = 2 * Max(row_bytes_, memory_used_ / i);
      break;
    }
    if (i == 0 || BlockOf(tids[i]) != BlockOf(tids[i - 1])) {
      if (BufferIsValid(buffer)) Leave(buffer);
      buffer = PinPage(tids[i], i);
      const uint32 last = i + kManyRows - 1;
      stays_pinned_ = pinned_count_ < kMostPinned && last < n && BlockOf(tids[last]) == BlockOf(tids[i]);
    }
    Read(buffer, tids[i], i);
  }
  if (BufferIsValid(buffer)) Leave(buffer);
  return i;
}

}  // namespace omendb::exec
