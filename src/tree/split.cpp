#include <initializer_list>

#include "tree/modify.h"

#include "tree/cold_move.h"
#include "tree/log.h"
#include "tree/options.h"
#include "tree/search.h"

extern "C" {
#include "storage/predicate.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Entries;
using core::Key;
using core::NodePlan;

namespace {

// One half of a split: a base, and delta entries taken over from the old page.
struct Half {
  Entries base;
  NodePlan plan;
  uint32 delta_begin, delta_end;
};

struct Split {
  Key low, separator, high;
  core::KeyBytes separator_memory;
  const Key* high_fence;  // &high, or null
  uint32 level;
  bool is_cold;
  Half left, right;
  LoadedEntries loaded;
  // Of a page whose delta was merged: what the left half has of it, and of those to come.
  bool merged;
  Recode left_recode;
  Entries left_more;
};

bool Fits(const Half& half, const Shape& shape, bool inner) { return half.plan.size <= MaxImageBytes(shape, inner); }

void SetSeparator(Split* split, uint32 at) {
  const Entries& entries = split->loaded.entries;
  Key left, right;
  entries.KeyAt(at - 1, &left);
  entries.KeyAt(at, &right);
  // The first separator of an inner node is its low fence, and so is the first of a cold page: nothing to truncate.
  if (entries.inner || split->is_cold)
    core::CopyKey(&split->separator, right, entries.key_columns);
  else
    core::MakeSeparator(left, right, entries.shape(), &split->separator_memory, &split->separator);
}

// What the values of bytes columns of a half's fences take.
size_t FenceValueBytes(const Split& split, const Shape& shape, bool left) {
  size_t bytes = core::KeyValueBytes(split.separator, shape);
  if (left) return bytes + core::KeyValueBytes(split.low, shape);
  return split.high_fence == nullptr ? bytes : bytes + core::KeyValueBytes(*split.high_fence, shape);
}

// Divides base and delta, merged, before entry `at`; the left plan is made.  False if a
// half would not fit a page.
bool DivideMergedAt(const Index& index, uint32 at, uint32 most, const Entries* more, Split* split) {
  const Entries& all = split->loaded.entries;
  if (all.count - at > most) return false;
  SetSeparator(split, at);
  core::PlanNode(all.Slice(at, all.count), nullptr, &split->right.plan, FenceValueBytes(*split, index.shape, false));
  if (!Fits(split->left, index.shape, all.inner) || !Fits(split->right, index.shape, all.inner)) return false;
  split->left.base = all.Slice(0, at);
  split->right.base = all.Slice(at, all.count);
  split->left.delta_begin = split->left.delta_end = split->right.delta_begin = split->right.delta_end = 0;
  const uint32 came = more != nullptr ? core::EntriesBelow(*more, all, at) : 0;
  if (came > 0) split->left_more = more->Slice(0, came);
  split->left_recode = {0, at - came, nullptr, 0, came > 0 ? &split->left_more : nullptr};
  split->merged = true;
  return true;
}

// Where the entries before it have about half of what the values of bytes columns take.
uint32 MiddleOfValues(const Entries& entries) {
  const auto bytes_of = [&entries](uint32 i) {
    size_t bytes = 0;
    for (uint64 left = entries.bytes_columns; left != 0; left &= left - 1) {
      const int c = __builtin_ctzll(left);
      if (entries.cls[c][i] == core::kValue) bytes += core::StoredBytes(entries.value[c][i]);
    }
    return bytes;
  };
  size_t all = 0, before = 0;
  for (uint32 i = 0; i < entries.count; i++) all += bytes_of(i);
  uint32 at = 0;
  while (at < entries.count && 2 * before + bytes_of(at) < all) before += bytes_of(at++);
  return at;
}

// Divides base, delta and more entries merged, if both halves fit a page then: one entry
// between others can make every residual of a half wider.
bool DivideMerged(const Index& index, const NodePage& page, bool appending, const Entries* more, Split* split) {
  LoadEntries(page, index.shape, &split->loaded, more != nullptr ? more->count : 0);
  if (more != nullptr) core::MergeSorted(&split->loaded.entries, *more);
  const Entries& all = split->loaded.entries;
  const uint32 middle = all.count / 2;
  // More than the test build's limit, if a page has far more already: it is halved
  // again.
  const uint32 most = Max(MaxPageEntries(), all.count - middle);
  if (appending) {
    const size_t fill = FillBytes(index.rel, kPageCapacity, MaxImageBytes(index.shape, page.inner()));
    const uint32 most_left = Min(all.count - 1, most);
    const uint32 at = core::PlanPrefix(all.Slice(0, most_left), fill, most_left, &split->left.plan, &split->low);
    if (DivideMergedAt(index, at, most, more, split)) return true;
  }
  const auto divide_at = [&](uint32 at) {
    if (at > 0) SetSeparator(split, at);
    core::PlanNode(all.Slice(0, at), nullptr, &split->left.plan,
                   at > 0 ? FenceValueBytes(*split, index.shape, true) : 0);
    return DivideMergedAt(index, at, most, more, split);
  };
  if (divide_at(middle)) return true;
  if (all.bytes_columns != 0) {
    // A few long values among short ones, or NULLs, are not halved with the entries.
    const uint32 half = MiddleOfValues(all);
    for (const uint32 at : {half, half + 1, half - 1})
      if (at > 0 && at < all.count && at != middle && divide_at(at)) return true;
  }
  FreeEntries(&split->loaded);
  return false;
}

// Divides the base and leaves the delta entries delta entries.  The left half
// never needs more room than the page had, because the models it had are
// candidates again; the right half at most a bit more per column and entry than
// the same entries did, so that some point from the middle on always does.
void DivideBase(const Index& index, const NodePage& page, Split* split) {
  LoadBase(page, index.shape, &split->loaded);
  const Entries& base = split->loaded.entries;
  const size_t delta_bytes = page.delta_bytes();
  for (uint32 at = base.count / 2;; at += (base.count - at) / 2) {
    split->left.base = base.Slice(0, at);
    split->right.base = base.Slice(at, base.count);
    SetSeparator(split, at);
    core::PlanNode(split->left.base, &page.node(), &split->left.plan, FenceValueBytes(*split, index.shape, true));
    core::PlanNode(split->right.base, nullptr, &split->right.plan, FenceValueBytes(*split, index.shape, false));
    Bound bound;
    core::SetBoundBefore(&bound, split->separator, index.shape.key_columns);
    const uint32 rank = page.DeltaLowerBound(bound);
    split->left.delta_begin = 0;
    split->left.delta_end = split->right.delta_begin = rank;
    split->right.delta_end = page.delta_count();
    if (Max(split->left.plan.size, split->right.plan.size) + delta_bytes <= kPageCapacity) return;
    if (base.count - at < 2)
      ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                      errmsg("could not split a page of index \"%s\"", RelationGetRelationName(index.rel)),
                      errdetail("Its entries are too wide.")));
  }
}

// Divides the delta of a page whose base has one entry or none, and leaves its entries
// delta entries.  Wide entries can take more room encoded than as they are, as long as
// they are few.  A base of one entry needs no packed words, so with half of the delta it
// always fits.
void DivideDelta(const Index& index, const NodePage& page, BlockNumber block, Split* split) {
  if (page.delta_count() < 2) ReportCorruption(index.rel, block, "it is full, but has no two entries to divide");
  LoadEntries(page, index.shape, &split->loaded);
  const Entries& all = split->loaded.entries;
  const uint32 rank = page.delta_count() / 2;

  // The one entry of the base goes to its side of the separator.
  uint32 at = rank;
  split->left.base = split->right.base = all.Slice(0, 0);
  if (page.node().count() == 1) {
    Key key;
    core::KeyBytes memory;
    Bound bound;
    page.node().KeyAt(0, &memory, &key);
    core::SetBoundBefore(&bound, key, index.shape.key_columns);
    const uint32 i = page.DeltaLowerBound(bound);
    if (i <= rank) at++;
    (i <= rank ? split->left : split->right).base = all.Slice(i, i + 1);
  }
  SetSeparator(split, at);
  split->left.delta_begin = 0;
  split->left.delta_end = split->right.delta_begin = rank;
  split->right.delta_end = page.delta_count();
  if (all.inner) {
    // The first child of an inner node is always in the base.  (That of this page is on the left.)
    split->right.base = all.Slice(at, at + 1);
    split->right.delta_begin++;
  }
  core::PlanNode(split->left.base, nullptr, &split->left.plan, FenceValueBytes(*split, index.shape, true));
  core::PlanNode(split->right.base, nullptr, &split->right.plan, FenceValueBytes(*split, index.shape, false));
}

void WriteHalf(Page image, const Index& index, const NodePage& old, const Split& split, const Half& half,
               const Key& low, const Key* high, BlockNumber block) {
  PutNode(image, half.base, half.plan, split.level, low, high);
  for (uint32 rank = half.delta_begin; rank < half.delta_end; rank++) {
    Entry entry;
    old.DeltaEntryAt(rank, &entry);
    AppendDelta(image, index.shape, entry);
  }
  SealPage(image, block);
}

// The root keeps its block: its halves become two new pages below it.
void SplitRoot(const Index& index, Buffer buffer, const NodePage& page, const Split& split) {
  const Buffer left = AllocatePage(index), right = AllocatePage(index);
  const BlockNumber left_block = BufferGetBlockNumber(left), right_block = BufferGetBlockNumber(right);

  uint64 memory[2 * (4 * core::kMaxKeyColumns + 3)];
  Entries downlinks;
  core::LayOutEntries(&downlinks, memory, 2, index.shape.Inner(), true);
  downlinks.count = 2;
  const Key* separators[] = {&split.low, &split.separator};
  for (uint32 i = 0; i < 2; i++) {
    for (int c = 0; c < index.shape.key_columns; c++) {
      downlinks.value[c][i] = separators[i]->ordinal[c];
      downlinks.cls[c][i] = separators[i]->cls[c];
    }
    downlinks.tid[i] = separators[i]->tid;
    downlinks.child[i] = i == 0 ? left_block : right_block;
  }
  NodePlan plan;
  core::PlanNode(downlinks, nullptr, &plan, core::KeyValueBytes(split.low, index.shape));

  Change change;
  change.Begin(index, Action::kSplitRoot);
  const Page left_image = change.Rewrite(left);
  const Page right_image = change.Rewrite(right);
  const Page root_image = change.Rewrite(buffer);
  InitPage(left_image, InvalidBlockNumber, right_block, 0);
  WriteHalf(left_image, index, page, split, split.left, split.low, &split.separator, left_block);
  InitPage(right_image, left_block, InvalidBlockNumber, 0);
  WriteHalf(right_image, index, page, split, split.right, split.separator, nullptr, right_block);
  InitPage(root_image, InvalidBlockNumber, InvalidBlockNumber, 0);
  PutNode(root_image, downlinks, plan, split.level + 1, split.low, nullptr);
  SealPage(root_image, kRootBlock);
  change.Finish();
  if (split.level == 0) {
    PredicateLockPageSplit(index.rel, kRootBlock, left_block);
    PredicateLockPageSplit(index.rel, kRootBlock, right_block);
  }
  pg::ReachTestPoint(pg::TestPoint::kRootSplit);
  ReleasePage(right);
  ReleasePage(left);
  ReleasePage(buffer);
}

// Puts a downlink to `child` into the level above; `left` is the page whose split
// that completes.  It stays locked throughout, so that nobody else completes it.
void InsertDownlink(const Index& index, Buffer left, uint32 parent_level, const Key& separator, BlockNumber child) {
  Entry entry;
  entry.tid = separator.tid;
  entry.child = child;
  for (int c = 0; c < index.shape.key_columns; c++) {
    entry.value[c] = separator.ordinal[c];
    entry.cls[c] = separator.cls[c];
  }
  Bound bound;
  core::SetBoundBefore(&bound, separator, index.shape.key_columns);
  const size_t bytes = EncodedDeltaBytes(index.shape, true, entry);
  for (;;) {
    const Buffer buffer = Descend(index, bound, Direction::kForward, parent_level, BUFFER_LOCK_EXCLUSIVE);
    if (!BufferIsValid(buffer))
      ReportCorruption(index.rel, BufferGetBlockNumber(left), "it has a sibling but no level above");
    const NodePage page(BufferGetPage(buffer), index.shape);
    if (page.incomplete_split()) {
      FinishSplit(index, buffer);
      continue;
    }
    if (!page.HasDeltaRoom(bytes) && !(MergeDelta(index, buffer) && page.HasDeltaRoom(bytes))) {
      const bool last = page.right() == InvalidBlockNumber && page.node().LowerBound(bound) == page.node().count() &&
                        page.DeltaLowerBound(bound) == page.delta_count();
      SplitPage(index, buffer, last);
      continue;
    }
    Change change;
    change.Begin(index, Action::kDownlink);
    change.BeginAppend(buffer);
    change.Append(entry);
    const Page left_image = change.Patch(left);
    SpecialOf(left_image)->flags &= static_cast<uint16>(~kIncompleteSplit);
    SealPage(left_image, BufferGetBlockNumber(left));
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kDownlinkInserted);
    ReleasePage(buffer);
    return;
  }
}

// What a split keeps of the page.
void BeginSplit(const NodePage& page, Split* split) {
  page.node().LowFence(&split->low);
  split->high_fence = page.node().HighFenceOrNull(&split->high);
  split->level = page.level();
  split->is_cold = (page.special().flags & kColdPage) != 0;
  split->merged = false;
}

// Writes both halves and completes the split; lock and pin are gone afterwards.
void WriteSplit(const Index& index, Buffer buffer, Split* divided) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  const BlockNumber block = BufferGetBlockNumber(buffer);
  Split& split = *divided;
  if (block == kRootBlock) {
    SplitRoot(index, buffer, page, split);
    FreeEntries(&split.loaded);
    return;
  }

  const BlockNumber left = page.left(), right = page.right();
  const Buffer new_buffer = AllocatePage(index);
  const BlockNumber new_block = BufferGetBlockNumber(new_buffer);
  const Buffer right_buffer = right == InvalidBlockNumber
                                  ? InvalidBuffer
                                  : GetFurtherPage(index.rel, index.shape, right, BUFFER_LOCK_EXCLUSIVE);
  if (BufferIsValid(right_buffer) && SpecialOf(BufferGetPage(right_buffer))->left != block)
    ReportCorruption(index.rel, right, "its left link does not lead back");

  Change change;
  change.Begin(index, Action::kSplit);
  const Page left_image = split.merged ? change.RewriteAs(buffer, split.left_recode) : change.Rewrite(buffer);
  const Page new_image = change.Rewrite(new_buffer);
  const uint16 kind = split.is_cold ? kColdPage : 0;
  InitPage(left_image, left, new_block, static_cast<uint16>(kind | kIncompleteSplit));
  WriteHalf(left_image, index, page, split, split.left, split.low, &split.separator, block);
  InitPage(new_image, block, right, kind);
  WriteHalf(new_image, index, page, split, split.right, split.separator, split.high_fence, new_block);
  if (BufferIsValid(right_buffer)) {
    const Page right_image = change.Patch(right_buffer);
    SpecialOf(right_image)->left = new_block;
    SealPage(right_image, right);
  }
  change.Finish();
  if (split.level == 0) PredicateLockPageSplit(index.rel, block, new_block);
  if (BufferIsValid(right_buffer)) ReleasePage(right_buffer);
  ReleasePage(new_buffer);
  FreeEntries(&split.loaded);
  pg::ReachTestPoint(pg::TestPoint::kSplitWritten);

  FinishSplit(index, buffer);
}

}  // namespace

void FinishSplit(const Index& index, Buffer buffer) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  if (!page.node().has_high_fence())
    ReportCorruption(index.rel, BufferGetBlockNumber(buffer), "its split is incomplete, but it has no right sibling");
  Key separator;
  page.node().HighFence(&separator);
  InsertDownlink(index, buffer, page.level() + 1, separator, page.right());
  ReleasePage(buffer);
}

void SplitPage(const Index& index, Buffer buffer, bool appending) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  Split split;
  BeginSplit(page, &split);
  if (!DivideMerged(index, page, appending, nullptr, &split)) {
    if (page.node().count() < 2)
      DivideDelta(index, page, BufferGetBlockNumber(buffer), &split);
    else
      DivideBase(index, page, &split);
  }
  WriteSplit(index, buffer, &split);
}

bool SplitPageWith(const Index& index, Buffer buffer, const Entries& more) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  Split split;
  BeginSplit(page, &split);
  if (!DivideMerged(index, page, false, &more, &split)) return false;
  WriteSplit(index, buffer, &split);
  return true;
}

void SplitColdPage(const Index& index, Buffer buffer, uint32 at) {
  const Page raw = BufferGetPage(buffer);
  const NodePage page(raw, index.shape);
  Split split;
  BeginSplit(page, &split);
  LoadColdPage(ColdPage(raw, index.shape), index.shape, &split.loaded);
  const Entries& all = split.loaded.entries;
  split.left.base = all.Slice(0, at);
  split.right.base = all.Slice(at, all.count);
  split.left.delta_begin = split.left.delta_end = split.right.delta_begin = split.right.delta_end = 0;
  SetSeparator(&split, at);
  core::PlanNode(split.left.base, &page.node(), &split.left.plan, FenceValueBytes(split, index.shape, true));
  core::PlanNode(split.right.base, nullptr, &split.right.plan, FenceValueBytes(split, index.shape, false));
  WriteSplit(index, buffer, &split);
}

}  // namespace omendb::tree
