#include "tree/compact.h"

#include <algorithm>

#include "tree/cold_move.h"
#include "tree/log.h"
#include "tree/segment_use.h"

extern "C" {
#include "miscadmin.h"
#include "storage/indexfsm.h"
}

namespace omendb::tree {

using core::Key;

namespace {

uint32 TierOf(uint32 leaves) {
  uint32 tier = 0;
  for (; leaves >= kTierWidth; leaves /= kTierWidth) tier++;
  return tier;
}

// Chooses segments that belong together in one, as many as fit it, to the front of the list; returns how many.
uint32 Choose(const Index& index, Array<SegmentUse>* list) {
  const uint32 most = SegmentBuilder::MostLeaves();
  const auto take = [&](auto is_wanted, uint32 least) {
    uint32 chosen = 0, leaves = 0;
    for (uint32 i = 0; i < list->count; i++) {
      SegmentUse& use = list->item[i];
      if (!is_wanted(use) || leaves + use.live > most) continue;
      leaves += use.live;
      std::swap(use, list->item[chosen++]);
    }
    return chosen >= least ? chosen : 0;
  };
  const auto half_dead = [&](const SegmentUse& use) { return 2 * use.live < SlotsOf(index, use.segment, use.head); };
  if (const uint32 chosen = take(half_dead, 1)) return chosen;
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
bool Redirect(const Index& index, Buffer buffer, const Array<Moved>& moved) {
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
                Array<Moved>* moved) {
  char* const page = reinterpret_cast<char*>(TYPEALIGN(core::kCacheLine, palloc(BLCKSZ + core::kCacheLine)));
  ColdWalk walk(index, nullptr);
  Array<ColdLeaf> leaves;
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

bool CompactSome(const Index& index, cold::Codec codec) {
  Array<SegmentUse> list = ListSegments(index, nullptr);
  const uint32 chosen = Choose(index, &list);
  if (chosen == 0) {
    if (list.item != nullptr) pfree(list.item);
    return false;
  }
  SegmentBuilder* const builder = static_cast<SegmentBuilder*>(palloc(sizeof(SegmentBuilder)));
  Array<Moved> moved;
  builder->Begin(index);
  CopyLeaves(index, list.item, chosen, builder, &moved);
  if (moved.count > 0) {
    ExpectUnusedSegments(index);
    builder->Compress(codec);
    const BlockNumber head = builder->Write();
    for (uint32 i = 0; i < moved.count; i++) moved.item[i].to.head = head;
    ColdWalk walk(index, nullptr);
    for (;;) {
      const Buffer buffer = walk.Next(BUFFER_LOCK_EXCLUSIVE);
      if (!BufferIsValid(buffer)) break;
      if (!Redirect(index, buffer, moved)) walk.StepBack();
    }
  }
  builder->End();
  for (uint32 i = 0; i < chosen; i++) FreeSegment(index, list.item[i].segment, list.item[i].head);
  IndexFreeSpaceMapVacuum(index.rel);
  pfree(builder);
  pfree(list.item);
  return true;
}

}  // namespace omendb::tree
