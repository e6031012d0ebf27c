#include "am/scan.h"

#include "tree/route.h"

extern "C" {
#include "pgstat.h"
#include "utils/memutils.h"
}

namespace omendb::am {

using core::Bound;
using core::Direction;

Scan::Scan(Relation rel, MemoryContext context)
    : context_(context), mark_(Mark::kNone), positioned_(false), position_(0), ahead_(0), max_ahead_(0) {
  MakeLayout(rel, &layout_);
  quals_.Init(layout_, context);
  reader_.Init(tree::Index{rel, layout_.shape}, context);
  former_.Init(layout_, RelationGetDescr(rel), context);
  marked_ = nullptr;
  extent_memory_ = nullptr;
  if (layout_.shape.bytes_columns != 0)
    extent_memory_ = static_cast<ExtentMemory*>(MemoryContextAlloc(context, sizeof(ExtentMemory)));
  killed_ = nullptr;
  killed_count_ = 0;
}

void Scan::Free() {
  FlushKilled();
  reader_.Free();
  quals_.Free();
  former_.Free();
  if (killed_ != nullptr) pfree(killed_);
  if (marked_ != nullptr) pfree(marked_);
  if (extent_memory_ != nullptr) pfree(extent_memory_);
}

void Scan::Rescan(const ScanRequest& request, ParallelPosition* parallel) {
  FlushKilled();
  quals_.Set(request.keys, request.key_count);
  tree::ReadMode mode;
  mode.snapshot = request.snapshot;
  mode.columns = request.columns | quals_.filter_columns();
  // What nbtree's README says of pins: an index-only scan trusts the visibility
  // map, and a non-MVCC snapshot the TID, so VACUUM must not recycle TIDs that
  // they hold.  With an MVCC snapshot a recycled TID leads to an invisible row.
  mode.keep_pin = request.index_only || !IsMVCCSnapshot(request.snapshot);
  mode.skip_killed = request.skip_killed;
  reader_.Rewind(mode);
  form_tuples_ = request.form_tuples;
  parallel_ = parallel;
  mark_ = Mark::kNone;
  positioned_ = false;
  max_ahead_ = 0;
}

void Scan::Kill(uint32 i) {
  if (killed_ == nullptr)
    killed_ = static_cast<core::Tid*>(MemoryContextAlloc(context_, kMaxKilled * sizeof(core::Tid)));
  // A scan that goes to and fro meets the same entries again and again.
  if (killed_count_ == kMaxKilled) FlushKilled();
  killed_[killed_count_++] = reader_.entries().tid[i];
}

// Before the scan leaves a chunk: what it learned of dead entries there.
void Scan::TellKilled() {
  reader_.Kill(killed_, killed_count_);
  killed_count_ = 0;
}

void Scan::MarkPosition() {
  mark_ = positioned_ ? Mark::kInChunk : Mark::kNone;
  marked_position_ = position_;
  reader_.DropAside();
}

void Scan::RestorePosition() {
  if (mark_ == Mark::kAside) {
    FlushKilled();
    reader_.DropPin();
    reader_.SwapAside();
    mark_ = Mark::kInChunk;
    extent_ = marked_->extent;
    OwnEnds(&extent_, extent_memory_);
    quals_.RestorePosition(marked_->range);
    max_ahead_ = 0;
    if (form_tuples_) former_.FormChunk(reader_.entries());
  }
  positioned_ = mark_ != Mark::kNone;
  position_ = marked_position_;
}

pg_noinline bool Scan::AdvanceChunk(Direction direction) {
  FlushKilled();
  if (mark_ == Mark::kInChunk && positioned_) {
    reader_.SwapAside();
    mark_ = Mark::kAside;
    if (marked_ == nullptr) marked_ = static_cast<Marked*>(MemoryContextAlloc(context_, sizeof(Marked)));
    marked_->extent = extent_;
    OwnEnds(&marked_->extent, &marked_->memory);
    quals_.SavePosition(marked_->range);
  }
  if (!positioned_) pgstat_count_index_scan(reader_.relation());
  if (parallel_ != nullptr ? !NextChunkOfAll(direction) : !NextChunk(direction)) {
    positioned_ = false;
    reader_.DropPin();
    return false;
  }
  positioned_ = true;
  position_ = direction == Direction::kForward ? 0 : reader_.entries().count - 1;
  return true;
}

void Scan::OwnEnds(Extent* extent, ExtentMemory* memory) const {
  if (likely(layout_.shape.bytes_columns == 0)) return;
  if (!extent->done_backward) core::OwnBound(&extent->chunk_low, layout_.shape, &memory->chunk_low);
  if (!extent->done_forward) core::OwnBound(&extent->chunk_high, layout_.shape, &memory->chunk_high);
}

// Reads until there is an entry; false at the end.
bool Scan::NextChunk(Direction direction) {
  const bool forward = direction == Direction::kForward;
  if (!positioned_) {
    if (!FirstRange(direction)) return false;
    BeginRange(direction);
  } else {
    reader_.entries().count = 0;
  }
  while (reader_.entries().count == 0) {
    if (forward ? !extent_.done_forward : !extent_.done_backward)
      ReadOn(direction);
    else if (NextRange(direction))
      BeginRange(direction);
    else
      return false;
  }
  return true;
}

bool Scan::FirstRange(Direction direction) {
  max_ahead_ = 0;
  return direction == Direction::kForward ? quals_.First(&extent_.low, &extent_.high)
                                          : quals_.Last(&extent_.low, &extent_.high);
}

bool Scan::NextRange(Direction direction) {
  return direction == Direction::kForward ? quals_.Next(&extent_.low, &extent_.high)
                                          : quals_.Previous(&extent_.low, &extent_.high);
}

// The same for one of several processes that share a scan.  They take turns in
// reading a chunk and saying where the next begins.  They never turn around.
bool Scan::NextChunkOfAll(Direction direction) {
  const bool forward = direction == Direction::kForward;
  ParallelPosition::Place place;
  do {
    if (!parallel_->Seize(&place)) return false;
    Bound from;
    if (!place.begun) {
      if (!FirstRange(direction)) {
        parallel_->Finish();
        return false;
      }
      place.begun = true;
      place.in_range = false;
      place.hint = InvalidBlockNumber;
    } else {
      quals_.RestorePosition(place.range);
      quals_.CurrentRange(&extent_.low, &extent_.high);
      reader_.SetHint(place.hint);
    }
    if (place.in_range) {
      from = place.next;
      core::RebaseBound(&from, layout_.shape, 0, core::WordOf(place.memory.bytes));
    } else {
      // (What is compared with may be longer than what the place has room for.)
      from = forward ? extent_.low : extent_.high;
    }
    // Of the end that it came from, a chunk says nothing.
    extent_.done_forward = extent_.done_backward = true;
    Read(direction, from);
    place.hint = reader_.hint();
    place.in_range = !reader_.done();
    const bool more = place.in_range || NextRange(direction);
    if (more) {
      quals_.SavePosition(place.range);
      if (place.in_range) {
        place.next = reader_.next();
        core::OwnBound(&place.next, layout_.shape, &place.memory);
        core::RebaseBound(&place.next, layout_.shape, core::WordOf(place.memory.bytes), 0);
      }
      parallel_->Release(place);
    } else {
      parallel_->Finish();
    }
  } while (reader_.entries().count == 0);
  return true;
}

// Fetches the leaves of the ranges to come, so that the wait for one is spent on another.
// The first range has none, the next ones more and more, as most scans want few.
void Scan::PrefetchRanges(Direction direction) {
  if (max_ahead_ == 0 || direction != ahead_direction_) {
    quals_.BeginAhead();
    ahead_ = 0;
    ahead_direction_ = direction;
    max_ahead_ = Max(max_ahead_, 1);
    return;
  }
  max_ahead_ = Min(2 * max_ahead_, kMaxAhead);
  if (ahead_ == 0)
    quals_.BeginAhead();
  else
    ahead_--;
  Bound low, high;
  for (; ahead_ < max_ahead_ && quals_.Ahead(direction, &low, &high); ahead_++)
    tree::PrefetchLeaf(reader_.index(), direction == Direction::kForward ? low : high, direction);
}

void Scan::BeginRange(Direction direction) {
  PrefetchRanges(direction);
  extent_.done_forward = direction == Direction::kBackward;
  extent_.done_backward = direction == Direction::kForward;
  Read(direction, direction == Direction::kForward ? extent_.low : extent_.high);
}

void Scan::ReadOn(Direction direction) {
  if (direction == Direction::kForward) {
    extent_.chunk_low = extent_.chunk_high;
    if (unlikely(extent_memory_ != nullptr))
      core::OwnBound(&extent_.chunk_low, layout_.shape, &extent_memory_->chunk_low);
    extent_.done_backward = false;
    Read(direction, extent_.chunk_low);
  } else {
    extent_.chunk_high = extent_.chunk_low;
    if (unlikely(extent_memory_ != nullptr))
      core::OwnBound(&extent_.chunk_high, layout_.shape, &extent_memory_->chunk_high);
    extent_.done_forward = false;
    Read(direction, extent_.chunk_high);
  }
}

// Reads a chunk from a bound that is one end of it, and learns the other end.
void Scan::Read(Direction direction, const Bound& from) {
  if (direction == Direction::kForward) {
    reader_.ReadForward(from, extent_.high);
    extent_.done_forward = reader_.done();
    if (!extent_.done_forward) extent_.chunk_high = reader_.next();
  } else {
    reader_.ReadBackward(from, extent_.low);
    extent_.done_backward = reader_.done();
    if (!extent_.done_backward) extent_.chunk_low = reader_.next();
  }
  if (unlikely(extent_memory_ != nullptr)) OwnEnds(&extent_, extent_memory_);
  core::Entries& entries = reader_.entries();
  if (quals_.filter_columns() != 0) core::KeepEntries(&entries, [&](uint32 i) { return quals_.Matches(entries, i); });
  if (form_tuples_ && entries.count > 0) former_.FormChunk(entries);
}

}  // namespace omendb::am
