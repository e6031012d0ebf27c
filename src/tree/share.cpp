// Making room in a full leaf together with its right sibling.
//
// If the sibling has room, it takes some of the entries; if it is full, too, both become
// three.  Leaves, and separators in their parent, change in one atomic action.  Without it,
// inserts all over the key range would split every page at about the same time and leave
// the index half empty.
//
// Entries move to another page, but not to another place in the order of keys, and scans
// and VACUUM go on from a key: whoever comes to a page whose fences do not hold the bound
// that he has begins at the root (src/README, "Splits").
#include "tree/log.h"
#include "tree/modify.h"

#include "tree/search.h"

extern "C" {
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

// The entries of a leaf, of its right sibling, and those to come, and where to divide them.
struct Shared {
  LoadedEntries both;
  uint32 before;  // entries before those of the sibling
  int pages;      // 2, or 3 with a new one between both
  uint32 cut[4];  // page i has the entries from cut[i] to cut[i + 1]
  NodePlan plan[3];
  LoadedEntries right;  // the sibling's: `both` has their values
  Key fence[4];         // of the pages: those before and behind all of them, and the separators
  bool has_last_fence;
  core::KeyBytes memory[3];

  Entries Of(int page) const { return both.entries.Slice(cut[page], cut[page + 1]); }
};

void LoadBoth(const Index& index, const NodePage& left, const NodePage& right, const Entries* more, Shared* shared) {
  const Shape& shape = index.shape;
  LoadEntries(left, shape, &shared->both, (more != nullptr ? more->count : 0) + right.entry_count());
  LoadEntries(right, shape, &shared->right);
  if (more != nullptr) core::MergeSorted(&shared->both.entries, *more);
  shared->before = shared->both.entries.count;
  core::AppendEntries(&shared->both.entries, shared->right.entries);
  left.node().LowFence(&shared->fence[0]);
  shared->has_last_fence = right.node().has_high_fence();
}

void FreeBoth(Shared* shared) {
  FreeEntries(&shared->right);
  FreeEntries(&shared->both);
}

// Sets the key that separates pages i - 1 and i.
void SetSeparator(Shared* shared, int i) {
  const Entries& all = shared->both.entries;
  Key left, right;
  all.KeyAt(shared->cut[i] - 1, &left);
  all.KeyAt(shared->cut[i], &right);
  core::MakeSeparator(left, right, all.shape(), &shared->memory[i], &shared->fence[i]);
}

// Divides the entries into equal parts; false if they do not fit.
bool Divide(int pages, size_t most_bytes, const NodePage& right, Shared* shared) {
  const Entries& all = shared->both.entries;
  shared->pages = pages;
  for (int i = 0; i <= pages; i++) shared->cut[i] = all.count * static_cast<uint32>(i) / static_cast<uint32>(pages);
  for (int i = 0; i < pages; i++)
    if (shared->Of(i).count == 0 || shared->Of(i).count > MaxPageEntries()) return false;
  for (int i = 1; i < pages; i++) SetSeparator(shared, i);
  if (shared->has_last_fence) right.node().HighFence(&shared->fence[pages]);
  for (int i = 0; i < pages; i++) {
    const Entries part = shared->Of(i);
    size_t fences = core::KeyValueBytes(shared->fence[i], all.shape());
    if (i + 1 < pages || shared->has_last_fence) fences += core::KeyValueBytes(shared->fence[i + 1], all.shape());
    core::PlanNode(part, nullptr, &shared->plan[i], fences);
    if (shared->plan[i].size > most_bytes) return false;
  }
  return true;
}

bool DivideIntoTwoOrThree(const Index& index, const NodePage& right, Shared* shared) {
  const size_t most = MaxImageBytes(index.shape, false);
  // Both must be left with room for a while, or it does not pay.
  const bool has_room = right.node().header().size <= most * 5 / 8;
  if (has_room && Divide(2, most * 7 / 8, right, shared) && shared->cut[1] < shared->before) return true;
  return Divide(3, most, right, shared);
}

// The parent's entries: the sibling's separator is another one, and the new page's comes
// before it.
struct ParentChange {
  LoadedEntries downlinks;
  NodePlan plan;
  uint32 at;        // of the sibling, before the change
  Entries changed;  // the downlinks that are new
  uint64 memory[2 * (4 * core::kMaxKeyColumns + 3)];
};

// False if there is no room, or if the sibling is the parent's first child: then the
// separator would have to change further up.
bool PlanParent(const Index& index, const NodePage& parent, BlockNumber sibling, const Key* separators,
                const BlockNumber* children, uint32 count, ParentChange* change) {
  const int columns = index.shape.key_columns;
  LoadEntries(parent, index.shape, &change->downlinks, count);
  Entries& links = change->downlinks.entries;
  change->at = 0;
  while (change->at < links.count && links.child[change->at] != sibling) change->at++;
  if (change->at == 0 || change->at == links.count || links.count + count - 1 > MaxPageEntries()) return false;
  core::LayOutEntries(&change->changed, change->memory, 2, index.shape.Inner(), true);
  for (uint32 i = 0; i < count; i++) {
    for (int c = 0; c < columns; c++) {
      change->changed.value[c][i] = separators[i].ordinal[c];
      change->changed.cls[c][i] = separators[i].cls[c];
    }
    change->changed.tid[i] = separators[i].tid;
    change->changed.child[i] = children[i];
  }
  change->changed.count = count;
  core::MoveEntries(&links, change->at, change->at + 1, links.count - change->at - 1);
  links.count--;
  core::MergeSorted(&links, change->changed);
  core::PlanNode(links, nullptr, &change->plan, parent.node().fence_value_bytes());
  return change->plan.size <= MaxImageBytes(index.shape, true);
}

void PutAndSeal(Page image, const NodePage& old, const Entries& entries, const NodePlan& plan, const Key& low,
                const Key* high, Buffer buffer) {
  PutNode(image, entries, plan, old.level(), low, high);
  SealPage(image, BufferGetBlockNumber(buffer));
}

}  // namespace

bool ShareWithRight(const Index& index, Buffer buffer, const Entries* more) {
  const Shape& shape = index.shape;
  const NodePage page(BufferGetPage(buffer), shape);
  if (page.inner() || page.right() == InvalidBlockNumber) return false;
  const Buffer right_buffer = GetFurtherPage(index.rel, shape, page.right(), BUFFER_LOCK_EXCLUSIVE);
  const NodePage right(BufferGetPage(right_buffer), shape);
  if (right.incomplete_split() || IsCold(BufferGetPage(right_buffer))) {
    ReleasePage(right_buffer);
    return false;
  }

  Shared shared;
  bool done = false;
  LoadBoth(index, page, right, more, &shared);
  if (DivideIntoTwoOrThree(index, right, &shared)) {
    const BlockNumber left_block = BufferGetBlockNumber(buffer), right_block = page.right();
    Key old_separator;
    Bound bound;
    page.node().HighFence(&old_separator);
    core::SetBoundBefore(&bound, old_separator, shape.key_columns);
    const Buffer parent_buffer = Descend(index, bound, Direction::kForward, 1, BUFFER_LOCK_EXCLUSIVE);
    if (!BufferIsValid(parent_buffer)) ReportCorruption(index.rel, left_block, "it has a sibling but no level above");
    const NodePage parent(BufferGetPage(parent_buffer), shape);

    const bool three = shared.pages == 3;
    const Buffer new_buffer = three ? AllocatePage(index) : InvalidBuffer;
    const BlockNumber new_block = three ? BufferGetBlockNumber(new_buffer) : InvalidBlockNumber;
    // Of the pages but the first.
    const Key* separator = &shared.fence[1];
    BlockNumber child[2];
    const uint32 separators = three ? 2 : 1;
    child[0] = three ? new_block : right_block;
    child[1] = right_block;

    ParentChange change_above;
    if (PlanParent(index, parent, right_block, separator, child, separators, &change_above)) {
      Key low, right_high, parent_low, parent_high;
      page.node().LowFence(&low);
      const Key* right_fence = right.node().HighFenceOrNull(&right_high);
      parent.node().LowFence(&parent_low);
      const Key* parent_fence = parent.node().HighFenceOrNull(&parent_high);
      const uint32 last = static_cast<uint32>(shared.pages) - 1;
      const Key& last_separator = separator[separators - 1];

      pg::ReachTestPoint(pg::TestPoint::kShareLocked);
      Change change;
      change.Begin(index, Action::kShare);
      // The leaf keeps its first entries and gets those to come that are among them.
      const uint32 first_cut = shared.cut[1], last_cut = shared.cut[last];
      const uint32 came = more != nullptr ? core::EntriesBelow(*more, shared.both.entries, first_cut) : 0;
      Entries left_more;
      if (came > 0) left_more = more->Slice(0, came);
      const Page image =
          first_cut <= shared.before
              ? change.RewriteAs(buffer, {0, first_cut - came, nullptr, 0, came > 0 ? &left_more : nullptr})
              : change.Rewrite(buffer);
      // The sibling gets the last ones that were not its own, or keeps only its last ones.
      const uint32 given = last_cut < shared.before ? shared.before - last_cut : 0;
      Entries right_more;
      if (given > 0) right_more = shared.both.entries.Slice(last_cut, shared.before);
      const uint32 right_begin = given > 0 ? 0 : last_cut - shared.before;
      const Page right_image = change.RewriteAs(
          right_buffer, {right_begin, right.entry_count(), nullptr, 0, given > 0 ? &right_more : nullptr});
      const uint16 replaced = static_cast<uint16>(change_above.at);
      const Page parent_image =
          change.RewriteAs(parent_buffer, {0, parent.entry_count(), &replaced, 1, &change_above.changed});
      if (three) {
        const Page new_image = change.Rewrite(new_buffer);
        InitPage(new_image, left_block, right_block, 0);
        PutNode(new_image, shared.Of(1), shared.plan[1], 0, separator[0], &separator[1]);
        SealPage(new_image, new_block);
        SpecialOf(image)->right = new_block;
        SpecialOf(right_image)->left = new_block;
      }
      PutAndSeal(image, page, shared.Of(0), shared.plan[0], low, &separator[0], buffer);
      PutAndSeal(right_image, right, shared.Of(static_cast<int>(last)), shared.plan[last], last_separator, right_fence,
                 right_buffer);
      PutAndSeal(parent_image, parent, change_above.downlinks.entries, change_above.plan, parent_low, parent_fence,
                 parent_buffer);
      change.Finish();
      // As in a split: who has read what moved has a lock on the page that it was on.
      if (three) {
        PredicateLockPageSplit(index.rel, left_block, new_block);
        PredicateLockPageSplit(index.rel, right_block, new_block);
      } else {
        PredicateLockPageSplit(index.rel, left_block, right_block);
      }
      pg::ReachTestPoint(pg::TestPoint::kShareWritten);
      done = true;
    }
    FreeEntries(&change_above.downlinks);
    if (three) {
      ReleasePage(new_buffer);
      // The split that will be made instead takes it.
      if (!done) RecordFreeIndexPage(index.rel, new_block);
    }
    ReleasePage(parent_buffer);
  }
  FreeBoth(&shared);
  ReleasePage(right_buffer);
  if (done) ReleasePage(buffer);
  return done;
}

}  // namespace omendb::tree
