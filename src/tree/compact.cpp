#include "tree/compact.h"

#include <algorithm>

#include "tree/cold_move.h"
#include "tree/log.h"
#include "tree/search.h"

extern "C" {
#include "miscadmin.h"
#include "storage/indexfsm.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;

namespace {

// A walk over the cold pages, from left to right.  References to leaves in segments are only made under the lock that
// whoever walks here holds, and otherwise only vanish or move to the right: so it meets all of them.
class ColdWalk {
 public:
  explicit ColdWalk(const Index& index) : index_(index), block_(InvalidBlockNumber), done_(false) {
    position_.columns = 0;
    position_.with_tid = false;
    position_.tail = Bound::kBefore;
  }

  // The next one, pinned and locked; InvalidBuffer at the end.  The caller releases it.
  Buffer Next(int lock_mode) {
    while (!done_) {
      CHECK_FOR_INTERRUPTS();
      const Buffer buffer = Land();
      const Page raw = BufferGetPage(buffer);
      if (!IsCold(raw)) {
        MoveOn(raw);
        ReleasePage(buffer);
        continue;
      }
      if (lock_mode == BUFFER_LOCK_SHARE) {
        MoveOn(raw);
        return buffer;
      }
      block_ = BufferGetBlockNumber(buffer);
      LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
      LockBuffer(buffer, lock_mode);
      if (IsLandingFor(index_, raw, position_, Direction::kForward, 0) && IsCold(raw)) {
        again_ = position_;
        core::OwnBound(&again_, index_.shape, &again_memory_);
        MoveOn(raw);
        return buffer;
      }
      ReleasePage(buffer);
      block_ = InvalidBlockNumber;
    }
    return InvalidBuffer;
  }

  // The one that was returned last, again; it was locked exclusively.
  void StepBack() {
    position_ = again_;
    core::OwnBound(&position_, index_.shape, &memory_);
    block_ = InvalidBlockNumber;
    done_ = false;
  }

 private:
  Buffer Land() {
    if (block_ != InvalidBlockNumber) {
      const Buffer buffer = GetPage(index_.rel, index_.shape, block_, BUFFER_LOCK_SHARE);
      if (IsLandingFor(index_, BufferGetPage(buffer), position_, Direction::kForward, 0)) return buffer;
      ReleasePage(buffer);
    }
    return Descend(index_, position_, Direction::kForward, 0, BUFFER_LOCK_SHARE);
  }

  void MoveOn(Page raw) {
    const NodePage page(raw, index_.shape);
    Key high;
    done_ = page.node().HighFenceOrNull(&high) == nullptr;
    block_ = page.right();
    if (done_) return;
    core::SetBoundBefore(&position_, high, index_.shape.key_columns);
    core::OwnBound(&position_, index_.shape, &memory_);
  }

  Index index_;
  Bound position_, again_;
  core::KeyBytes memory_, again_memory_;
  BlockNumber block_;
  bool done_;
};

// An array that grows, in palloc'd memory.
template <typename T>
struct List {
  T* item = nullptr;
  uint32 count = 0, capacity = 0;

  void Append(const T& value) {
    if (count == capacity) {
      capacity = Max(2 * capacity, 64);
      const Size bytes = capacity * sizeof(T);
      item = static_cast<T*>(item == nullptr ? MemoryContextAllocHuge(CurrentMemoryContext, bytes)
                                             : repalloc_huge(item, bytes));
    }
    item[count++] = value;
  }
};

uint32 TierOf(uint32 leaves) {
  uint32 tier = 0;
  for (; leaves >= kTierWidth; leaves /= kTierWidth) tier++;
  return tier;
}

// Chooses segments that belong together in one, as many as fit it, to the front of the list; returns how many.
uint32 Choose(SegmentUse* list, uint32 count) {
  const uint32 most = SegmentBuilder::MostLeaves();
  const auto take = [&](auto is_wanted, uint32 least) {
    uint32 chosen = 0, leaves = 0;
    for (uint32 i = 0; i < count; i++) {
      if (!is_wanted(list[i]) || leaves + list[i].live > most) continue;
      leaves += list[i].live;
      std::swap(list[i], list[chosen++]);
    }
    return chosen >= least ? chosen : 0;
  };
  if (const uint32 chosen = take([](const SegmentUse& use) { return 2 * use.live < use.slots; }, 1)) return chosen;
  for (uint32 tier = 0; tier < TierOf(most); tier++)
    if (const uint32 chosen = take([&](const SegmentUse& use) { return TierOf(use.live) <= tier; }, kTierWidth))
      return chosen;
  return 0;
}

// Where a leaf was, and where it is now.
struct Moved {
  ColdLeaf from, to;
};

bool IsBefore(const ColdLeaf& a, const ColdLeaf& b) {
  return a.segment != b.segment ? a.segment < b.segment : a.slot < b.slot;
}

// Tells a cold page, locked exclusively, where leaves are now; lock and pin are gone.  False if it had no room to say
// so, and was split instead.
bool Redirect(const Index& index, Buffer buffer, const List<Moved>& moved) {
  const Page raw = BufferGetPage(buffer);
  const ColdPage page(raw, index.shape);
  LoadedEntries loaded;
  LoadColdPage(page, index.shape, &loaded);
  bool any = false;
  for (uint32 i = 0; i < page.count(); i++) {
    const ColdLeaf leaf = page.LeafAt(i);
    const Moved* const end = moved.item + moved.count;
    const Moved* const found = std::lower_bound<const Moved*>(
        moved.item, end, leaf, [](const Moved& one, const ColdLeaf& wanted) { return IsBefore(one.from, wanted); });
    if (found == end || IsBefore(leaf, found->from)) continue;
    SetColdLeaf(&loaded.entries, i, found->to);
    any = true;
  }
  bool done = true;
  if (any) {
    core::NodePlan plan;
    core::PlanNode(loaded.entries, nullptr, &plan, page.node().fence_value_bytes());
    done = plan.size <= kPageCapacity;
    if (done) {
      Key low, high;
      page.node().LowFence(&low);
      const Key* high_fence = page.node().HighFenceOrNull(&high);
      Change change;
      change.Begin(index, Action::kRedirect);
      const Page image = change.Rewrite(buffer);
      PutNode(image, loaded.entries, plan, 0, low, high_fence);
      SealPage(image, BufferGetBlockNumber(buffer));
      change.Finish();
    }
  }
  const uint32 count = page.count();
  FreeEntries(&loaded);
  if (done)
    ReleasePage(buffer);
  else if (page.incomplete_split())
    FinishSplit(index, buffer);
  else
    SplitColdPage(index, buffer, count / 2);
  if (any && done) pg::ReachTestPoint(pg::TestPoint::kLeavesRedirected);
  return done;
}

// Copies the leaves of the chosen segments, sorted by number, to the builder.
void CopyLeaves(const Index& index, const SegmentUse* chosen, uint32 count, SegmentBuilder* builder,
                List<Moved>* moved) {
  char* const page = reinterpret_cast<char*>(TYPEALIGN(core::kCacheLine, palloc(BLCKSZ + core::kCacheLine)));
  ColdWalk walk(index);
  List<ColdLeaf> leaves;
  for (;;) {
    const Buffer buffer = walk.Next(BUFFER_LOCK_SHARE);
    if (!BufferIsValid(buffer)) break;
    const ColdPage cold(BufferGetPage(buffer), index.shape);
    for (uint32 i = 0; i < cold.count(); i++) {
      const ColdLeaf leaf = cold.LeafAt(i);
      if (std::any_of(chosen, chosen + count, [&](const SegmentUse& use) { return use.segment == leaf.segment; }))
        leaves.Append(leaf);
    }
    ReleasePage(buffer);
  }
  for (uint32 i = 0; i < leaves.count; i++) {
    CHECK_FOR_INTERRUPTS();
    BlockNumber block;
    Moved one = {leaves.item[i], {}};
    if (const char* problem = ReadStoredLeaf(index, one.from, page, &block))
      ReportCorruption(index.rel, block, problem);
    builder->Add(page, block, &one.to);
    moved->Append(one);
  }
  std::sort(moved->item, moved->item + moved->count,
            [](const Moved& a, const Moved& b) { return IsBefore(a.from, b.from); });
}

}  // namespace

uint32 ListSegments(const Index& index, SegmentUse** out) {
  List<SegmentUse> list;
  ColdWalk walk(index);
  for (;;) {
    const Buffer buffer = walk.Next(BUFFER_LOCK_SHARE);
    if (!BufferIsValid(buffer)) break;
    const ColdPage page(BufferGetPage(buffer), index.shape);
    for (uint32 i = 0; i < page.count(); i++) {
      const ColdLeaf leaf = page.LeafAt(i);
      // Neighbours are mostly of the same.
      if (list.count > 0 && list.item[list.count - 1].segment == leaf.segment)
        list.item[list.count - 1].live++;
      else
        list.Append(SegmentUse{leaf.segment, leaf.head, 1, 0});
    }
    ReleasePage(buffer);
  }
  std::sort(list.item, list.item + list.count,
            [](const SegmentUse& a, const SegmentUse& b) { return a.segment < b.segment; });
  uint32 count = 0;
  for (uint32 i = 0; i < list.count; i++) {
    if (count > 0 && list.item[count - 1].segment == list.item[i].segment)
      list.item[count - 1].live += list.item[i].live;
    else
      list.item[count++] = list.item[i];
  }
  for (uint32 i = 0; i < count; i++) list.item[i].slots = SlotsOf(index, list.item[i].segment, list.item[i].head);
  *out = list.item;
  return count;
}

bool CompactSome(const Index& index, cold::Codec codec) {
  SegmentUse* list;
  const uint32 count = ListSegments(index, &list);
  const uint32 chosen = Choose(list, count);
  if (chosen == 0) {
    if (list != nullptr) pfree(list);
    return false;
  }
  SegmentBuilder* const builder = static_cast<SegmentBuilder*>(palloc(sizeof(SegmentBuilder)));
  List<Moved> moved;
  builder->Begin(index);
  CopyLeaves(index, list, chosen, builder, &moved);
  if (moved.count > 0) {
    ExpectUnusedSegments(index);
    builder->Compress(codec);
    const BlockNumber head = builder->Write();
    for (uint32 i = 0; i < moved.count; i++) moved.item[i].to.head = head;
    ColdWalk walk(index);
    for (;;) {
      const Buffer buffer = walk.Next(BUFFER_LOCK_EXCLUSIVE);
      if (!BufferIsValid(buffer)) break;
      if (!Redirect(index, buffer, moved)) walk.StepBack();
    }
  }
  builder->End();
  for (uint32 i = 0; i < chosen; i++) FreeSegment(index, list[i].segment, list[i].head);
  IndexFreeSpaceMapVacuum(index.rel);
  pfree(builder);
  pfree(list);
  return true;
}

}  // namespace omendb::tree
