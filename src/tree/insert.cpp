#include "tree/modify.h"

#include "tree/cold_move.h"
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
  const Shape own = page.inner() ? shape.Inner() : shape;
  const size_t bytes = core::EntriesBytes(capacity, own, page.inner());
  const size_t scratch_bytes = core::EntriesBytes(kMaxDelta, own, page.inner());
  char* memory = static_cast<char*>(palloc(bytes + scratch_bytes + MergedValueBytes(page)));
  loaded->memory = memory;
  core::LayOutEntries(&loaded->entries, memory, capacity, own, page.inner());
  core::LayOutEntries(&loaded->scratch, memory + bytes, kMaxDelta, own, page.inner());
  loaded->entries.bytes = reinterpret_cast<uint8_t*>(memory + bytes + scratch_bytes);
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
  if (page.node().header().bytes_columns == 0 && MergeAtEnd(index, buffer)) return true;
  LoadedEntries loaded;
  core::NodePlan plan;
  LoadEntries(page, index.shape, &loaded);
  core::PlanNode(loaded.entries, nullptr, &plan, page.node().fence_value_bytes());
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

bool InsertIntoPage(const Index& index, Buffer buffer, const Entry& entry, bool bottom_up) {
  pg::ReachTestPoint(pg::TestPoint::kInsertLocked);
  const size_t bytes = EncodedDeltaBytes(index.shape, false, entry);
  const NodePage page(BufferGetPage(buffer), index.shape);
  bool has_room = page.HasDeltaRoom(bytes);
  // What is dead goes first: merging the delta would lose the hints.
  if (!has_room && (RemoveDeadEntries(index, buffer, false) || MergeDelta(index, buffer) ||
                    RemoveDeadEntries(index, buffer, bottom_up)))
    has_room = NodePage(BufferGetPage(buffer), index.shape).HasDeltaRoom(bytes);
  if (!has_room) return false;
  // Who has read this part of the key range has a predicate lock on the page.
  CheckForSerializableConflictIn(index.rel, nullptr, BufferGetBlockNumber(buffer));
  Change change;
  change.Begin(index, Action::kAppend);
  change.BeginAppend(buffer);
  change.Append(entry);
  change.Finish();
  ReleasePage(buffer);
  return true;
}

void MakeRoom(const Index& index, Buffer buffer, const Bound& bound) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  if (page.incomplete_split())
    FinishSplit(index, buffer);
  else if (!ShareWithRight(index, buffer, nullptr))
    SplitPage(index, buffer, IsAppend(page, bound));
}

void Insert(const Index& index, const Entry& entry, bool unchanged) {
  Key key;
  Bound bound;
  EntryKey(entry, index.shape, &key);
  core::SetBoundBefore(&bound, key, index.shape.key_columns);
  for (;;) {
    const Buffer buffer = LockLeafForWrite(index, bound);
    if (!NodePage(BufferGetPage(buffer), index.shape).incomplete_split() &&
        InsertIntoPage(index, buffer, entry, unchanged))
      return;
    MakeRoom(index, buffer, bound);
  }
}

}  // namespace omendb::tree
