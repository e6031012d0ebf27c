#include "tree/leaf_walk.h"

#include "tree/leaf.h"
#include "tree/route.h"

#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
#include "storage/predicate.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;

namespace {

// How many leaves ahead of the one that is read the next ones are fetched into the cache.
constexpr uint32 kLeavesAhead = 6;

}  // namespace

void LeafWalk::Init(const Index& index, Snapshot snapshot) {
  index_ = index;
  snapshot_ = snapshot;
  done_ = true;
  buffer_ = InvalidBuffer;
  next_ = InvalidBlockNumber;
  routed_ = false;
}

void LeafWalk::Begin(const Bound& from, const Bound& to) {
  from_ = from;
  to_ = to;
  done_ = false;
  next_ = InvalidBlockNumber;
  routed_ = false;
}

// The buffer that the next leaf was last seen in, if the hot index knows; else invalid.
Buffer LeafWalk::RecentBuffer() {
  if (routed_) {
    // Leaves are neighbours there, too.  One that is newer is not there, but its right
    // neighbour is.
    hot::Guess following = route_;
    if (!hot::MoveToNext(&following) || following.block != next_) return InvalidBuffer;
    route_ = following;
  } else {
    routed_ = FindRoute(index_, from_, Direction::kForward, &route_) && route_.level == 0;
    if (!routed_ || route_.block != next_) return InvalidBuffer;
  }
  PrefetchAhead();
  return route_.buffer;
}

// Locks the leaf where `from_` is, at the right-link or by a search.
void LeafWalk::Land() {
  if (next_ != InvalidBlockNumber) {
    const Buffer recent = RecentBuffer();
    buffer_ = GetPageAgain(index_.rel, index_.shape, next_, recent, BUFFER_LOCK_SHARE);
    if (IsLandingFor(index_, BufferGetPage(buffer_), from_, Direction::kForward, 0)) {
      if (unlikely(recent != buffer_) && routed_ && route_.block == next_) hot::RememberBuffer(route_, buffer_);
      return;
    }
    Release();
  }
  routed_ = false;
  buffer_ = Descend(index_, from_, Direction::kForward, 0, BUFFER_LOCK_SHARE);
}

void LeafWalk::PrefetchAhead() const {
  const Buffer buffer = hot::BufferAhead(route_, kLeavesAhead);
  if (!BufferIsValid(buffer) || BufferIsLocal(buffer)) return;
  pg::PrefetchBufferHeader(buffer);
  PrefetchPage(buffer);
}

bool LeafWalk::Next() {
  if (done_) return false;
  CHECK_FOR_INTERRUPTS();
  do {
    Land();
    page_ = ReadLeaf(index_, buffer_, from_, Direction::kForward);
    if (unlikely(page_ == nullptr)) next_ = InvalidBlockNumber;
  } while (unlikely(page_ == nullptr));
  pg::CheckOldSnapshot(snapshot_, index_.rel, page());
  // Under the page's lock: an insert that comes later looks for it (tree/insert.cpp).
  PredicateLockPage(index_.rel, BufferGetBlockNumber(buffer_), snapshot_);

  const NodePage view(page(), index_.shape);
  const core::Node& node = view.node();
  const int columns = index_.shape.key_columns;
  Key low, high;
  node.LowFence(&low);
  const bool more = node.BoundIsRight(to_, Direction::kBackward);
  if (more && core::CompareBound(from_, low, index_.shape) <= 0) {
    range_ = PageRange{0, node.count(), 0, view.delta_count()};
  } else {
    range_ = FindRange(view, from_, to_);
  }
  done_ = !more;
  if (more) {
    node.HighFence(&high);
    core::SetBoundBefore(&from_, high, columns);
    core::OwnBound(&from_, index_.shape, &from_memory_);
    next_ = view.right();
  }
  return true;
}

void LeafWalk::ReleasePin() {
  ReleaseBuffer(buffer_);
  buffer_ = InvalidBuffer;
  pg::ReachTestPoint(pg::TestPoint::kLeafRead);
}

void LeafWalk::Release() {
  Unlock();
  ReleasePin();
}

bool KeyAhead(const Index& index, const Bound& from, uint32 leaves, Key* key) {
  const Buffer buffer = Descend(index, from, Direction::kForward, 1, BUFFER_LOCK_SHARE);
  if (!BufferIsValid(buffer)) return false;
  // Those of the delta are few, and are left out.
  const core::Node node = NodePage(BufferGetPage(buffer), index.shape).node();
  const uint32 position = node.LowerBound(from) + leaves;
  const bool inside = position < node.count();
  const bool found = inside || node.has_high_fence();
  if (inside)
    node.KeyAt(position, nullptr, key);
  else if (found)
    node.HighFence(key);
  ReleasePage(buffer);
  return found;
}

}  // namespace omendb::tree
