// Giving entries to the right sibling instead of splitting.
//
// A leaf that is full while its right sibling has room moves its last entries
// there: both pages, and the separator of the sibling in their parent, change in
// one atomic action.  Without it, inserts all over the key range would split
// every page at about the same time and leave the index half empty.
//
// Entries move to the right only.  A reader that left the page before the move
// finds the sibling's low fence below the bound it comes with, and skips what it
// has read; one that arrives at the page afterwards finds its bound at or above
// the high fence, and moves right, as after a split.
#include "tree/log.h"
#include "tree/modify.h"

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

// Both pages must be left with room for a while, or it does not pay.
inline size_t MostImageBytes(const Shape& shape) { return MaxImageBytes(shape, false) * 7 / 8; }

// A cheap look at whether the sibling could take much.
bool HasRoom(const NodePage& sibling, Page raw, const Shape& shape) {
  const PageHeader header = reinterpret_cast<PageHeader>(raw);
  return !sibling.incomplete_split() && sibling.node().header().size <= MaxImageBytes(shape, false) * 5 / 8 &&
         header->pd_upper - header->pd_lower >= BLCKSZ / 4;
}

// The entries of both pages, and where to divide them.
struct Shared {
  LoadedEntries both;
  uint32 at;
  NodePlan left_plan, right_plan;
};

void LoadBoth(const Index& index, const NodePage& left, const NodePage& right, LoadedEntries* both) {
  const Shape& shape = index.shape;
  LoadedEntries left_entries, right_entries;
  LoadEntries(left, shape, &left_entries);
  LoadEntries(right, shape, &right_entries);
  const uint32 total = left_entries.entries.count + right_entries.entries.count;
  both->memory = palloc(core::EntriesBytes(total, shape.value_columns, false));
  core::LayOutEntries(&both->entries, both->memory, total, shape.key_columns, shape.value_columns, false);
  core::AppendEntries(&both->entries, left_entries.entries);
  core::AppendEntries(&both->entries, right_entries.entries);
  FreeEntries(&left_entries);
  FreeEntries(&right_entries);
}

// Halves the entries; false if that moves none to the right, or does not fit.
bool PlanHalves(const Index& index, uint32 left_count, Shared* shared) {
  const Entries& all = shared->both.entries;
  shared->at = all.count / 2;
  if (shared->at == 0 || shared->at >= left_count || all.count - shared->at > MaxPageEntries()) return false;
  core::PlanNode(all.Slice(0, shared->at), nullptr, &shared->left_plan);
  core::PlanNode(all.Slice(shared->at, all.count), nullptr, &shared->right_plan);
  return Max(shared->left_plan.size, shared->right_plan.size) <= MostImageBytes(index.shape);
}

// The parent's entries with the sibling's separator replaced.  False if they do
// not fit, or if the sibling is the parent's first child: then the separator
// would have to change further up.
bool PlanParent(const Index& index, const NodePage& parent, BlockNumber sibling, const Key& separator,
                LoadedEntries* downlinks, NodePlan* plan) {
  LoadEntries(parent, index.shape, downlinks);
  Entries& links = downlinks->entries;
  uint32 at = 0;
  while (at < links.count && links.child[at] != sibling) at++;
  if (at == 0 || at == links.count || links.count > MaxPageEntries()) return false;
  for (int c = 0; c < index.shape.key_columns; c++) {
    links.value[c][at] = separator.ordinal[c];
    links.cls[c][at] = separator.cls[c];
  }
  links.tid[at] = separator.tid;
  core::PlanNode(links, nullptr, plan);
  return plan->size <= MaxImageBytes(index.shape, true);
}

void PutAndSeal(Page image, const NodePage& old, const Entries& entries, const NodePlan& plan, const Key& low,
                const Key* high, Buffer buffer) {
  PutNode(image, entries, plan, old.level(), low, high);
  SealPage(image, BufferGetBlockNumber(buffer));
}

}  // namespace

bool ShareWithRight(const Index& index, Buffer buffer) {
  const Shape& shape = index.shape;
  const NodePage page(BufferGetPage(buffer), shape);
  if (page.inner() || page.right() == InvalidBlockNumber) return false;
  const Buffer right_buffer = GetFurtherPage(index.rel, shape, page.right(), BUFFER_LOCK_EXCLUSIVE);
  const NodePage right(BufferGetPage(right_buffer), shape);
  if (!HasRoom(right, BufferGetPage(right_buffer), shape)) {
    ReleasePage(right_buffer);
    return false;
  }

  Shared shared;
  bool done = false;
  LoadBoth(index, page, right, &shared.both);
  if (PlanHalves(index, page.entry_count(), &shared)) {
    const Entries& all = shared.both.entries;
    Key left_key, right_key, separator, old_separator;
    all.KeyAt(shared.at - 1, &left_key);
    all.KeyAt(shared.at, &right_key);
    core::MakeSeparator(left_key, right_key, shape.key_columns, &separator);
    page.node().HighFence(&old_separator);

    Bound bound;
    core::SetBoundBefore(&bound, old_separator, shape.key_columns);
    const Buffer parent_buffer = Descend(index, bound, Direction::kForward, 1, BUFFER_LOCK_EXCLUSIVE);
    if (!BufferIsValid(parent_buffer))
      ReportCorruption(index.rel, BufferGetBlockNumber(buffer), "it has a sibling but no level above");
    const NodePage parent(BufferGetPage(parent_buffer), shape);
    LoadedEntries downlinks;
    NodePlan parent_plan;
    if (PlanParent(index, parent, page.right(), separator, &downlinks, &parent_plan)) {
      Key low, right_high, parent_low, parent_high;
      page.node().LowFence(&low);
      const Key* right_fence = right.node().HighFenceOrNull(&right_high);
      parent.node().LowFence(&parent_low);
      const Key* parent_fence = parent.node().HighFenceOrNull(&parent_high);

      pg::ReachTestPoint(pg::TestPoint::kShareLocked);
      const uint32 left_count = page.entry_count();
      const Entries moved = all.Slice(shared.at, left_count);
      Change change;
      change.Begin(index, Action::kShare);
      const Page image = change.RewriteAs(buffer, {0, shared.at, nullptr});
      const Page right_image = change.RewriteAs(right_buffer, {0, right.entry_count(), &moved});
      const Page parent_image = change.Rewrite(parent_buffer);
      PutAndSeal(image, page, all.Slice(0, shared.at), shared.left_plan, low, &separator, buffer);
      PutAndSeal(right_image, right, all.Slice(shared.at, all.count), shared.right_plan, separator, right_fence,
                 right_buffer);
      PutAndSeal(parent_image, parent, downlinks.entries, parent_plan, parent_low, parent_fence, parent_buffer);
      change.Finish();
      // As in a split: who has read what moved has a lock on the page that it was on.
      PredicateLockPageSplit(index.rel, BufferGetBlockNumber(buffer), BufferGetBlockNumber(right_buffer));
      pg::ReachTestPoint(pg::TestPoint::kShareWritten);
      done = true;
    }
    FreeEntries(&downlinks);
    ReleasePage(parent_buffer);
  }
  FreeEntries(&shared.both);
  ReleasePage(right_buffer);
  if (done) ReleasePage(buffer);
  return done;
}

}  // namespace omendb::tree
