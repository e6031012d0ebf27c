// Taking empty pages out of the tree.
//
// A page gives its key range, and in an inner node its entries, to a sibling
// under the same parent: to the right one where there is one with room, whose low
// fence drops, else to the left one, whose high fence rises.  Left sibling, page, right
// sibling and parent change in one atomic action.  Readers on their way to the
// page find it deleted, and readers that left a sibling before find their bound
// outside the fences they expected; either starts again from the root.
#include <initializer_list>

#include "tree/log.h"
#include "tree/modify.h"

#include "tree/search.h"

extern "C" {
#include "miscadmin.h"
#include "storage/predicate.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Entries;
using core::Key;
using core::NodePlan;

namespace {

// The pages that unlinking one page locks.
struct Neighbourhood {
  Buffer left = InvalidBuffer, page = InvalidBuffer, right = InvalidBuffer, parent = InvalidBuffer;

  void Release() {
    for (Buffer buffer : {parent, right, page, left})
      if (BufferIsValid(buffer)) ReleasePage(buffer);
    left = page = right = parent = InvalidBuffer;
  }
};

bool IsLiveNode(Page page, const Shape& shape, uint32 level) {
  return IsNode(page) && NodePage(page, shape).level() == level;
}

// An inner node gives its entries away only if they are as few as this.
constexpr uint32 kFewEntries = 1;

// Locks the page and its siblings, from left to right.  False if the page is not
// what it was, or a sibling is in the middle of a change.
bool LockSiblings(const Index& index, BlockNumber block, uint32 level, Neighbourhood* pages, Key* low) {
  const Shape& shape = index.shape;
  Buffer buffer = GetPage(index.rel, shape, block, BUFFER_LOCK_SHARE);
  if (!IsLiveNode(BufferGetPage(buffer), shape, level)) {
    ReleasePage(buffer);
    return false;
  }
  const BlockNumber left = SpecialOf(BufferGetPage(buffer))->left;
  NodePage(BufferGetPage(buffer), shape).node().LowFence(low);
  ReleasePage(buffer);

  if (left != InvalidBlockNumber) {
    pages->left = GetPage(index.rel, shape, left, BUFFER_LOCK_EXCLUSIVE);
    const Page page = BufferGetPage(pages->left);
    // An incomplete split on the left means that this page has no downlink yet.
    if (!IsLiveNode(page, shape, level) || SpecialOf(page)->right != block || NodePage(page, shape).incomplete_split())
      return false;
  }
  pages->page = GetFurtherPage(index.rel, shape, block, BUFFER_LOCK_EXCLUSIVE);
  const Page page = BufferGetPage(pages->page);
  if (!IsLiveNode(page, shape, level) || SpecialOf(page)->left != left) return false;
  const NodePage view(page, shape);
  if (view.incomplete_split() || view.entry_count() > (level == 0 ? 0 : kFewEntries)) return false;
  view.node().LowFence(low);
  if (view.right() != InvalidBlockNumber) {
    pages->right = GetFurtherPage(index.rel, shape, view.right(), BUFFER_LOCK_EXCLUSIVE);
    if (SpecialOf(BufferGetPage(pages->right))->left != block)
      ReportCorruption(index.rel, view.right(), "its left link does not lead back");
  }
  return true;
}

// A sibling's new base: its own, with the page's entries before or behind.
struct Heir {
  LoadedEntries own;
  Entries base;
  NodePlan plan;
  void* memory = nullptr;
  void* given = nullptr;  // of the page's entries: the base has their values
};

// False if the sibling has no room for the page's entries.
bool PlanHeir(const Index& index, const NodePage& sibling, const NodePage& page, bool page_first, Heir* heir) {
  LoadBase(sibling, index.shape, &heir->own);
  heir->base = heir->own.entries;
  if (page.entry_count() > 0) {
    LoadedEntries given;
    LoadEntries(page, index.shape, &given);
    const uint32 total = heir->base.count + given.entries.count;
    const Shape shape = page.inner() ? index.shape.Inner() : index.shape;
    heir->memory = palloc(core::EntriesBytes(total, shape, page.inner()));
    core::LayOutEntries(&heir->base, heir->memory, total, shape, page.inner());
    core::AppendEntries(&heir->base, page_first ? given.entries : heir->own.entries);
    core::AppendEntries(&heir->base, page_first ? heir->own.entries : given.entries);
    heir->given = given.memory;
  }
  if (heir->base.count > MaxPageEntries()) return false;
  // (Fences from both, of which it gets one each: not more than all of them.)
  core::PlanNode(heir->base, page.entry_count() == 0 ? &sibling.node() : nullptr, &heir->plan,
                 page.node().fence_value_bytes() + sibling.node().fence_value_bytes());
  return heir->plan.size + sibling.delta_bytes() <= kPageCapacity;
}

void WriteHeir(const Index& index, Page image, const NodePage& sibling, const Heir& heir, const Key& low,
               const Key* high) {
  PutNode(image, heir.base, heir.plan, sibling.level(), low, high);
  for (uint32 rank = 0; rank < sibling.delta_count(); rank++) {
    Entry entry;
    sibling.DeltaEntryAt(rank, &entry);
    AppendDelta(image, index.shape, entry);
  }
}

void FreeHeir(Heir* heir) {
  if (heir->memory != nullptr) pfree(heir->memory);
  if (heir->given != nullptr) pfree(heir->given);
  FreeEntries(&heir->own);
}

// The change itself: the page's range goes to the sibling on one side, and its entries
// as planned; of the parent's downlinks, `at` is the page's.  False, and nothing is
// changed, if the parent would have no room for the rest of them.
bool GiveRange(const Index& index, const Neighbourhood& pages, bool to_right, const Heir& heir, const Key& low,
               Entries* links, uint32 at) {
  const Shape& shape = index.shape;
  const NodePage page(BufferGetPage(pages.page), shape);
  const NodePage parent(BufferGetPage(pages.parent), shape);
  const Buffer heir_buffer = to_right ? pages.right : pages.left;
  const NodePage sibling(BufferGetPage(heir_buffer), shape);
  const BlockNumber block = BufferGetBlockNumber(pages.page);

  // From the page's low fence on it is the right sibling's range now; or the left
  // sibling's goes on, and the page's downlink goes.
  if (to_right) links->child[at] = page.right();
  const uint32 gone = to_right ? at + 1 : at;
  core::MoveEntries(links, gone, gone + 1, links->count - gone - 1);
  links->count--;
  NodePlan parent_plan;
  if (links->count > core::kMaxEntries) return false;
  core::PlanNode(*links, nullptr, &parent_plan, parent.node().fence_value_bytes());
  if (parent_plan.size > kPageCapacity) return false;

  Key parent_low, parent_high, sibling_low, sibling_high, page_high;
  parent.node().LowFence(&parent_low);
  const Key* parent_fence = parent.node().HighFenceOrNull(&parent_high);
  sibling.node().LowFence(&sibling_low);
  const Key* sibling_fence = sibling.node().HighFenceOrNull(&sibling_high);
  const Key* page_fence = page.node().HighFenceOrNull(&page_high);
  const bool leaf = !page.inner();

  pg::ReachTestPoint(pg::TestPoint::kUnlinkLocked);
  Change change;
  change.Begin(index, Action::kUnlink);
  if (BufferIsValid(pages.left)) {
    const Page image = to_right ? change.Patch(pages.left) : change.Rewrite(pages.left);
    SpecialOf(image)->right = page.right();
    if (!to_right) WriteHeir(index, image, sibling, heir, sibling_low, page_fence);
    SealPage(image, page.left());
  }
  if (BufferIsValid(pages.right)) {
    const Page image = to_right ? change.Rewrite(pages.right) : change.Patch(pages.right);
    SpecialOf(image)->left = page.left();
    if (to_right) WriteHeir(index, image, sibling, heir, low, sibling_fence);
    SealPage(image, page.right());
  }
  const Page page_image = change.Rewrite(pages.page);
  InitDeletedPage(page_image, page.left(), page.right(), ReadNextFullTransactionId());
  SealPage(page_image, block);
  const Page parent_image = change.Rewrite(pages.parent);
  PutNode(parent_image, *links, parent_plan, parent.level(), parent_low, parent_fence);
  SealPage(parent_image, BufferGetBlockNumber(pages.parent));
  change.Finish();
  // Inserts into the page's range go to the heir.
  if (leaf) PredicateLockPageCombine(index.rel, block, BufferGetBlockNumber(heir_buffer));
  pg::ReachTestPoint(pg::TestPoint::kUnlinkWritten);
  return true;
}

// With all pages locked: gives the page's range to a sibling under the same parent that
// has room for its entries, the right one if both have.
bool Unlink(const Index& index, const Neighbourhood& pages, const Key& low) {
  const NodePage page(BufferGetPage(pages.page), index.shape);
  const BlockNumber block = BufferGetBlockNumber(pages.page);

  LoadedEntries downlinks;
  LoadEntries(NodePage(BufferGetPage(pages.parent), index.shape), index.shape, &downlinks);
  Entries& links = downlinks.entries;
  uint32 at = 0;
  while (at < links.count && links.child[at] != block) at++;
  bool done = false;
  for (bool to_right : {true, false}) {
    const bool is_there = to_right ? at + 1 < links.count && links.child[at + 1] == page.right()
                                   : at > 0 && at < links.count && links.child[at - 1] == page.left();
    if (!is_there) continue;
    const Page sibling_page = BufferGetPage(to_right ? pages.right : pages.left);
    // A leaf in a segment has the fences that it has.
    if (IsCold(sibling_page)) continue;
    const NodePage sibling(sibling_page, index.shape);
    Heir heir;
    const bool fits = PlanHeir(index, sibling, page, to_right, &heir);
    if (fits) done = GiveRange(index, pages, to_right, heir, low, &links, at);
    FreeHeir(&heir);
    if (fits) break;
  }
  FreeEntries(&downlinks);
  return done;
}

}  // namespace

bool UnlinkPage(const Index& index, BlockNumber block, uint32 level) {
  check_stack_depth();
  for (bool again = true;; again = false) {
    Neighbourhood pages;
    Key low;
    if (!LockSiblings(index, block, level, &pages, &low)) {
      pages.Release();
      return false;
    }
    Bound bound;
    core::SetBoundBefore(&bound, low, index.shape.key_columns);
    pages.parent = Descend(index, bound, Direction::kForward, level + 1, BUFFER_LOCK_EXCLUSIVE);
    if (!BufferIsValid(pages.parent)) {
      pages.Release();
      return false;
    }
    const BlockNumber parent = BufferGetBlockNumber(pages.parent);
    const bool only_child = NodePage(BufferGetPage(pages.parent), index.shape).entry_count() == 1;
    const bool done = !only_child && Unlink(index, pages, low);
    pages.Release();
    // An only child has no sibling to inherit: its parent goes to a sibling first.
    if (done || !only_child || !again || parent == kRootBlock) return done;
    if (!UnlinkPage(index, parent, level + 1)) return false;
    pg::ReachTestPoint(pg::TestPoint::kParentUnlinked);
  }
}

void CollapseRoot(const Index& index) {
  const Shape& shape = index.shape;
  for (;;) {
    Buffer root = GetPage(index.rel, shape, kRootBlock, BUFFER_LOCK_SHARE);
    const auto only_child = [&]() -> BlockNumber {
      const NodePage page(BufferGetPage(root), shape);
      if (!page.inner() || page.entry_count() != 1) return InvalidBlockNumber;
      return page.node().ChildAt(0);
    };
    const BlockNumber block = only_child();
    ReleasePage(root);
    if (block == InvalidBlockNumber) return;

    const Buffer child = GetPage(index.rel, shape, block, BUFFER_LOCK_EXCLUSIVE);
    root = GetFurtherPage(index.rel, shape, kRootBlock, BUFFER_LOCK_EXCLUSIVE);
    const Page child_raw = BufferGetPage(child);
    bool done = false;
    if (only_child() == block && !IsDeleted(child_raw) && !IsCold(child_raw)) {
      const NodePage page(child_raw, shape);
      if (page.left() == InvalidBlockNumber && page.right() == InvalidBlockNumber && !page.incomplete_split()) {
        LoadedEntries base;
        NodePlan plan;
        Key low;
        const uint32 level = page.level();
        LoadBase(page, shape, &base);
        core::PlanNode(base.entries, &page.node(), &plan, page.node().fence_value_bytes());
        page.node().LowFence(&low);
        if (plan.size + page.delta_bytes() <= kPageCapacity) {
          pg::ReachTestPoint(pg::TestPoint::kCollapseLocked);
          Change change;
          change.Begin(index, Action::kCollapse);
          const Page root_image = change.Rewrite(root);
          const Page child_image = change.Rewrite(child);
          InitPage(root_image, InvalidBlockNumber, InvalidBlockNumber, 0);
          PutNode(root_image, base.entries, plan, page.level(), low, nullptr);
          for (uint32 rank = 0; rank < page.delta_count(); rank++) {
            Entry entry;
            page.DeltaEntryAt(rank, &entry);
            AppendDelta(root_image, shape, entry);
          }
          SealPage(root_image, kRootBlock);
          InitDeletedPage(child_image, InvalidBlockNumber, InvalidBlockNumber, ReadNextFullTransactionId());
          SealPage(child_image, block);
          change.Finish();
          if (level == 0) PredicateLockPageCombine(index.rel, block, kRootBlock);
          pg::ReachTestPoint(pg::TestPoint::kCollapseWritten);
          done = true;
        }
        FreeEntries(&base);
      }
    }
    ReleasePage(root);
    ReleasePage(child);
    if (!done) return;
  }
}

}  // namespace omendb::tree
