#include <algorithm>

#include "exec/heap_visibility.h"

extern "C" {
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
}

namespace omendb::exec {

using core::Tid;

namespace {

// How the visibility map lies in its pages (access/heap/visibilitymap.c).
constexpr uint32 kMapBytes = BLCKSZ - MAXALIGN(SizeOfPageHeaderData);
constexpr uint32 kBlocksPerByte = BITS_PER_BYTE / BITS_PER_HEAPBLOCK;
constexpr uint32 kBlocksPerMapPage = kMapBytes * kBlocksPerByte;
constexpr uint32 kBlocksPerWord = kBlocksPerByte * sizeof(uint64);
constexpr uint64 kVisibleInWord = UINT64CONST(0x5555555555555555);
static_assert(VISIBILITYMAP_ALL_VISIBLE == 0x01 && BITS_PER_HEAPBLOCK == 2 && kMapBytes % sizeof(uint64) == 0);

BlockNumber BlockOf(Tid tid) { return static_cast<BlockNumber>(core::TidBlock(tid)); }

uint32 MapPagesOf(BlockNumber heap_blocks) { return (heap_blocks + kBlocksPerMapPage - 1) / kBlocksPerMapPage; }

}  // namespace

void HeapVisibility::Init(Relation heap, Snapshot snapshot, MemoryContext context) {
  heap_ = heap;
  snapshot_ = snapshot;
  context_ = context;
  rows_.Init(heap, snapshot, context);
  takes_locks_ = IsolationIsSerializable();
  // What a primary took for visible to all need not be so for who began on its standby.
  asks_map_ = !snapshot->takenDuringRecovery;
  // The map's LSNs must tell whether a bit was set.  Predicate locks need the TIDs.
  may_trust_ = asks_map_ && !takes_locks_ && RelationNeedsWAL(heap) && !RelationUsesLocalBuffers(heap);
  lsn_ = nullptr;
  lsn_capacity_ = 0;
  for (uint32 i = 0; i < kMaps; i++) map_buffer_[i] = InvalidBuffer;
  hidden_ = nullptr;
  hidden_tid_ = nullptr;
  capacity_ = 0;
  heap_fetches_ = 0;
}

void HeapVisibility::Free() {
  for (uint32 i = 0; i < kMaps; i++)
    if (BufferIsValid(map_buffer_[i])) ReleaseBuffer(map_buffer_[i]);
  rows_.Free();
  if (lsn_ != nullptr) pfree(lsn_);
  if (hidden_ != nullptr) pfree(hidden_);
  if (hidden_tid_ != nullptr) pfree(hidden_tid_);
}

uint32 HeapVisibility::map_pages() const { return MapPagesOf(RelationGetNumberOfBlocks(heap_)); }

// Whether a page of the map has the bits of all its blocks set, and its LSN.  Setting bits
// and the LSN is one step for who holds the lock.
bool HeapVisibility::CheckMap(uint32 page, BlockNumber heap_blocks, XLogRecPtr* lsn) const {
  CHECK_FOR_INTERRUPTS();
  Buffer buffer = InvalidBuffer;
  visibilitymap_get_status(heap_, page * kBlocksPerMapPage, &buffer);
  if (!BufferIsValid(buffer)) return false;
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const uint32 blocks = Min(heap_blocks - page * kBlocksPerMapPage, kBlocksPerMapPage);
  const uint64* map = reinterpret_cast<const uint64*>(PageGetContents(BufferGetPage(buffer)));
  uint64 all = kVisibleInWord;
  for (uint32 w = 0; w < blocks / kBlocksPerWord; w++) all &= map[w];
  // In the bytes' order a word's first blocks are not its lowest bits everywhere.
  const uint8* bytes = reinterpret_cast<const uint8*>(map);
  bool visible = all == kVisibleInWord;
  for (uint32 b = blocks / kBlocksPerWord * kBlocksPerWord; b < blocks && visible; b++)
    visible = (bytes[b / kBlocksPerByte] >> (b % kBlocksPerByte * BITS_PER_HEAPBLOCK) & VISIBILITYMAP_ALL_VISIBLE) != 0;
  *lsn = PageGetLSN(BufferGetPage(buffer));
  UnlockReleaseBuffer(buffer);
  return visible;
}

bool HeapVisibility::Trust() {
  if (!may_trust_) return false;
  blocks_ = RelationGetNumberOfBlocks(heap_);
  const uint32 pages = MapPagesOf(blocks_);
  if (pages > lsn_capacity_) {
    if (lsn_ != nullptr) pfree(lsn_);
    lsn_ = static_cast<XLogRecPtr*>(MemoryContextAlloc(context_, pages * sizeof(XLogRecPtr)));
    lsn_capacity_ = pages;
  }
  for (uint32 p = 0; p < pages; p++)
    if (!CheckMap(p, blocks_, &lsn_[p])) return false;
  return true;
}

bool HeapVisibility::IsStillTrusted() const {
  const uint32 pages = MapPagesOf(blocks_);
  for (uint32 p = 0; p < pages; p++) {
    XLogRecPtr lsn;
    if (!CheckMap(p, blocks_, &lsn) || lsn != lsn_[p]) return false;
  }
  return RelationGetNumberOfBlocks(heap_) == blocks_;
}

// The bits of a page of the map; null if the map has no such page.
const uint8* HeapVisibility::MapPage(BlockNumber map_block) {
  Buffer& buffer = map_buffer_[map_block % kMaps];
  if (!BufferIsValid(buffer) || map_block_[map_block % kMaps] != map_block) {
    if (BufferIsValid(buffer)) ReleaseBuffer(buffer);
    buffer = InvalidBuffer;
    visibilitymap_get_status(heap_, map_block * kBlocksPerMapPage, &buffer);
    map_block_[map_block % kMaps] = map_block;
    if (!BufferIsValid(buffer)) return nullptr;
  }
  return reinterpret_cast<const uint8*>(PageGetContents(BufferGetPage(buffer)));
}

// As visibilitymap_get_status.
inline bool HeapVisibility::PageIsVisible(BlockNumber block) {
  const uint8* map = MapPage(block / kBlocksPerMapPage);
  const uint32 at = block % kBlocksPerMapPage;
  return map != nullptr &&
         (map[at / kBlocksPerByte] >> (at % kBlocksPerByte * BITS_PER_HEAPBLOCK) & VISIBILITYMAP_ALL_VISIBLE) != 0;
}

bool HeapVisibility::Look(const Tid* tids, uint32 n, bool* visible) {
  if (n > capacity_) {
    if (hidden_ != nullptr) pfree(hidden_);
    if (hidden_tid_ != nullptr) pfree(hidden_tid_);
    hidden_ = static_cast<Hidden*>(MemoryContextAlloc(context_, n * sizeof(Hidden)));
    hidden_tid_ = static_cast<Tid*>(MemoryContextAlloc(context_, n * sizeof(Tid)));
    capacity_ = n;
  }
  uint32 hidden = 0;
  BlockNumber last = InvalidBlockNumber;
  bool last_visible = false;
  for (uint32 i = 0; i < n; i++) {
    const BlockNumber block = BlockOf(tids[i]);
    if (block != last) {
      last = block;
      last_visible = asks_map_ && PageIsVisible(block);
      if (last_visible && unlikely(takes_locks_)) PredicateLockPage(heap_, block, snapshot_);
    }
    visible[i] = last_visible;
    if (unlikely(!last_visible)) hidden_[hidden++] = {tids[i], i};
  }
  if (likely(hidden == 0)) return true;
  // In the order of blocks, so that a page is visited once.
  std::sort(hidden_, hidden_ + hidden, [](const Hidden& a, const Hidden& b) { return a.tid < b.tid; });
  for (uint32 i = 0; i < hidden; i++) hidden_tid_[i] = hidden_[i].tid;
  bool all = true;
  for (uint32 done = 0; done < hidden;) {
    const uint32 fetched = rows_.Fetch(hidden_tid_ + done, hidden - done);
    for (uint32 i = 0; i < fetched; i++) {
      const bool sees = rows_.Row(i) != nullptr;
      visible[hidden_[done + i].at] = sees;
      all &= sees;
    }
    done += fetched;
  }
  heap_fetches_ += hidden;
  return all;
}

}  // namespace omendb::exec
