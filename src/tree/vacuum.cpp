#include "tree/vacuum.h"

#include "tree/log.h"
#include "tree/modify.h"
#include "tree/search.h"

extern "C" {
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
    if (loaded.entries.count <= core::kMaxEntries) core::PlanNode(loaded.entries, nullptr, &plan);
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

}  // namespace

// Entries move to the right only (splits, ShareWithRight), or to the left by
// UnlinkPage, which only VACUUM calls.  So walking the right-links in key order
// meets every entry that was there when the walk began.
void BulkDelete(const Index& index, BufferAccessStrategy strategy, IndexBulkDeleteCallback callback,
                void* callback_state, IndexBulkDeleteResult* stats) {
  // Where the walk has come to: everything below is clean.
  Bound position;
  position.columns = 0;
  position.with_tid = false;
  position.tail = Bound::kBefore;
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
    uint32 left_over;
    if (CleanLeaf(index, buffer, callback, callback_state, stats, &left_over) == LeafOutcome::kSplit) continue;

    const NodePage page(raw, index.shape);
    const BlockNumber right = page.right();
    const bool has_high = page.node().has_high_fence();
    if (has_high) {
      Key high;
      page.node().HighFence(&high);
      core::SetBoundBefore(&position, high, index.shape.key_columns);
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
  // Where a page above had no room for what another had to give away, it may have by now.
  ListCell* cell;
  foreach (cell, still_empty)
    if (UnlinkPage(index, lfirst_oid(cell), 0)) stats->pages_newly_deleted++;
  list_free(still_empty);
  CollapseRoot(index);
}

bool HasDeletedPages(const Index& index) {
  const Buffer buffer = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_SHARE);
  const bool result = MetaBodyOf(BufferGetPage(buffer))->deleted_pages > 0;
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

  uint32 deleted = 0;
  stats->pages_free = 0;
  for (BlockNumber block = kRootBlock + 1; block < blocks; block++) {
    vacuum_delay_point();
    const Buffer buffer = ReadBufferExtended(index.rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    const char* problem;
    if (!PageIsNew(page) && !PageIsSound(page, index.shape, block, &problem))
      ReportUnsound(index.rel, page, block, problem);
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
  if (MetaBodyOf(BufferGetPage(meta))->deleted_pages != deleted) {
    Change change;
    change.Begin(index, Action::kCount);
    const Page image = change.Patch(meta);
    MetaBodyOf(image)->deleted_pages = deleted;
    SealPage(image, kMetaBlock);
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kRecycleCounted);
  }
  ReleasePage(meta);
}

}  // namespace omendb::tree
