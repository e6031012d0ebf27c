#include "tree/vacuum.h"

#include <algorithm>

#include "tree/cold_move.h"
#include "tree/leaf.h"
#include "tree/log.h"
#include "tree/modify.h"
#include "tree/search.h"
#include "tree/segment.h"
#include "tree/segment_use.h"

extern "C" {
#include "access/table.h"
#include "access/visibilitymap.h"
#include "commands/vacuum.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;

namespace {

// Finds the entries of dead rows; returns how many, and their positions.
uint32 FindDead(const core::Entries& entries, IndexBulkDeleteCallback callback, void* callback_state,
                uint16* positions) {
  uint32 count = 0;
  for (uint32 i = 0; i < entries.count; i++) {
    ItemPointerData tid;
    ItemPointerSet(&tid, static_cast<BlockNumber>(core::TidBlock(entries.tid[i])),
                   static_cast<OffsetNumber>(core::TidOffset(entries.tid[i])));
    if (callback(&tid, callback_state)) positions[count++] = static_cast<uint16>(i);
  }
  return count;
}

enum class LeafOutcome { kDone, kSplit };

// Cleans a leaf on which we hold a cleanup lock.  Entries may need more room once
// some are gone (a gap bends the line through the rest): then the leaf is split
// first, lock and pin are gone, and its left half is to be visited again.
LeafOutcome CleanLeaf(const Index& index, Buffer buffer, IndexBulkDeleteCallback callback, void* callback_state,
                      IndexBulkDeleteResult* stats, uint32* left_over) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  LoadedEntries loaded;
  LoadEntries(page, index.shape, &loaded);
  uint16 positions[core::kMaxEntries + kMaxDelta];
  const uint32 removed = FindDead(loaded.entries, callback, callback_state, positions);
  if (removed > 0) {
    RemoveEntries(&loaded.entries, positions, removed);
    core::NodePlan plan;
    if (loaded.entries.count <= core::kMaxEntries)
      core::PlanNode(loaded.entries, nullptr, &plan, page.node().fence_value_bytes());
    if (loaded.entries.count > core::kMaxEntries || plan.size > kPageCapacity) {
      FreeEntries(&loaded);
      if (page.incomplete_split())
        FinishSplit(index, buffer);
      else
        SplitPage(index, buffer, false);
      return LeafOutcome::kSplit;
    }
    Key low, high;
    page.node().LowFence(&low);
    const Key* high_fence = page.node().HighFenceOrNull(&high);
    Change change;
    change.Begin(index, Action::kClean);
    const Page image = change.RewriteAs(buffer, {0, page.entry_count(), positions, removed, nullptr});
    PutNode(image, loaded.entries, plan, 0, low, high_fence);
    SealPage(image, BufferGetBlockNumber(buffer));
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kLeafCleaned);
  }
  *left_over = loaded.entries.count;
  stats->tuples_removed += removed;
  stats->num_index_tuples += loaded.entries.count;
  FreeEntries(&loaded);
  return LeafOutcome::kDone;
}

// Which leaves of cold pages can have no entry of a row that VACUUM removes: those all of whose rows are on
// pages of the table that are all-visible.  Dead rows clear a page's bit, and nobody but VACUUM sets it
// again, which is at this index now: so what was all-visible once is for as long as this lasts.
class VisibleRows {
 public:
  explicit VisibleRows(const Index& index)
      : heap_(table_open(index.rel->rd_index->indrelid, NoLock)),
        blocks_(RelationGetNumberOfBlocks(heap_)),
        map_page_(InvalidBuffer),
        begin_(0),
        end_(0) {}

  bool Cover(BlockNumber first, BlockNumber last) {
    if (first < begin_ || first > end_) begin_ = end_ = first;
    while (end_ <= last && end_ < blocks_ &&
           (visibilitymap_get_status(heap_, end_, &map_page_) & VISIBILITYMAP_ALL_VISIBLE) != 0)
      end_++;
    return end_ > last;
  }

  void End() {
    if (BufferIsValid(map_page_)) ReleaseBuffer(map_page_);
    table_close(heap_, NoLock);
  }

 private:
  Relation heap_;
  BlockNumber blocks_;
  Buffer map_page_;
  BlockNumber begin_, end_;  // [begin_, end_) are all-visible
};

// Where a walk over the leaves has come to.
struct Position {
  Bound bound;
  core::KeyBytes memory;

  void Set(const Index& index, const Key& key) {
    core::SetBoundBefore(&bound, key, index.shape.key_columns);
    core::OwnBound(&bound, index.shape, &memory);
  }
};

// Looks into the leaf at the position, which was in a segment a moment ago, and thaws it if it has entries of
// dead rows, to be cleaned as any other.  Otherwise moves the position behind it, or, where that is the end,
// returns false.
bool PassColdLeaf(const Index& index, Position* position, IndexBulkDeleteCallback callback, void* callback_state,
                  IndexBulkDeleteResult* stats) {
  const Buffer buffer = Descend(index, position->bound, Direction::kForward, 0, BUFFER_LOCK_SHARE);
  if (!IsCold(BufferGetPage(buffer))) {
    ReleasePage(buffer);
    return true;
  }
  const Page leaf = ReadLeaf(index, buffer, position->bound, Direction::kForward);
  if (leaf == nullptr) return true;
  const NodePage page(leaf, index.shape);
  LoadedEntries loaded;
  LoadEntries(page, index.shape, &loaded);
  uint16 positions[core::kMaxEntries + kMaxDelta];
  const uint32 dead = FindDead(loaded.entries, callback, callback_state, positions);
  Key high;
  const bool has_high = page.node().HighFenceOrNull(&high) != nullptr;
  if (dead == 0) {
    stats->num_index_tuples += loaded.entries.count;
    if (has_high) position->Set(index, high);
  }
  FreeEntries(&loaded);
  ReleasePage(buffer);
  if (dead == 0) return has_high;
  ThawLeaf(index, position->bound);
  return true;
}

// Of a cold page, on which we hold a cleanup lock: goes over its leaves from the position on, up to one that has
// to be looked into.  Returns whether there is such a one; else the position is behind the page, if anything is.
bool PassVisibleLeaves(const Index& index, BlockNumber block, const ColdPage& page, VisibleRows* visible,
                       Position* position, IndexBulkDeleteResult* stats) {
  for (uint32 i = page.LeafFor(position->bound, Direction::kForward); i < page.count(); i++) {
    const ColdLeaf leaf = page.LeafAt(i);
    core::KeyBytes memory;
    Key fence;
    // (The position is in this leaf.)
    if (!visible->Cover(leaf.first_heap, leaf.last_heap)) return true;
    stats->num_index_tuples += leaf.entries;
    if (page.HighFence(i, &memory, &fence)) {
      if (core::CompareBound(position->bound, fence, index.shape) > 0)
        ReportCorruption(index.rel, block, "its leaves are not in order");
      position->Set(index, fence);
    }
  }
  return false;
}

}  // namespace

// Entries move to the right only (splits, ShareWithRight), or to the left by
// UnlinkPage, which only VACUUM calls, and AbsorbRight, which never happens beside VACUUM.  So walking the right-links
// in key order meets every entry that was there when the walk began.
void BulkDelete(const Index& index, BufferAccessStrategy strategy, IndexBulkDeleteCallback callback,
                void* callback_state, IndexBulkDeleteResult* stats) {
  // Where the walk has come to: everything below is clean.
  Position where;
  Bound& position = where.bound;
  position.columns = 0;
  position.with_tid = false;
  position.tail = Bound::kBefore;
  VisibleRows visible(index);
  List* cold = NIL;  // block numbers of cold pages
  BlockNumber block = InvalidBlockNumber;
  List* still_empty = NIL;  // block numbers of leaves that could not be unlinked
  for (;;) {
    vacuum_delay_point();
    if (block == InvalidBlockNumber) {
      const Buffer buffer = Descend(index, position, Direction::kForward, 0, BUFFER_LOCK_SHARE);
      block = BufferGetBlockNumber(buffer);
      ReleasePage(buffer);
    }
    const Buffer buffer = PinPage(index.rel, block, strategy);
    // The share lock first, to check a page that was never checked.
    LockPage(index.rel, index.shape, buffer, BUFFER_LOCK_SHARE);
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    pg::ReachTestPoint(pg::TestPoint::kVacuumLeaf);
    LockBufferForCleanup(buffer);
    const Page raw = BufferGetPage(buffer);
    if (!IsLandingFor(index, raw, position, Direction::kForward, 0)) {
      ReleasePage(buffer);
      block = InvalidBlockNumber;
      continue;
    }
    if (IsCold(raw)) {
      const ColdPage page(raw, index.shape);
      if (cold == NIL || llast_oid(cold) != block) cold = lappend_oid(cold, block);
      const bool look = PassVisibleLeaves(index, block, page, &visible, &where, stats);
      block = page.right();
      ReleasePage(buffer);
      if (look) {
        if (!PassColdLeaf(index, &where, callback, callback_state, stats)) break;
        block = InvalidBlockNumber;
      } else if (block == InvalidBlockNumber) {
        break;
      }
      continue;
    }
    uint32 left_over;
    if (CleanLeaf(index, buffer, callback, callback_state, stats, &left_over) == LeafOutcome::kSplit) continue;

    const NodePage page(raw, index.shape);
    const BlockNumber right = page.right();
    const bool has_high = page.node().has_high_fence();
    if (has_high) {
      Key high;
      page.node().HighFence(&high);
      where.Set(index, high);
    }
    ReleasePage(buffer);
    if (left_over == 0 && block != kRootBlock) {
      if (UnlinkPage(index, block, 0))
        stats->pages_newly_deleted++;
      else
        still_empty = lappend_oid(still_empty, block);
    }
    if (!has_high) break;
    block = right;
  }
  // Of a cold page only some leaves were cleaned, elsewhere.  A scan that has it pinned may have read their
  // entries while they were here.
  ListCell* cell;
  foreach (cell, cold) {
    const Buffer buffer = PinPage(index.rel, lfirst_oid(cell), strategy);
    LockBufferForCleanup(buffer);
    ReleasePage(buffer);
  }
  list_free(cold);
  visible.End();
  // Where a page above had no room for what another had to give away, it may have by now.
  foreach (cell, still_empty)
    if (UnlinkPage(index, lfirst_oid(cell), 0)) stats->pages_newly_deleted++;
  list_free(still_empty);
  CollapseRoot(index);
}

bool MayRecycle(const Index& index) {
  const Buffer buffer = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_SHARE);
  const MetaBody& meta = *MetaBodyOf(BufferGetPage(buffer));
  const bool result =
      meta.deleted_pages > 0 || meta.segments == MetaBody::kMayBeUnused || meta.segments == MetaBody::kBeingChecked;
  ReleasePage(buffer);
  return result;
}

void RecyclePages(const Index& index, BufferAccessStrategy strategy, IndexBulkDeleteResult* stats) {
  const bool shared = !RELATION_IS_LOCAL(index.rel);
  // Under the extension lock, every block counted is locked by whoever added it
  // until it is initialized: a zero page below is nobody's.
  if (shared) LockRelationForExtension(index.rel, ExclusiveLock);
  const BlockNumber blocks = RelationGetNumberOfBlocks(index.rel);
  if (shared) UnlockRelationForExtension(index.rel, ExclusiveLock);

  Array<SegmentUse> used;
  if (BeginSegmentCheck(index)) {
    used = ListSegments(index, strategy);
    pg::ReachTestPoint(pg::TestPoint::kSegmentsListed);
  }
  const auto is_used = [&](uint64 segment) {
    return std::binary_search(used.item, used.item + used.count, SegmentUse{segment, 0, 0}, IsOfLesserSegment);
  };
  uint32 deleted = 0, segment_pages = 0;
  stats->pages_free = 0;
  for (BlockNumber block = kRootBlock + 1; block < blocks; block++) {
    vacuum_delay_point();
    const Buffer buffer = ReadBufferExtended(index.rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    const char* problem;
    if (!PageIsNew(page) && !PageIsSound(page, index.shape, block, &problem))
      ReportUnsound(index.rel, page, block, problem);
    if (!PageIsNew(page) && IsSegment(page)) {
      const uint64 segment = SegmentBodyOf(page)->segment;
      if (is_used(segment))
        segment_pages++;
      else
        FreeSegmentBlock(index, buffer, segment);
    }
    if (PageIsNew(page) || IsDeleted(page)) {
      deleted++;
      if (IsRecyclable(page)) {
        RecordFreeIndexPage(index.rel, block);
        pg::ReachTestPoint(pg::TestPoint::kRecycleRecorded);
        stats->pages_free++;
      }
    }
    ReleasePage(buffer);
  }
  stats->pages_deleted = deleted;
  IndexFreeSpaceMapVacuum(index.rel);
  stats->num_pages = blocks;

  const Buffer meta = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_EXCLUSIVE);
  uint32 segments = MetaBodyOf(BufferGetPage(meta))->segments;
  if (segment_pages == 0)
    segments = MetaBody::kNoSegments;
  else if (segments == MetaBody::kBeingChecked)
    segments = MetaBody::kInUse;
  if (MetaBodyOf(BufferGetPage(meta))->deleted_pages != deleted ||
      MetaBodyOf(BufferGetPage(meta))->segments != segments) {
    Change change;
    change.Begin(index, Action::kCount);
    const Page image = change.Patch(meta);
    MetaBodyOf(image)->deleted_pages = deleted;
    MetaBodyOf(image)->segments = segments;
    SealPage(image, kMetaBlock);
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kRecycleCounted);
  }
  ReleasePage(meta);
}

}  // namespace omendb::tree
