#include "tree/leaf.h"

#include "hot/cold_cache.h"
#include "tree/index_cache.h"
#include "tree/search.h"
#include "tree/segment.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;

namespace {

// The leaves out of segments that this backend has used last, from where they are read.  They never change, and their
// segments' ids are never used again, so nothing ever has to be forgotten.
struct alignas(core::kCacheLine) CachedPage {
  char page[BLCKSZ];
};
constexpr int kCachedPages = 16;

struct CacheSlot {
  uint64 segment;
  uint32 slot;
  bool is_valid;
  uint64 used;
};

CachedPage* cached_pages;  // null until the first is read
CacheSlot cache_slots[kCachedPages];
uint64 cache_clock;

int FindSlot(const ColdLeaf& leaf) {
  for (int i = 0; i < kCachedPages; i++)
    if (cache_slots[i].is_valid && cache_slots[i].segment == leaf.segment && cache_slots[i].slot == leaf.slot) return i;
  return -1;
}

// Empties the one that was not used for longest.
int ClearSlot() {
  if (cached_pages == nullptr) {
    char* const memory =
        static_cast<char*>(MemoryContextAlloc(TopMemoryContext, kCachedPages * sizeof(CachedPage) + core::kCacheLine));
    cached_pages = reinterpret_cast<CachedPage*>(TYPEALIGN(core::kCacheLine, memory));
  }
  int oldest = 0;
  for (int i = 1; i < kCachedPages; i++)
    if (cache_slots[oldest].is_valid && (!cache_slots[i].is_valid || cache_slots[i].used < cache_slots[oldest].used))
      oldest = i;
  cache_slots[oldest].is_valid = false;
  return oldest;
}

void Count(const Index& index, hot::ColdOutcome outcome) {
  if (IndexCache* cache = CacheOf(index.rel)) hot::CountCold(&cache->route, outcome);
}

}  // namespace

bool HasFences(const Index& index, Page leaf, const ColdPage& cold, uint32 i) {
  const core::Node node = NodePage(leaf, index.shape).node();
  core::KeyBytes memory;
  Key expected, fence;
  cold.LowFence(i, &memory, &expected);
  node.LowFence(&fence);
  if (core::CompareKeys(expected, fence, index.shape) != 0) return false;
  const bool has_high = cold.HighFence(i, &memory, &expected);
  if (has_high != node.has_high_fence()) return false;
  if (!has_high) return true;
  node.HighFence(&fence);
  return core::CompareKeys(expected, fence, index.shape) == 0;
}

Page CachedLeaf(const Index& index, Page cold_page, BlockNumber block, uint32 i) {
  const ColdPage cold(cold_page, index.shape);
  const ColdLeaf stored = cold.LeafAt(i);
  int slot = FindSlot(stored);
  if (slot < 0) {
    slot = ClearSlot();
    if (!hot::FetchColdLeaf(stored.segment, stored.slot, cached_pages[slot].page)) return nullptr;
    Count(index, hot::ColdOutcome::kHit);
    cache_slots[slot] = CacheSlot{stored.segment, stored.slot, true, 0};
  }
  cache_slots[slot].used = ++cache_clock;
  const Page leaf = cached_pages[slot].page;
  if (!HasFences(index, leaf, cold, i)) ReportCorruption(index.rel, block, "a leaf in its segment has other fences");
  SpecialOf(leaf)->left = i > 0 ? block : cold.left();
  SpecialOf(leaf)->right = i + 1 < cold.count() ? block : cold.right();
  PageSetLSN(leaf, PageGetLSN(cold_page));
  return leaf;
}

const char* CacheLeaf(const Index& index, const ColdLeaf& leaf, BlockNumber* block) {
  if (FindSlot(leaf) >= 0) return nullptr;
  const int slot = ClearSlot();
  const char* const problem = ReadStoredLeaf(index, leaf, cached_pages[slot].page, block);
  if (problem != nullptr) return problem;
  Count(index, hot::ColdOutcome::kRead);
  cache_slots[slot] = CacheSlot{leaf.segment, leaf.slot, true, ++cache_clock};
  hot::StoreColdLeaf(leaf.segment, leaf.slot, cached_pages[slot].page);
  return nullptr;
}

Page ReadColdLeaf(const Index& index, Buffer buffer, const Bound& bound, Direction direction) {
  const BlockNumber block = BufferGetBlockNumber(buffer);
  const char* problem = nullptr;
  BlockNumber problem_block = InvalidBlockNumber;
  ColdLeaf failed = {};
  for (;;) {
    const Page page = BufferGetPage(buffer);
    const ColdPage cold(page, index.shape);
    const uint32 i = cold.LeafFor(bound, direction);
    if (const Page leaf = CachedLeaf(index, page, block, i)) {
      // A page whose entries are damaged may lead to a leaf that has nothing to do with the bound, again and again.
      if (!IsLandingFor(index, leaf, bound, direction, 0))
        ReportCorruption(index.rel, block, "its leaves are not in order");
      return leaf;
    }
    const ColdLeaf leaf = cold.LeafAt(i);
    // It is still here, so its segment must be there.
    if (problem != nullptr && leaf.segment == failed.segment && leaf.slot == failed.slot)
      ReportCorruption(index.rel, problem_block, problem);
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    CHECK_FOR_INTERRUPTS();
    pg::ReachTestPoint(pg::TestPoint::kColdWanted);
    problem = CacheLeaf(index, leaf, &problem_block);
    failed = leaf;
    pg::ReachTestPoint(pg::TestPoint::kColdRead);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    if (!IsLandingFor(index, BufferGetPage(buffer), bound, direction, 0)) {
      ReleasePage(buffer);
      return nullptr;
    }
    if (!IsCold(BufferGetPage(buffer))) return BufferGetPage(buffer);
  }
}

void WriteLeaf(Page image, Page leaf, BlockNumber left, BlockNumber right) {
  const PageHeader header = reinterpret_cast<PageHeader>(leaf);
  const PageHeader to = reinterpret_cast<PageHeader>(image);
  InitPage(image, left, right, 0);
  to->pd_lower = header->pd_lower;
  to->pd_upper = header->pd_upper;
  memcpy(image + SizeOfPageHeaderData, leaf + SizeOfPageHeaderData, header->pd_lower - SizeOfPageHeaderData);
  memcpy(image + header->pd_upper, leaf + header->pd_upper, header->pd_special - header->pd_upper);
  SpecialOf(image)->base_crc = SpecialOf(leaf)->base_crc;
  SpecialOf(image)->delta_count = SpecialOf(leaf)->delta_count;
}

}  // namespace omendb::tree
