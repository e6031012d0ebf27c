#include <algorithm>

#include "tree/check.h"

#include "tree/killed.h"
#include "tree/leaf.h"
#include "tree/modify.h"
#include "tree/search.h"
#include "tree/segment.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

using core::Column;
using core::Entries;
using core::Key;
using core::Tid;

namespace {

// The downlinks of one level, in key order: the pages of the level below.
struct Downlink {
  Key separator;
  BlockNumber child;
};

struct DownlinkList {
  Downlink* link;
  uint32 count;
  uint32 capacity;

  void Append(const Key& separator, BlockNumber child, const Shape& shape) {
    if (count == capacity) {
      capacity = Max(capacity * 2, 64);
      const Size bytes = capacity * sizeof(Downlink);
      link = static_cast<Downlink*>(link == nullptr ? MemoryContextAllocHuge(CurrentMemoryContext, bytes)
                                                    : repalloc_huge(link, bytes));
    }
    link[count].separator = separator;
    // Its page will be gone.
    if (const size_t bytes = core::KeyValueBytes(separator, shape); bytes > 0)
      core::OwnKey(&link[count].separator, shape, static_cast<core::KeyBytes*>(palloc(bytes)));
    link[count].child = child;
    count++;
  }
};

class Checker {
 public:
  Checker(const Index& index, BufferAccessStrategy strategy, EntryVisitor visit, void* state)
      : index_(index), strategy_(strategy), visit_(visit), state_(state) {
    blocks_ = RelationGetNumberOfBlocks(index.rel);
    reached_ = static_cast<uint8*>(
        MemoryContextAllocExtended(CurrentMemoryContext, blocks_ / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    copy_ = static_cast<char*>(palloc(BLCKSZ));
    leaf_ = reinterpret_cast<char*>(TYPEALIGN(core::kCacheLine, palloc(BLCKSZ + core::kCacheLine)));
  }

  void Run() {
    ReadCopy(kMetaBlock);
    if (PageIsNew(copy_) || (SpecialOf(copy_)->flags & kMetaPage) == 0) Fail(kMetaBlock, "it is not a metapage");
    Mark(kMetaBlock);

    ReadCopy(kRootBlock);
    ExpectNode(kRootBlock);
    uint32 level = NodePage(copy_, index_.shape).level();
    DownlinkList above = {};
    Key lowest;
    core::SetMinusInfinity(&lowest, index_.shape.key_columns);
    above.Append(lowest, kRootBlock, index_.shape);
    for (;; level--) {
      DownlinkList below = {};
      CheckLevel(level, above, &below);
      pfree(above.link);
      if (level == 0) break;
      above = below;
    }
    CheckUnreachable();
  }

 private:
  [[noreturn]] void Fail(BlockNumber block, const char* problem) { ReportCorruption(index_.rel, block, problem); }

  void ReadCopy(BlockNumber block) {
    CHECK_FOR_INTERRUPTS();
    if (block >= blocks_)
      Fail(block, block <= kRootBlock ? "the file ends before it" : "a link leads to it, but the file ends before");
    const Buffer buffer = ReadBufferExtended(index_.rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    memcpy(copy_, BufferGetPage(buffer), BLCKSZ);
    UnlockReleaseBuffer(buffer);
    const char* problem;
    if (!PageIsNew(copy_) && !PageIsSound(copy_, index_.shape, block, &problem))
      ReportUnsound(index_.rel, copy_, block, problem);
  }

  void ExpectNode(BlockNumber block) {
    if (PageIsNew(copy_)) Fail(block, "a link leads to it, but it was never written");
    if (IsDeleted(copy_)) Fail(block, "a link leads to it, but it is deleted");
    if ((SpecialOf(copy_)->flags & kMetaPage) != 0) Fail(block, "a link leads to it, but it is a metapage");
    if (IsSegment(copy_)) Fail(block, "a link leads to it, but it is a block of a segment");
  }

  void Mark(BlockNumber block) {
    if ((reached_[block / 8] >> (block % 8) & 1) != 0) Fail(block, "two links of a kind lead to it");
    reached_[block / 8] |= static_cast<uint8>(1 << (block % 8));
  }

  // Walks a level along its right-links, next to the downlinks of the level above.
  void CheckLevel(uint32 level, const DownlinkList& above, DownlinkList* below) {
    const int columns = index_.shape.key_columns;
    BlockNumber block = above.link[0].child, left = InvalidBlockNumber;
    Key expected_low;
    core::KeyBytes expected_memory;
    core::SetMinusInfinity(&expected_low, columns);
    uint32 downlink = 0;
    bool left_incomplete = false;
    for (;;) {
      ReadCopy(block);
      ExpectNode(block);
      Mark(block);
      const NodePage page(copy_, index_.shape);
      if (page.level() != level) Fail(block, "its level is not that of its siblings");
      if (page.left() != left) Fail(block, "its left link does not lead to its left sibling");
      Key low;
      page.node().LowFence(&low);
      if (core::CompareKeys(low, expected_low, index_.shape) != 0)
        Fail(block, "its low fence is not its left sibling's high fence");
      if (page.node().has_high_fence() != (page.right() != InvalidBlockNumber))
        Fail(block, "it must have a high fence exactly if it has a right sibling");
      if (left_incomplete) {
        // Its downlink is still to come.
      } else if (downlink == above.count || above.link[downlink].child != block) {
        Fail(block, "it has no downlink in its place");
      } else {
        if (core::CompareKeys(above.link[downlink].separator, low, index_.shape) != 0)
          Fail(block, "its low fence is not the separator of its downlink");
        downlink++;
      }
      if (IsCold(copy_))
        CheckColdPage(block, ColdPage(copy_, index_.shape));
      else
        CheckEntries(block, page, copy_, below);
      if (page.right() == InvalidBlockNumber) break;
      page.node().HighFence(&expected_low);
      core::OwnKey(&expected_low, index_.shape, &expected_memory);
      left_incomplete = page.incomplete_split();
      left = block;
      block = page.right();
    }
    if (downlink != above.count) Fail(above.link[downlink].child, "a downlink leads to it, but its siblings do not");
  }

  // Reads every leaf that it has in segments.
  void CheckColdPage(BlockNumber block, const ColdPage& page) {
    Key low, previous, key;
    core::KeyBytes memory, previous_memory;
    page.node().LowFence(&low);
    CheckModel(block, page.node());
    for (uint32 i = 0; i < page.count(); i++) {
      CHECK_FOR_INTERRUPTS();
      page.LowFence(i, &memory, &key);
      if (i == 0 && core::CompareKeys(key, low, index_.shape) != 0)
        Fail(block, "its first leaf does not begin at its low fence");
      if (i > 0 && core::CompareKeys(previous, key, index_.shape) >= 0) Fail(block, "its leaves are not in order");
      previous = key;
      core::OwnKey(&previous, index_.shape, &previous_memory);
      const ColdLeaf leaf = page.LeafAt(i);
      BlockNumber problem_block;
      if (const char* problem = ReadStoredLeaf(index_, leaf, leaf_, &problem_block)) Fail(problem_block, problem);
      if (!HasFences(index_, leaf_, page, i)) Fail(block, "a leaf in its segment has other fences");
      const NodePage view(leaf_, index_.shape);
      CheckEntries(block, view, leaf_, nullptr);
      CheckHeapBlocks(block, view, leaf);
    }
  }

  // VACUUM does not look for rows of other pages of the table in the leaf.
  void CheckHeapBlocks(BlockNumber block, const NodePage& page, const ColdLeaf& leaf) {
    const auto check = [&](Tid tid) {
      const uint64 heap = core::TidBlock(tid);
      if (heap < leaf.first_heap || heap > leaf.last_heap)
        Fail(block, "a leaf in its segment has a row outside of the blocks that there should be");
    };
    for (uint32 i = 0; i < page.node().count(); i++) check(page.node().TidAt(i));
    for (uint32 rank = 0; rank < page.delta_count(); rank++) check(page.DeltaTidAt(rank));
  }

  void CheckEntries(BlockNumber block, const NodePage& page, Page raw, DownlinkList* below) {
    const int columns = index_.shape.key_columns;
    CheckModel(block, page.node());
    LoadedEntries loaded;
    LoadEntries(page, index_.shape, &loaded);
    const Entries& entries = loaded.entries;
    uint32 killed_count;
    Tid* killed = KilledTids(page, raw, &killed_count);
    if (page.inner() && entries.count == 0) Fail(block, "it is an inner page without children");
    Key low, high, previous, key;
    page.node().LowFence(&low);
    if (page.node().has_high_fence()) page.node().HighFence(&high);
    for (uint32 i = 0; i < entries.count; i++) {
      entries.KeyAt(i, &key);
      if (i > 0 && core::CompareKeys(previous, key, index_.shape) >= 0) Fail(block, "its entries are not in order");
      if (i == 0 && core::CompareKeys(key, low, index_.shape) < 0) Fail(block, "an entry is below its low fence");
      if (i == entries.count - 1 && page.node().has_high_fence() && core::CompareKeys(key, high, index_.shape) >= 0)
        Fail(block, "an entry is not below its high fence");
      if (page.inner()) {
        if (i == 0 && core::CompareKeys(key, low, index_.shape) != 0)
          Fail(block, "its first separator is not its low fence");
        below->Append(key, static_cast<BlockNumber>(entries.child[i]), index_.shape);
      } else {
        if (core::TidOffset(key.tid) == 0 || key.tid > core::kMaxTid) Fail(block, "an entry's TID is not valid");
        for (int c = 0; c < columns; c++)
          if (key.cls[c] == core::kMinusInfinity || key.cls[c] > core::kNullLast)
            Fail(block, "an entry's class is not valid");
        if (visit_ != nullptr) visit_(entries, i, std::binary_search(killed, killed + killed_count, key.tid), state_);
      }
      previous = key;
    }
    FreeEntries(&loaded);
    if (killed != nullptr) pfree(killed);
  }

  // The TIDs of the entries that the page's hints name, sorted; null if there are none.
  Tid* KilledTids(const NodePage& page, Page raw, uint32* count) {
    *count = 0;
    if (!MayHaveKilled(raw)) return nullptr;
    KilledHints hints(raw);
    Tid* tids = static_cast<Tid*>(palloc(page.entry_count() * sizeof(Tid)));
    for (uint32 i = 0; i < page.node().count(); i++)
      if (hints.IsKilled(i)) tids[(*count)++] = page.node().TidAt(i);
    for (uint32 rank = 0; rank < page.delta_count(); rank++)
      if (hints.IsKilled(page.node().count() + page.DeltaSlotAt(rank))) tids[(*count)++] = page.DeltaTidAt(rank);
    std::sort(tids, tids + *count);
    return tids;
  }

  // The search bound: the model's window for a key must contain its position.
  void CheckModel(BlockNumber block, const core::Node& node) {
    // (Numbers of equal values that differ in their bytes need not be in order.)
    if (node.count() == 0 || node.has_class_column(0) || node.is_bytes(0)) return;
    const Column column = node.value_column(0);
    uint64 previous = 0;
    for (uint32 i = 0; i < node.count(); i++) {
      const uint64 value = column.Get(i);
      uint32 begin, end;
      if (i > 0 && value < previous) Fail(block, "its first column is not sorted");
      if (i > 0 && value == previous) continue;
      column.Window(value, node.count(), &begin, &end);
      if (i < begin || i > end) Fail(block, "its model does not bound an entry's position");
      previous = value;
    }
  }

  // What no link leads to must be free.  (The free space map is not asked: it is
  // not WAL-logged, and after a crash may offer pages in use; AllocatePage looks.)
  void CheckUnreachable() {
    for (BlockNumber block = 0; block < blocks_; block++) {
      if ((reached_[block / 8] >> (block % 8) & 1) != 0) continue;
      ReadCopy(block);
      // (A segment that nothing leads to is left by an offload that did not come to its end, until VACUUM.)
      if (!PageIsNew(copy_) && !IsDeleted(copy_) && !IsSegment(copy_))
        Fail(block, "it is in use, but no link leads to it");
    }
  }

  Index index_;
  BufferAccessStrategy strategy_;
  EntryVisitor visit_;
  void* state_;
  BlockNumber blocks_;
  uint8* reached_;
  char* copy_;  // the page being looked at
  char* leaf_;  // and one of its leaves, if it is a cold page
};

}  // namespace

void CheckTree(const Index& index, BufferAccessStrategy strategy, EntryVisitor visit, void* state) {
  Checker(index, strategy, visit, state).Run();
}

}  // namespace omendb::tree
