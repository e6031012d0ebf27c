#include "tree/modify.h"

#include "tree/log.h"
#include "tree/search.h"

extern "C" {
#include "storage/predicate.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Entries;
using core::Key;

namespace {

void AllocateEntries(uint32 base, uint32 room, const NodePage& page, const Shape& shape, LoadedEntries* loaded) {
  const uint32 capacity = base + kMaxDelta + room;
  const int values = page.value_columns();
  const size_t bytes = core::EntriesBytes(capacity, values, page.inner());
  loaded->memory = palloc(bytes + core::EntriesBytes(kMaxDelta, values, page.inner()));
  core::LayOutEntries(&loaded->entries, loaded->memory, capacity, shape.key_columns, values, page.inner());
  core::LayOutEntries(&loaded->scratch, static_cast<char*>(loaded->memory) + bytes, kMaxDelta, shape.key_columns,
                      values, page.inner());
}

// Whether the entry goes behind everything on the last page of its level.
bool IsAppend(const NodePage& page, const Bound& bound) {
  if (page.right() != InvalidBlockNumber) return false;
  return page.node().LowerBound(bound) == page.node().count() && page.DeltaLowerBound(bound) == page.delta_count();
}

}  // namespace

void LoadEntries(const NodePage& page, const Shape& shape, LoadedEntries* loaded, uint32 room) {
  AllocateEntries(page.node().count(), room, page, shape, loaded);
  loaded->entries.count =
      MergeEntries(page, 0, page.node().count(), 0, page.delta_count(), &loaded->scratch, &loaded->entries);
}

void LoadBase(const NodePage& page, const Shape& shape, LoadedEntries* loaded) {
  AllocateEntries(page.node().count(), 0, page, shape, loaded);
  loaded->entries.count = MergeEntries(page, 0, page.node().count(), 0, 0, &loaded->scratch, &loaded->entries);
}

void FreeEntries(LoadedEntries* loaded) { pfree(loaded->memory); }

namespace {

// Merges the delta of a page at whose end its entries are, as ascending keys leave them,
// without decoding and fitting all that is before: that would cost as much as hundreds of
// inserts.  False if they are elsewhere, do not fit the lines that the columns have, or not
// the page; then a new fit may take less room.
bool MergeAtEnd(const Index& index, Buffer buffer) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  const uint32 count = page.node().count();
  Key first;
  Bound bound;
  page.DeltaKeyAt(0, &first);
  core::SetBoundBefore(&bound, first, index.shape.key_columns);
  const uint32 from = page.node().LowerBound(bound);
  if (from == 0 || from < count / 2) return false;
  LoadedEntries loaded;
  core::NodePlan plan;
  AllocateEntries(count - from, 0, page, index.shape, &loaded);
  Entries& tail = loaded.entries;
  tail.count = MergeEntries(page, from, count, 0, page.delta_count(), &loaded.scratch, &tail);
  const bool fits =
      core::PlanTail(page.node(), from, tail, &plan) && plan.size <= MaxImageBytes(index.shape, page.inner());
  if (fits) {
    Change change;
    change.Begin(index, Action::kMerge);
    const Page image = change.RewriteAs(buffer, {0, page.entry_count(), nullptr, 0, nullptr});
    PutTail(image, tail, from, plan);
    SealPage(image, BufferGetBlockNumber(buffer));
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kDeltaMerged);
  }
  FreeEntries(&loaded);
  return fits;
}

}  // namespace

bool MergeDelta(const Index& index, Buffer buffer) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  if (page.delta_count() == 0 || page.entry_count() > MaxPageEntries()) return false;
  if (MergeAtEnd(index, buffer)) return true;
  LoadedEntries loaded;
  core::NodePlan plan;
  LoadEntries(page, index.shape, &loaded);
  core::PlanNode(loaded.entries, nullptr, &plan);
  const bool fits = plan.size <= MaxImageBytes(index.shape, page.inner());
  if (fits) {
    Key low, high;
    page.node().LowFence(&low);
    Change change;
    change.Begin(index, Action::kMerge);
    const Page image = change.RewriteAs(buffer, {0, loaded.entries.count, nullptr, 0, nullptr});
    PutNode(image, loaded.entries, plan, page.level(), low, page.node().HighFenceOrNull(&high));
    SealPage(image, BufferGetBlockNumber(buffer));
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kDeltaMerged);
  }
  FreeEntries(&loaded);
  return fits;
}

void Insert(const Index& index, const Entry& entry, bool unchanged) {
  Key key;
  Bound bound;
  EntryKey(entry, index.shape, &key);
  core::SetBoundBefore(&bound, key, index.shape.key_columns);
  for (;;) {
    const Buffer buffer = Descend(index, bound, Direction::kForward, 0, BUFFER_LOCK_EXCLUSIVE);
    const NodePage page(BufferGetPage(buffer), index.shape);
    if (page.incomplete_split()) {
      FinishSplit(index, buffer);
      continue;
    }
    pg::ReachTestPoint(pg::TestPoint::kInsertLocked);
    // What is dead goes first: merging the delta would lose the hints.
    if (page.HasDeltaRoom() || RemoveDeadEntries(index, buffer, false) || MergeDelta(index, buffer) ||
        RemoveDeadEntries(index, buffer, unchanged)) {
      // Who has read this part of the key range has a predicate lock on the page.
      CheckForSerializableConflictIn(index.rel, nullptr, BufferGetBlockNumber(buffer));
      Change change;
      change.Begin(index, Action::kAppend);
      change.BeginAppend(buffer);
      change.Append(entry);
      change.Finish();
      ReleasePage(buffer);
      return;
    }
    if (!ShareWithRight(index, buffer, nullptr)) SplitPage(index, buffer, IsAppend(page, bound));
  }
}

}  // namespace omendb::tree
