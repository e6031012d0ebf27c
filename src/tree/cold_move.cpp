#include "tree/cold_move.h"

#include <initializer_list>

#include "tree/leaf.h"
#include "tree/log.h"
#include "tree/search.h"
#include "tree/segment.h"

#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
#include "storage/indexfsm.h"
#include "storage/predicate.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Entries;
using core::Key;
using core::NodePlan;

namespace {

// A cold page is not filled beyond this: dividing it can make the right part's columns a bit wider.
constexpr size_t kMaxColdImage = kPageCapacity * 3 / 4;

}  // namespace

bool FreezeLeaf(const Index& index, BlockNumber block, const SegmentBuilder& builder, const ColdLeaf& leaf) {
  const Buffer buffer = GetPage(index.rel, index.shape, block, BUFFER_LOCK_EXCLUSIVE);
  const Page raw = BufferGetPage(buffer);
  if (!IsNode(raw) || !builder.IsUnchanged(leaf.slot, raw)) {
    ReleasePage(buffer);
    return false;
  }
  const NodePage page(raw, index.shape);
  Key low, high;
  page.node().LowFence(&low);
  const Key* high_fence = page.node().HighFenceOrNull(&high);
  const Shape shape = ColdShape(index.shape);
  Entries entries;
  NodePlan plan;
  void* memory = palloc(core::EntriesBytes(1, shape, false));
  core::LayOutEntries(&entries, memory, 1, shape, false);
  AppendColdLeaf(&entries, low, leaf);
  core::PlanNode(entries, nullptr, &plan, page.node().fence_value_bytes());
  // (A page of very wide fences has no room to have one more copy of one.)
  const bool fits = plan.size <= kPageCapacity;
  if (fits) {
    Change change;
    change.Begin(index, Action::kFreeze);
    const Page image = change.Rewrite(buffer);
    InitPage(image, page.left(), page.right(), kColdPage);
    PutNode(image, entries, plan, 0, low, high_fence);
    SealPage(image, block);
    change.Finish();
  }
  pfree(memory);
  ReleasePage(buffer);
  if (fits) pg::ReachTestPoint(pg::TestPoint::kLeafFrozen);
  return fits;
}

namespace {

// The pages that change when a cold page absorbs its right sibling.
struct Absorption {
  Buffer page = InvalidBuffer, right = InvalidBuffer, behind = InvalidBuffer, parent = InvalidBuffer;

  void Release() {
    for (Buffer buffer : {parent, behind, right, page})
      if (BufferIsValid(buffer)) ReleasePage(buffer);
  }
};

// Locks them, from left to right and then above.  False if they are not as they need to be.
bool LockPages(const Index& index, BlockNumber block, Absorption* pages) {
  pages->page = GetPage(index.rel, index.shape, block, BUFFER_LOCK_EXCLUSIVE);
  const Page raw = BufferGetPage(pages->page);
  if (!IsNode(raw) || !IsCold(raw)) return false;
  const ColdPage page(raw, index.shape);
  if (page.incomplete_split() || page.right() == InvalidBlockNumber) return false;
  const Buffer right_buffer = PinPage(index.rel, page.right(), nullptr);
  // Who has the sibling pinned may have read entries there that VACUUM would not wait for any more.
  if (pg::IsLockedByMe(right_buffer) || !ConditionalLockBufferForCleanup(right_buffer)) {
    ReleaseBuffer(right_buffer);
    return false;
  }
  pages->right = right_buffer;
  const Page right_raw = BufferGetPage(right_buffer);
  const char* problem;
  if (!PageIsSound(right_raw, index.shape, page.right(), &problem))
    ReportUnsound(index.rel, right_raw, page.right(), problem);
  if (SpecialOf(right_raw)->left != block)
    ReportCorruption(index.rel, page.right(), "its left link does not lead back");
  if (!IsNode(right_raw) || !IsCold(right_raw)) return false;
  const ColdPage right(right_raw, index.shape);
  if (right.incomplete_split()) return false;
  if (right.right() != InvalidBlockNumber) {
    pages->behind = GetFurtherPage(index.rel, index.shape, right.right(), BUFFER_LOCK_EXCLUSIVE);
    if (SpecialOf(BufferGetPage(pages->behind))->left != page.right())
      ReportCorruption(index.rel, right.right(), "its left link does not lead back");
  }
  Key low;
  Bound bound;
  right.node().LowFence(&low);
  core::SetBoundBefore(&bound, low, index.shape.key_columns);
  pages->parent = Descend(index, bound, Direction::kForward, 1, BUFFER_LOCK_EXCLUSIVE);
  return BufferIsValid(pages->parent);
}

enum class Outcome : uint8 {
  kDone,
  kCannot,      // the two have different parents, or are too large
  kFullParent,  // one link fewer can need more room: a gap bends the line through the others
};

// With the pages locked.
Outcome Absorb(const Index& index, const Absorption& pages) {
  const Shape& shape = index.shape;
  const BlockNumber block = BufferGetBlockNumber(pages.page), right_block = BufferGetBlockNumber(pages.right);
  const ColdPage page(BufferGetPage(pages.page), shape), right(BufferGetPage(pages.right), shape);
  const NodePage parent(BufferGetPage(pages.parent), shape);

  LoadedEntries downlinks, own, given;
  LoadEntries(parent, shape, &downlinks);
  Entries& links = downlinks.entries;
  uint32 at = 0;
  while (at < links.count && links.child[at] != right_block) at++;
  if (at == 0 || at == links.count || links.child[at - 1] != block) {
    FreeEntries(&downlinks);
    return Outcome::kCannot;
  }
  core::MoveEntries(&links, at, at + 1, links.count - at - 1);
  links.count--;
  LoadColdPage(right, shape, &given);
  LoadColdPage(page, shape, &own, right.count());
  core::AppendEntries(&own.entries, given.entries);
  NodePlan plan, parent_plan;
  Key low, high, parent_low, parent_high;
  page.node().LowFence(&low);
  const Key* high_fence = right.node().HighFenceOrNull(&high);
  Outcome outcome = Outcome::kCannot;
  if (own.entries.count <= MaxPageEntries()) {
    core::PlanNode(own.entries, nullptr, &plan, page.node().fence_value_bytes() + right.node().fence_value_bytes());
    core::PlanNode(links, nullptr, &parent_plan, parent.node().fence_value_bytes());
    if (plan.size <= kMaxColdImage) outcome = parent_plan.size <= kPageCapacity ? Outcome::kDone : Outcome::kFullParent;
  }
  if (outcome == Outcome::kDone) {
    parent.node().LowFence(&parent_low);
    const Key* parent_fence = parent.node().HighFenceOrNull(&parent_high);
    Change change;
    change.Begin(index, Action::kAbsorb);
    const Page image = change.RewriteAs(pages.page, {0, page.count(), nullptr, 0, &given.entries});
    SpecialOf(image)->right = right.right();
    PutNode(image, own.entries, plan, 0, low, high_fence);
    SealPage(image, block);
    const Page right_image = change.Rewrite(pages.right);
    // Whoever still comes by finds that it is deleted, or whatever it becomes: no transaction need end first.
    InitDeletedPage(right_image, page.left(), right.right(), kNoTransaction);
    SealPage(right_image, right_block);
    const uint16 removed = static_cast<uint16>(at);
    const Page parent_image = change.RewriteAs(pages.parent, {0, parent.entry_count(), &removed, 1, nullptr});
    PutNode(parent_image, links, parent_plan, parent.level(), parent_low, parent_fence);
    SealPage(parent_image, BufferGetBlockNumber(pages.parent));
    if (BufferIsValid(pages.behind)) {
      const Page behind_image = change.Patch(pages.behind);
      SpecialOf(behind_image)->left = block;
      SealPage(behind_image, right.right());
    }
    change.Finish();
    PredicateLockPageCombine(index.rel, right_block, block);
  }
  FreeEntries(&own);
  FreeEntries(&given);
  FreeEntries(&downlinks);
  return outcome;
}

}  // namespace

bool AbsorbRight(const Index& index, BlockNumber block) {
  for (bool again = true;; again = false) {
    Absorption pages;
    const Outcome outcome = LockPages(index, block, &pages) ? Absorb(index, pages) : Outcome::kCannot;
    const BlockNumber freed = outcome == Outcome::kDone ? BufferGetBlockNumber(pages.right) : InvalidBlockNumber;
    const bool split = outcome == Outcome::kFullParent && again;
    const Buffer parent = pages.parent;
    if (split) pages.parent = InvalidBuffer;
    pages.Release();
    if (outcome == Outcome::kDone) {
      RecordFreeIndexPage(index.rel, freed);
      pg::ReachTestPoint(pg::TestPoint::kColdAbsorbed);
      return true;
    }
    if (!split) return false;
    if (NodePage(BufferGetPage(parent), index.shape).incomplete_split())
      FinishSplit(index, parent);
    else
      SplitPage(index, parent, false);
  }
}

namespace {

// A predicate lock of a cold page stands for all of its leaves, and goes along with each that leaves it: a
// transaction that has one lock here would have hundreds when all are back, and others find no room for theirs.
// PostgreSQL promotes page locks of one relation to a lock of the relation as they are acquired, but not as pages
// are split.  So each so many leaves that a process brings back, those of this index become locks of its table, as
// REINDEX has it.
void PromotePredicateLocks(Relation rel) {
  constexpr uint32 kManyLeaves = 32;
  static uint32 thawed = 0;
  if (++thawed % kManyLeaves == 0) TransferPredicateLocksToHeapRelation(rel);
}

}  // namespace

void ThawLeaf(const Index& index, const Bound& bound) {
  PromotePredicateLocks(index.rel);
  // Before, since its slot in the segment is dead from then on.
  ExpectUnusedSegments(index);
  const char* problem = nullptr;
  BlockNumber problem_block = InvalidBlockNumber;
  ColdLeaf failed = {};
  for (;;) {
    const Buffer buffer = Descend(index, bound, Direction::kForward, 0, BUFFER_LOCK_EXCLUSIVE);
    const BlockNumber block = BufferGetBlockNumber(buffer);
    const Page raw = BufferGetPage(buffer);
    if (!IsCold(raw)) {
      ReleasePage(buffer);
      return;
    }
    const ColdPage page(raw, index.shape);
    if (page.incomplete_split()) {
      FinishSplit(index, buffer);
      continue;
    }
    const uint32 i = page.LeafFor(bound, Direction::kForward);
    const Page leaf = CachedLeaf(index, raw, block, i);
    if (leaf == nullptr) {
      const ColdLeaf wanted = page.LeafAt(i);
      if (problem != nullptr && wanted.segment == failed.segment && wanted.slot == failed.slot)
        ReportCorruption(index.rel, problem_block, problem);
      ReleasePage(buffer);
      CHECK_FOR_INTERRUPTS();
      pg::ReachTestPoint(pg::TestPoint::kColdWanted);
      problem = CacheLeaf(index, wanted, &problem_block);
      failed = wanted;
      continue;
    }
    if (i > 0) {
      SplitColdPage(index, buffer, i);
      continue;
    }
    if (page.count() > 1) {
      SplitColdPage(index, buffer, 1);
      continue;
    }
    Change change;
    change.Begin(index, Action::kThaw);
    const Page image = change.Rewrite(buffer);
    WriteLeaf(image, leaf, page.left(), page.right());
    SealPage(image, block);
    change.Finish();
    ReleasePage(buffer);
    pg::ReachTestPoint(pg::TestPoint::kLeafThawed);
    return;
  }
}

Buffer LockLeafForWrite(const Index& index, const Bound& bound) {
  for (;;) {
    const Buffer buffer = Descend(index, bound, Direction::kForward, 0, BUFFER_LOCK_EXCLUSIVE);
    if (likely(!IsCold(BufferGetPage(buffer)))) return buffer;
    ReleasePage(buffer);
    ThawLeaf(index, bound);
  }
}

}  // namespace omendb::tree
