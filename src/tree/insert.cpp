#include "tree/modify.h"

#include "tree/killed.h"
#include "tree/search.h"

extern "C" {
#include "access/generic_xlog.h"
#include "storage/predicate.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
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

void DeltaAppend::Begin(const Index& index, Buffer buffer) {
  index_ = &index;
  buffer_ = buffer;
  state_ = GenericXLogStart(index.rel);
  image_ = GenericXLogRegisterBuffer(state_, buffer, 0);
}

void DeltaAppend::Add(const Entry& entry) { AppendDelta(image_, index_->shape, entry); }

void DeltaAppend::Finish() {
  // Appending moves no entry, so hints remain true.
  uint32 killed[KilledHints::kMaxWords];
  const bool has_killed = MayHaveKilled(BufferGetPage(buffer_));
  const uint32 words = has_killed ? KilledHints(BufferGetPage(buffer_)).Save(killed) : 0;
  SealPage(image_, BufferGetBlockNumber(buffer_));
  GenericXLogFinish(state_);
  if (has_killed) {
    KilledHints::Put(BufferGetPage(buffer_), killed, words);
    MarkBufferDirtyHint(buffer_, true);
  }
}

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

bool MergeDelta(const Index& index, Buffer buffer) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  if (page.delta_count() == 0 || page.entry_count() > MaxPageEntries()) return false;
  LoadedEntries loaded;
  core::NodePlan plan;
  LoadEntries(page, index.shape, &loaded);
  core::PlanNode(loaded.entries, nullptr, &plan);
  const bool fits = plan.size <= MaxImageBytes(index.shape, page.inner());
  if (fits) {
    Key low, high;
    page.node().LowFence(&low);
    GenericXLogState* state = GenericXLogStart(index.rel);
    const Page image = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
    PutNode(image, loaded.entries, plan, page.level(), low, page.node().HighFenceOrNull(&high));
    SealPage(image, BufferGetBlockNumber(buffer));
    GenericXLogFinish(state);
    pg::ReachTestPoint(pg::TestPoint::kDeltaMerged);
  }
  FreeEntries(&loaded);
  return fits;
}

void Insert(const Index& index, const Entry& entry) {
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
    if (page.HasDeltaRoom() || MergeDelta(index, buffer)) {
      // Who has read this part of the key range has a predicate lock on the page.
      CheckForSerializableConflictIn(index.rel, nullptr, BufferGetBlockNumber(buffer));
      DeltaAppend append;
      append.Begin(index, buffer);
      append.Add(entry);
      append.Finish();
      ReleasePage(buffer);
      return;
    }
    if (!ShareWithRight(index, buffer)) SplitPage(index, buffer, IsAppend(page, bound));
  }
}

}  // namespace omendb::tree
