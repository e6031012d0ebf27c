// Inserting many entries at once: leaf by leaf, in key order.
//
// Each leaf that gets some of them is locked and written once.  What few there are go to
// its delta; more are merged into its base; and where they do not fit, the leaf is split
// with them.
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

// The end of the rows from `begin` on that lie below the page's high fence.  Row `begin` does.
size_t EndOfLeaf(const NodePage& page, const Rows& rows, size_t begin) {
  if (!page.node().has_high_fence()) return rows.count();
  Key fence;
  page.node().HighFence(&fence);
  size_t low = begin + 1, high = rows.count();  // rows before `low` do
  for (size_t step = 1; low + step <= rows.count(); step *= 2) {
    if (!rows.IsBelow(low + step - 1, fence)) {
      high = low + step - 1;
      break;
    }
    low += step;
  }
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (rows.IsBelow(middle, fence))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// Rows as entries, in palloc'd memory.
struct Batch {
  Entries entries;
  void* memory;
};

void CopyRows(const Rows& rows, size_t begin, size_t end, const Shape& shape, Batch* batch) {
  const uint32 count = static_cast<uint32>(end - begin);
  batch->memory = palloc(core::EntriesBytes(count, shape, false));
  core::LayOutEntries(&batch->entries, batch->memory, count, shape, false);
  rows.CopyTo(begin, end, &batch->entries);
}

// Entries that the page could have in all, if those to come take as much room as those it has.
uint32 LikelyCapacity(const NodePage& page, const Shape& shape) {
  constexpr uint32 kFew = 64;        // too few to tell
  constexpr size_t kUsualBytes = 6;  // of a value or a TID
  const uint32 count = page.node().count();
  const size_t bytes_each = count < kFew ? kUsualBytes * static_cast<size_t>(shape.value_columns + 1) : 0;
  const size_t most = MaxImageBytes(shape, false);
  const size_t head = core::NodeHeadBytes(reinterpret_cast<const uint8_t*>(&page.node().header()));
  const size_t capacity =
      bytes_each > 0 ? most / bytes_each : count * (most - head) / (page.node().header().size - head + 1);
  return static_cast<uint32>(Min(capacity, static_cast<size_t>(MaxPageEntries())));
}

// Whether rows [begin, end) fit the delta.
bool FitDelta(const NodePage& page, Page raw, const Shape& shape, const Rows& rows, size_t begin, size_t end) {
  const PageHeader header = reinterpret_cast<PageHeader>(raw);
  const size_t count = end - begin;
  if (page.delta_count() + count > MaxDeltaEntries()) return false;
  size_t bytes = count * (page.delta_stride() + NodePage::DeltaPlace(shape, false));
  for (size_t i = begin; i < end && shape.bytes_columns != 0; i++) {
    Entry entry;
    rows.EntryAt(i, &entry);
    bytes += EncodedDeltaBytes(shape, false, entry) - page.delta_stride();
  }
  return bytes <= static_cast<size_t>(header->pd_upper - header->pd_lower);
}

void AppendAll(const Index& index, Buffer buffer, const Rows& rows, size_t begin, size_t end) {
  Change change;
  change.Begin(index, Action::kAppend);
  change.BeginAppend(buffer);
  for (size_t i = begin; i < end; i++) {
    Entry entry;
    rows.EntryAt(i, &entry);
    change.Append(entry);
  }
  change.Finish();
}

// Writes the page with all that it had and `more`.
void WriteMerged(const Index& index, Buffer buffer, const Entries& entries, const core::NodePlan& plan,
                 const Entries& more) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  Key low, high;
  page.node().LowFence(&low);
  const Key* high_fence = page.node().HighFenceOrNull(&high);
  Change change;
  change.Begin(index, Action::kMerge);
  const Page image = change.RewriteAs(buffer, {0, page.entry_count(), nullptr, 0, &more});
  PutNode(image, entries, plan, 0, low, high_fence);
  SealPage(image, BufferGetBlockNumber(buffer));
  change.Finish();
}

// Merges rows into the page.  If they do not all fit but come behind all that it has,
// the first of them.  Returns how many; 0 if they do not fit, and then nothing is changed.
size_t Merge(const Index& index, Buffer buffer, const Entries& more) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  const size_t most = MaxImageBytes(index.shape, false);
  const uint32 old_count = page.entry_count();
  LoadedEntries loaded;
  LoadEntries(page, index.shape, &loaded, more.count);
  Entries& all = loaded.entries;
  const bool behind = old_count == 0 || core::CompareEntries(all, old_count - 1, more, 0) < 0;
  core::MergeSorted(&all, more);
  const uint32 limit = Min(all.count, MaxPageEntries());
  core::NodePlan plan;
  uint32 merged = 0;
  if (behind) {
    Key low;
    page.node().LowFence(&low);
    merged = core::PlanPrefix(all.Slice(0, limit), most, limit, &plan, &low);
  } else if (all.count <= limit) {
    core::PlanNode(all, nullptr, &plan, page.node().fence_value_bytes());
    merged = all.count;
  }
  const bool fits = merged > old_count && plan.size <= most;
  if (fits) WriteMerged(index, buffer, all.Slice(0, merged), plan, more.Slice(0, merged - old_count));
  FreeEntries(&loaded);
  return fits ? merged - old_count : 0;
}

// Splits the page with as many of the first entries as fit its halves; returns how many.
// Lock and pin are gone afterwards.
size_t Split(const Index& index, Buffer buffer, Entries* more) {
  const uint32 old_count = NodePage(BufferGetPage(buffer), index.shape).entry_count();
  for (; more->count > 0 && old_count + more->count >= 2; more->count /= 2)
    if (SplitPageWith(index, buffer, *more)) return more->count;
  SplitPage(index, buffer, false);
  return 0;
}

// Puts rows [begin, end) into the leaf that they belong to, which is locked exclusively, or
// the first of them, and returns how many; lock and pin are gone afterwards.  0 if it
// first made room.
size_t InsertIntoLeaf(const Index& index, Buffer buffer, const Rows& rows, size_t begin, size_t end, bool unchanged) {
  const Page raw = BufferGetPage(buffer);
  const NodePage page(raw, index.shape);
  // Who has read this part of the key range has a predicate lock on the page.
  CheckForSerializableConflictIn(index.rel, nullptr, BufferGetBlockNumber(buffer));
  if (FitDelta(page, raw, index.shape, rows, begin, end)) {
    AppendAll(index, buffer, rows, begin, end);
    pg::ReachTestPoint(pg::TestPoint::kBatchWritten);
    ReleasePage(buffer);
    return end - begin;
  }

  if (RemoveDeadEntries(index, buffer, false)) {
    ReleasePage(buffer);
    return 0;
  }
  // Two pages, nearly full, are the most that it becomes.
  const uint32 capacity = LikelyCapacity(page, index.shape), old_count = page.entry_count();
  const size_t room = Max(2 * size_t{capacity} * 9 / 10, size_t{old_count} + 1) - old_count;
  Batch batch;
  CopyRows(rows, begin, begin + Min(end - begin, room), index.shape, &batch);
  size_t done = 0;
  if (old_count + batch.entries.count <= capacity + capacity / 32 || old_count < capacity / 2)
    done = Merge(index, buffer, batch.entries);
  if (done > 0 || RemoveDeadEntries(index, buffer, unchanged))
    ReleasePage(buffer);
  else if (ShareWithRight(index, buffer, &batch.entries))
    done = batch.entries.count;
  else
    done = Split(index, buffer, &batch.entries);
  pfree(batch.memory);
  if (done > 0) pg::ReachTestPoint(pg::TestPoint::kBatchWritten);
  return done;
}

}  // namespace

void InsertRows(const Index& index, const Rows& rows, bool unchanged) {
  for (size_t i = 0; i < rows.count();) {
    Entry entry;
    Key key;
    Bound bound;
    rows.EntryAt(i, &entry);
    EntryKey(entry, index.shape, &key);
    core::SetBoundBefore(&bound, key, index.shape.key_columns);
    const Buffer buffer = LockLeafForWrite(index, bound);
    const NodePage page(BufferGetPage(buffer), index.shape);
    if (page.incomplete_split()) {
      FinishSplit(index, buffer);
      continue;
    }
    i += InsertIntoLeaf(index, buffer, rows, i, EndOfLeaf(page, rows, i), unchanged);
  }
}

}  // namespace omendb::tree
