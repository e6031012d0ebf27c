#include "tree/offload.h"

#include "tree/cold_move.h"
#include "tree/log.h"
#include "tree/search.h"

extern "C" {
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/indexfsm.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;

namespace {

// Fewer leaves would hardly take less in a segment, whose head and index take something, too.
constexpr uint32 kFewLeaves = 4;

// Cold pages next to each other that are to be put together.  Each time a page absorbs another it is written
// anew, so that is done with pages that have about as many leaves: like the digits of a number in binary, each has at
// least twice as many as the one behind it, and a new page carries.
class Run {
 public:
  void Begin() { count_ = 0; }

  void Add(const Index& index, BlockNumber block) {
    if (count_ == kMostPages) End(index);
    page_[count_++] = {block, 1};
    while (count_ > 1 && page_[count_ - 2].leaves <= page_[count_ - 1].leaves && Join(index)) continue;
  }

  // Puts together what is left; and what is on the left of it and on the right, if that is cold, too.
  void End(const Index& index);

 private:
  static constexpr uint32 kMostPages = 64;

  // The last two.  They stay as they are if they have different parents, or too many leaves for one page.
  bool Join(const Index& index) {
    if (!AbsorbRight(index, page_[count_ - 2].block)) return false;
    page_[count_ - 2].leaves += page_[count_ - 1].leaves;
    count_--;
    return true;
  }

  struct {
    BlockNumber block;
    uint32 leaves;
  } page_[kMostPages];
  uint32 count_;
};

BlockNumber LeftOf(const Index& index, BlockNumber block) {
  const Buffer buffer = GetPage(index.rel, index.shape, block, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  const BlockNumber left = IsNode(page) ? SpecialOf(page)->left : InvalidBlockNumber;
  ReleasePage(buffer);
  return left;
}

void Run::End(const Index& index) {
  if (count_ == 0) return;
  AbsorbRight(index, page_[count_ - 1].block);
  while (count_ > 1)
    if (!Join(index)) count_--;
  const BlockNumber left = LeftOf(index, page_[0].block);
  if (left != InvalidBlockNumber) AbsorbRight(index, left);
  count_ = 0;
}

}  // namespace

void Offload::Begin(const Index& index, const Coldness& coldness, cold::Codec codec) {
  index_ = index;
  coldness_ = coldness;
  codec_ = codec;
  position_ = coldness.from;
  moved_ = visited_ = 0;
}

bool Offload::IsCandidate(Page raw, BlockNumber block) const {
  if (IsCold(raw) || block == kRootBlock) return false;
  const NodePage page(raw, index_.shape);
  if (page.incomplete_split() || page.entry_count() == 0 || !page.node().has_high_fence()) return false;
  if (!XLogRecPtrIsInvalid(coldness_.unchanged_since) && PageGetLSN(raw) > coldness_.unchanged_since) return false;
  Key high;
  page.node().HighFence(&high);
  if (core::CompareBound(coldness_.to, high, index_.shape) < 0) return false;
  // Its low fence may lie far below its first entry: that of the leftmost leaf does.
  return page.node().LowerBound(coldness_.from) == 0 && page.DeltaLowerBound(coldness_.from) == 0;
}

// Copies the next leaves; false if the range has come to its end.
bool Offload::Collect(SegmentBuilder* builder, Candidate* candidates) {
  BlockNumber block = InvalidBlockNumber;
  while (builder->count() < SegmentBuilder::MostLeaves()) {
    CHECK_FOR_INTERRUPTS();
    Buffer buffer;
    if (block == InvalidBlockNumber) {
      buffer = Descend(index_, position_, Direction::kForward, 0, BUFFER_LOCK_SHARE);
    } else {
      buffer = GetPage(index_.rel, index_.shape, block, BUFFER_LOCK_SHARE);
      if (!IsLandingFor(index_, BufferGetPage(buffer), position_, Direction::kForward, 0)) {
        ReleasePage(buffer);
        block = InvalidBlockNumber;
        continue;
      }
    }
    const Page raw = BufferGetPage(buffer);
    visited_++;
    if (IsCandidate(raw, BufferGetBlockNumber(buffer))) {
      Candidate& candidate = candidates[builder->count()];
      candidate.block = BufferGetBlockNumber(buffer);
      candidate.next = SpecialOf(raw)->right;
      builder->Add(raw, candidate.block, &candidate.leaf);
    }
    const NodePage page(raw, index_.shape);
    const bool more = page.node().BoundIsRight(coldness_.to, Direction::kBackward);
    if (more) {
      Key high;
      page.node().HighFence(&high);
      core::SetBoundBefore(&position_, high, index_.shape.key_columns);
      core::OwnBound(&position_, index_.shape, &position_memory_);
    }
    block = page.right();
    ReleasePage(buffer);
    if (!more) return false;
  }
  return true;
}

void Offload::Publish(const SegmentBuilder& builder, Candidate* candidates, BlockNumber head) {
  // A page that absorbs its sibling changes the left link of the page behind.  If that is a leaf still, the WAL gets an
  // image of it, the first time after a checkpoint; if it is a cold page by then, it has changed already.
  constexpr uint32 kTogether = 64;
  bool frozen[kTogether];
  Run run;
  run.Begin();
  for (uint32 begin = 0; begin < builder.count(); begin += kTogether) {
    const uint32 end = Min(builder.count(), begin + kTogether);
    for (uint32 i = begin; i < end; i++) {
      CHECK_FOR_INTERRUPTS();
      candidates[i].leaf.head = head;
      // Unless others have changed it meanwhile: then it stays.
      frozen[i - begin] = FreezeLeaf(index_, candidates[i].block, builder, candidates[i].leaf);
      moved_ += frozen[i - begin];
    }
    for (uint32 i = begin; i < end; i++) {
      CHECK_FOR_INTERRUPTS();
      // A run has no leaf in it that stays.
      if (!frozen[i - begin] || (i > 0 && candidates[i - 1].next != candidates[i].block)) run.End(index_);
      if (frozen[i - begin]) run.Add(index_, candidates[i].block);
    }
  }
  run.End(index_);
}

bool Offload::MoveSome() {
  SegmentBuilder* const builder = static_cast<SegmentBuilder*>(palloc(sizeof(SegmentBuilder)));
  Candidate* const candidates = static_cast<Candidate*>(palloc(SegmentBuilder::kMaxLeaves * sizeof(Candidate)));
  builder->Begin(index_);
  const bool more = Collect(builder, candidates);
  if (builder->count() >= kFewLeaves && builder->Compress(codec_)) {
    ExpectUnusedSegments(index_);
    const BlockNumber head = builder->Write();
    Publish(*builder, candidates, head);
    IndexFreeSpaceMapVacuum(index_.rel);
  }
  builder->End();
  pfree(candidates);
  pfree(builder);
  return more;
}

uint64 Recall(const Index& index, const Bound& from, const Bound& to) {
  uint64 count = 0;
  Bound position = from;
  core::KeyBytes memory;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    const Buffer buffer = Descend(index, position, Direction::kForward, 0, BUFFER_LOCK_SHARE);
    if (IsCold(BufferGetPage(buffer))) {
      ReleasePage(buffer);
      ThawLeaf(index, position);
      pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(++count));
      continue;
    }
    const NodePage page(BufferGetPage(buffer), index.shape);
    const bool more = page.node().BoundIsRight(to, Direction::kBackward);
    if (more) {
      Key high;
      page.node().HighFence(&high);
      core::SetBoundBefore(&position, high, index.shape.key_columns);
      core::OwnBound(&position, index.shape, &memory);
    }
    ReleasePage(buffer);
    if (!more) return count;
  }
}

XLogRecPtr LastOffload(const Index& index) {
  const Buffer buffer = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_SHARE);
  const XLogRecPtr result = MetaBodyOf(BufferGetPage(buffer))->offloaded;
  ReleasePage(buffer);
  return result;
}

void SetLastOffload(const Index& index, XLogRecPtr end) {
  const Buffer meta = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_EXCLUSIVE);
  Change change;
  change.Begin(index, Action::kCount);
  const Page image = change.Patch(meta);
  MetaBodyOf(image)->offloaded = end;
  SealPage(image, kMetaBlock);
  change.Finish();
  ReleasePage(meta);
}

}  // namespace omendb::tree
