#include "tree/search.h"

#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Entries;
using core::Key;

namespace {

// A search that restarts this often is lost in a damaged tree.
constexpr int kMaxRestarts = 1000;

// Chunks grow from what a point lookup or a LIMIT needs to what keeps locks short.
constexpr uint32 kFirstChunk = 32;
constexpr uint32 kLargestChunk = 512;

constexpr uint64 kAllColumns = ~uint64{0};

}  // namespace

bool IsLandingFor(const Index& index, Page page, const Bound& bound, Direction direction, uint32 level) {
  if ((SpecialOf(page)->flags & (kDeletedPage | kMetaPage)) != 0) return false;
  const NodePage view(page, index.shape);
  return view.level() == level && !view.node().BoundIsRight(bound, direction) &&
         !view.node().BoundIsLeft(bound, direction);
}

Buffer Descend(const Index& index, const Bound& bound, Direction direction, uint32 level, int lock_mode) {
  for (int restarts = 0; restarts < kMaxRestarts; restarts++) {
    CHECK_FOR_INTERRUPTS();
    BlockNumber block = kRootBlock;
    // The root's level is not known before it is locked: a guess, corrected below.
    int mode = BUFFER_LOCK_SHARE;
    Buffer buffer = GetPage(index.rel, index.shape, block, mode);
    uint32 expected = NodePage(BufferGetPage(buffer), index.shape).level();
    if (expected < level) {
      ReleasePage(buffer);
      return InvalidBuffer;
    }
    if (expected == level && lock_mode != mode) {
      LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
      LockBuffer(buffer, mode = lock_mode);
    }
    for (;;) {
      const Page page = BufferGetPage(buffer);
      // Unlinked, or recycled, since its downlink or right-link was read.
      if ((SpecialOf(page)->flags & (kDeletedPage | kMetaPage)) != 0) break;
      const NodePage view(page, index.shape);
      if (view.level() != expected || view.node().BoundIsLeft(bound, direction)) break;
      if (view.node().BoundIsRight(bound, direction)) {
        // It was split after its downlink was read, or the downlink is still to come.
        block = view.right();
        ReleasePage(buffer);
        pg::ReachTestPoint(pg::TestPoint::kMoveRight);
        if (block == InvalidBlockNumber) ReportCorruption(index.rel, block, "a page with a high fence has no right link");
        buffer = GetPage(index.rel, index.shape, block, mode);
        continue;
      }
      if (expected == level) return buffer;
      block = view.ChildFor(bound, direction);
      expected--;
      ReleasePage(buffer);
      pg::ReachTestPoint(pg::TestPoint::kDescend);
      mode = expected == level ? lock_mode : BUFFER_LOCK_SHARE;
      buffer = GetPage(index.rel, index.shape, block, mode);
    }
    ReleasePage(buffer);
  }
  ReportCorruption(index.rel, kRootBlock, "searches from the root do not reach the page they look for");
}

PageRange FindRange(const NodePage& page, const Bound& low, const Bound& high) {
  PageRange range;
  range.base_begin = page.node().LowerBound(low);
  range.base_end = page.node().LowerBoundFrom(high, range.base_begin);
  range.delta_begin = range.delta_end = 0;
  if (page.delta_count() > 0) {
    range.delta_begin = page.DeltaLowerBound(low);
    range.delta_end = page.DeltaLowerBound(high);
    if (range.delta_end < range.delta_begin) range.delta_end = range.delta_begin;
  }
  return range;
}

uint32 MergeEntries(const NodePage& page, uint32 base_begin, uint32 base_end, uint32 delta_begin, uint32 delta_end,
                    Entries* scratch, Entries* out) {
  const uint32 base = base_end - base_begin, delta = delta_end - delta_begin;
  page.node().Decode(base_begin, base_end, kAllColumns, out, 0);
  if (delta == 0) return base;
  out->all_value = 0;

  for (uint32 i = 0; i < delta; i++) {
    Entry entry;
    page.DeltaEntryAt(delta_begin + i, &entry);
    for (int c = 0; c < page.value_columns(); c++) {
      scratch->value[c][i] = entry.value[c];
      scratch->cls[c][i] = entry.cls[c];
    }
    scratch->tid[i] = entry.tid;
    if (page.inner()) scratch->child[i] = entry.child;
  }
  // From the back, in place: few delta entries among many base entries.
  uint32 to = base + delta, from = base;
  for (uint32 d = delta; d-- > 0;) {
    Key delta_key;
    scratch->KeyAt(d, &delta_key);
    uint32 low = 0, high = from;  // base entries below the delta entry
    while (low < high) {
      const uint32 middle = (low + high) / 2;
      Key base_key;
      out->KeyAt(middle, &base_key);
      if (core::CompareKeys(base_key, delta_key, out->key_columns) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    core::MoveEntries(out, to - (from - low), low, from - low);
    to -= from - low;
    from = low;
    core::CopyEntry(out, --to, *scratch, d);
  }
  return base + delta;
}

void LeafReader::Init(const Index& index, MemoryContext context) {
  *this = LeafReader();
  index_ = index;
  context_ = context;
  pinned_ = InvalidBuffer;
  hint_ = InvalidBlockNumber;
}

void LeafReader::Free() {
  DropPin();
  if (memory_ != nullptr) pfree(memory_);
}

void LeafReader::DropPin() {
  if (BufferIsValid(pinned_)) ReleaseBuffer(pinned_);
  pinned_ = InvalidBuffer;
}

void LeafReader::Rewind(Snapshot snapshot, uint64 columns, bool keep_pin) {
  DropPin();
  snapshot_ = snapshot;
  columns_ = columns;
  keep_pin_ = keep_pin;
  chunk_ = kFirstChunk;
}

void LeafReader::GrowChunk() {
  if (chunk_ < kLargestChunk) chunk_ *= 4;
  if (chunk_ > kLargestChunk) chunk_ = kLargestChunk;
}

void LeafReader::Reserve(uint32 capacity) {
  if (capacity <= capacity_) return;
  if (memory_ != nullptr) pfree(memory_);
  capacity_ = capacity;
  const size_t entries = core::EntriesBytes(capacity, index_.shape.value_columns, false);
  const size_t scratch = core::EntriesBytes(kMaxDelta, index_.shape.value_columns, false);
  memory_ = MemoryContextAlloc(context_, entries + scratch);
  core::LayOutEntries(&entries_, memory_, capacity, index_.shape.key_columns, index_.shape.value_columns, false);
  // Without NULLs, the classes need never be written again.
  for (int c = 0; c < index_.shape.value_columns; c++) {
    for (uint32 i = 0; i < capacity; i++) entries_.cls[c][i] = core::kValue;
    entries_.all_value |= UINT64CONST(1) << c;
  }
  core::LayOutEntries(&scratch_, static_cast<char*>(memory_) + entries, kMaxDelta, index_.shape.key_columns,
                      index_.shape.value_columns, false);
}

Buffer LeafReader::LockLeaf(const Bound& bound, Direction direction) {
  // The hint is worth a visit only if the bound was within its fences, or is
  // where the scan left it.
  if (hint_ != InvalidBlockNumber) {
    const int columns = index_.shape.key_columns;
    const int below = core::CompareBound(bound, hint_low_, columns);
    const int above = hint_has_high_ ? core::CompareBound(bound, hint_high_, columns) : -1;
    const bool inside = direction == Direction::kForward ? below >= 0 && above < 0 : below > 0 && above <= 0;
    if (inside) {
      Buffer buffer = pinned_;
      if (BufferIsValid(buffer) && BufferGetBlockNumber(buffer) == hint_) {
        pinned_ = InvalidBuffer;
        LockPage(index_.rel, index_.shape, buffer, BUFFER_LOCK_SHARE);
      } else {
        buffer = GetPage(index_.rel, index_.shape, hint_, BUFFER_LOCK_SHARE);
      }
      if (IsLandingFor(index_, BufferGetPage(buffer), bound, direction, 0)) return buffer;
      ReleasePage(buffer);
    }
  }
  return Descend(index_, bound, direction, 0, BUFFER_LOCK_SHARE);
}

void LeafReader::Release(Buffer buffer) {
  DropPin();
  if (keep_pin_) {
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    pinned_ = buffer;
  } else {
    ReleasePage(buffer);
  }
  pg::ReachTestPoint(pg::TestPoint::kLeafRead);
}

bool LeafReader::Take(const NodePage& page, PageRange range, Direction direction) {
  const uint32 found = range.size();
  const uint32 wanted = Min(found, chunk_);
  const bool all = wanted == found;
  const uint32 delta = range.delta_end - range.delta_begin;
  Reserve(wanted + (all ? 0 : Min(delta, wanted)));
  if (delta == 0) {
    if (direction == Direction::kForward)
      range.base_end = range.base_begin + wanted;
    else
      range.base_begin = range.base_end - wanted;
    // A part of the range: its last key says where to go on.
    page.node().Decode(range.base_begin, range.base_end, all ? columns_ : columns_ | KeyColumnMask(), &entries_, 0);
    entries_.count = wanted;
    return all;
  }
  // The first `wanted` of the union are among the first `wanted` of each part.
  if (!all) {
    if (direction == Direction::kForward) {
      range.base_end = Min(range.base_end, range.base_begin + wanted);
      range.delta_end = Min(range.delta_end, range.delta_begin + wanted);
    } else {
      range.base_begin = Max(range.base_begin + wanted, range.base_end) - wanted;
      range.delta_begin = Max(range.delta_begin + wanted, range.delta_end) - wanted;
    }
  }
  const uint32 merged = MergeEntries(page, range.base_begin, range.base_end, range.delta_begin, range.delta_end,
                                     &scratch_, &entries_);
  if (direction == Direction::kBackward && merged > wanted) core::MoveEntries(&entries_, 0, merged - wanted, wanted);
  entries_.count = wanted;
  return all;
}

uint32 LeafReader::ReadForward(const Bound& from, const Bound& to) {
  const Buffer buffer = LockLeaf(from, Direction::kForward);
  const Page raw = BufferGetPage(buffer);
  pg::CheckOldSnapshot(snapshot_, index_.rel, raw);
  const NodePage page(raw, index_.shape);
  const core::Node& node = page.node();
  const int columns = index_.shape.key_columns;
  const bool all = Take(page, FindRange(page, from, to), Direction::kForward);

  done_ = all && !node.BoundIsRight(to, Direction::kBackward);
  hint_ = BufferGetBlockNumber(buffer);
  hint_has_high_ = node.has_high_fence();
  node.LowFence(&hint_low_);
  if (hint_has_high_) node.HighFence(&hint_high_);
  if (!all) {
    Key last;
    entries_.KeyAt(entries_.count - 1, &last);
    core::SetBoundAfter(&next_, last, columns);
  } else if (!done_) {
    // Go on at the right sibling, whose low fence this is as long as nothing changes.
    core::SetBoundBefore(&next_, hint_high_, columns);
    hint_low_ = hint_high_;
    hint_has_high_ = false;
    hint_ = page.right();
  }
  Release(buffer);
  GrowChunk();
  return entries_.count;
}

uint32 LeafReader::ReadBackward(const Bound& from, const Bound& to) {
  const Buffer buffer = LockLeaf(from, Direction::kBackward);
  const Page raw = BufferGetPage(buffer);
  pg::CheckOldSnapshot(snapshot_, index_.rel, raw);
  const NodePage page(raw, index_.shape);
  const core::Node& node = page.node();
  const int columns = index_.shape.key_columns;
  const bool all = Take(page, FindRange(page, to, from), Direction::kBackward);

  done_ = all && !node.BoundIsLeft(to, Direction::kForward);
  hint_ = BufferGetBlockNumber(buffer);
  hint_has_high_ = node.has_high_fence();
  node.LowFence(&hint_low_);
  if (hint_has_high_) node.HighFence(&hint_high_);
  if (!all) {
    Key first;
    entries_.KeyAt(0, &first);
    core::SetBoundBefore(&next_, first, columns);
  } else if (!done_) {
    core::SetBoundBefore(&next_, hint_low_, columns);
    hint_high_ = hint_low_;
    hint_has_high_ = true;
    core::SetMinusInfinity(&hint_low_, columns);
    hint_ = page.left();
  }
  Release(buffer);
  GrowChunk();
  return entries_.count;
}

}  // namespace omendb::tree
