#include "tree/segment_use.h"

#include <algorithm>

#include "tree/cold_page.h"

extern "C" {
#include "commands/vacuum.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;

ColdWalk::ColdWalk(const Index& index, BufferAccessStrategy strategy)
    : index_(index), strategy_(strategy), block_(InvalidBlockNumber), done_(false) {
  position_.columns = 0;
  position_.with_tid = false;
  position_.tail = Bound::kBefore;
}

Buffer ColdWalk::Next(int lock_mode) {
  while (!done_) {
    vacuum_delay_point();
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

void ColdWalk::StepBack() {
  position_ = again_;
  core::OwnBound(&position_, index_.shape, &memory_);
  block_ = InvalidBlockNumber;
  done_ = false;
}

Buffer ColdWalk::Land() {
  if (block_ != InvalidBlockNumber) {
    const Buffer buffer = PinPage(index_.rel, block_, strategy_);
    LockPage(index_.rel, index_.shape, buffer, BUFFER_LOCK_SHARE);
    if (IsLandingFor(index_, BufferGetPage(buffer), position_, Direction::kForward, 0)) return buffer;
    ReleasePage(buffer);
  }
  return Descend(index_, position_, Direction::kForward, 0, BUFFER_LOCK_SHARE);
}

void ColdWalk::MoveOn(Page raw) {
  const NodePage page(raw, index_.shape);
  Key high;
  done_ = page.node().HighFenceOrNull(&high) == nullptr;
  block_ = page.right();
  if (done_) return;
  core::SetBoundBefore(&position_, high, index_.shape.key_columns);
  core::OwnBound(&position_, index_.shape, &memory_);
}

Array<SegmentUse> ListSegments(const Index& index, BufferAccessStrategy strategy) {
  Array<SegmentUse> list;
  ColdWalk walk(index, strategy);
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
        list.Append({leaf.segment, leaf.head, 1});
    }
    ReleasePage(buffer);
  }
  std::sort(list.item, list.item + list.count, IsOfLesserSegment);
  uint32 count = 0;
  for (uint32 i = 0; i < list.count; i++) {
    if (count > 0 && list.item[count - 1].segment == list.item[i].segment)
      list.item[count - 1].live += list.item[i].live;
    else
      list.item[count++] = list.item[i];
  }
  list.count = count;
  return list;
}

}  // namespace omendb::tree
