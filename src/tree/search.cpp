#include <algorithm>

#include "tree/search.h"

#include "tree/killed.h"
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
using core::Entries;
using core::Key;
using core::Tid;

namespace {

// A search that restarts this often is lost in a damaged tree.
constexpr int kMaxRestarts = 1000;
// One that goes on to the right this often starts again: damaged links may lead in a circle.
constexpr int kMaxMoves = 1000;
// One that began at a guess and goes on to the right this often does better from the root.
constexpr int kMaxMovesFromGuess = 2;

// Chunks grow from what a point lookup or a LIMIT needs to what keeps locks short.
constexpr uint32 kFirstChunk = 32;
constexpr uint32 kLargestChunk = 512;

constexpr uint64 kAllColumns = ~uint64{0};

// A scan that goes on after the last entry it read would read these for ever.
constexpr const char* kNotInOrder = "its entries are not in order";

// Removes from the entries read of a page's range, in this direction, those that are
// known to be dead.  The range may reach further than the entries, at the far end.
void SkipKilled(const NodePage& page, Page raw, const PageRange& range, Direction direction, Entries* entries) {
  KilledHints hints(raw);
  bool killed[kLargestChunk];
  const uint32 count = entries->count;
  uint32 base = range.base_begin, delta = range.delta_begin, any = 0;
  if (direction == Direction::kBackward) {
    base = range.base_end;
    delta = range.delta_end;
  }
  for (uint32 n = 0; n < count; n++) {
    // Which of the two an entry came from, its TID says: a page has each TID once.
    uint32 i, position;
    if (direction == Direction::kForward) {
      i = n;
      if (delta < range.delta_end && page.DeltaTidAt(delta) == entries->tid[i])
        position = page.node().count() + page.DeltaSlotAt(delta++);
      else
        position = base++;
    } else {
      i = count - 1 - n;
      if (delta > range.delta_begin && page.DeltaTidAt(delta - 1) == entries->tid[i])
        position = page.node().count() + page.DeltaSlotAt(--delta);
      else
        position = --base;
    }
    killed[i] = hints.IsKilled(position);
    any |= killed[i];
  }
  if (any != 0) core::KeepEntries(entries, [&](uint32 i) { return !killed[i]; });
}

// Whether a page that had entries has them still, and can be told that they are dead: a cold page cannot.
bool CanBeKilledOn(Page page) { return IsNode(page) && !IsCold(page); }

// Adds hints for the entries in the range of a page whose TIDs are in the sorted list.
// Returns whether there were any.
bool AddKilled(const NodePage& page, Page raw, const PageRange& range, const Tid* tids, uint32 count) {
  KilledHints hints(raw);
  bool any = false;
  const auto is_listed = [&](Tid tid) { return std::binary_search(tids, tids + count, tid); };
  for (uint32 begin = range.base_begin; begin < range.base_end; begin += kLargestChunk) {
    Tid chunk[kLargestChunk];
    const uint32 end = Min(begin + kLargestChunk, range.base_end);
    page.node().DecodeTids(begin, end, chunk);
    for (uint32 i = begin; i < end; i++)
      if (is_listed(chunk[i - begin])) any |= hints.Add(i);
  }
  for (uint32 rank = range.delta_begin; rank < range.delta_end; rank++)
    if (is_listed(page.DeltaTidAt(rank))) any |= hints.Add(page.node().count() + page.DeltaSlotAt(rank));
  return any;
}

}  // namespace

bool IsLandingFor(const Index& index, Page page, const Bound& bound, Direction direction, uint32 level) {
  if (!IsNode(page)) return false;
  const NodePage view(page, index.shape);
  return view.level() == level && !view.node().BoundIsRight(bound, direction) &&
         !view.node().BoundIsLeft(bound, direction);
}

namespace {

// Goes from a page of level `from`, locked, to the page of `level` that the bound
// belongs to, by downlinks and at most max_moves right-links; *moves gets how many.
// InvalidBuffer if the way was lost; then the page's lock and pin are gone.
Buffer GoDown(const Index& index, Buffer buffer, uint32 from, const Bound& bound, Direction direction, uint32 level,
              int lock_mode, int max_moves, int* moves) {
  // Who looks for a page above the leaves has pages below it locked.
  const auto get_page = level > 0 ? GetFurtherPage : GetPage;
  uint32 expected = from;
  for (;;) {
    const Page page = BufferGetPage(buffer);
    // Unlinked, or recycled, since its downlink or right-link was read.
    if (!IsNode(page)) break;
    const NodePage view(page, index.shape);
    if (view.level() != expected || view.node().BoundIsLeft(bound, direction)) break;
    const bool is_right = view.node().BoundIsRight(bound, direction);
    if (!is_right && expected == level) return buffer;
    BlockNumber next;
    if (is_right) {
      // It was split after its downlink was read, or the downlink is still to come.
      if (++*moves > max_moves) break;
      next = view.right();
    } else {
      next = view.ChildFor(bound, direction);
      expected--;
    }
    ReleasePage(buffer);
    pg::ReachTestPoint(is_right ? pg::TestPoint::kMoveRight : pg::TestPoint::kDescend);
    buffer = get_page(index.rel, index.shape, next, expected == level ? lock_mode : BUFFER_LOCK_SHARE);
  }
  ReleasePage(buffer);
  return InvalidBuffer;
}

// Locks the root; *level gets its level.  If that is `wanted`, the lock is of lock_mode.
Buffer LockRoot(const Index& index, uint32 wanted, int lock_mode, uint32* level) {
  const Buffer buffer = (wanted > 0 ? GetFurtherPage : GetPage)(index.rel, index.shape, kRootBlock, BUFFER_LOCK_SHARE);
  *level = NodePage(BufferGetPage(buffer), index.shape).level();
  // Which lock it needs is not known before it is locked; the level may change in between.
  if (*level == wanted && lock_mode != BUFFER_LOCK_SHARE) {
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    LockBuffer(buffer, lock_mode);
  }
  return buffer;
}

}  // namespace

Buffer Descend(const Index& index, const Bound& bound, Direction direction, uint32 level, int lock_mode) {
  CHECK_FOR_INTERRUPTS();
  hot::Guess guess;
  const bool guessed = level == 0 && FindRoute(index, bound, direction, &guess);
  if (guessed) {
    int moves = 0;
    Buffer buffer = GetGuessedPage(index, guess, guess.level == level ? lock_mode : BUFFER_LOCK_SHARE);
    if (BufferIsValid(buffer))
      buffer = GoDown(index, buffer, guess.level, bound, direction, level, lock_mode, kMaxMovesFromGuess, &moves);
    if (BufferIsValid(buffer)) {
      EndRoute(index, guess, buffer, moves == 0 ? hot::Outcome::kHit : hot::Outcome::kMovedRight);
      return buffer;
    }
  }
  for (int restarts = 0; restarts < kMaxRestarts; restarts++) {
    CHECK_FOR_INTERRUPTS();
    uint32 root_level;
    int moves = 0;
    Buffer buffer = LockRoot(index, level, lock_mode, &root_level);
    if (root_level < level) {
      ReleasePage(buffer);
      return InvalidBuffer;
    }
    buffer = GoDown(index, buffer, root_level, bound, direction, level, lock_mode, kMaxMoves, &moves);
    if (!BufferIsValid(buffer)) continue;
    if (guessed) EndRoute(index, guess, buffer, hot::Outcome::kRestarted);
    return buffer;
  }
  ReportCorruption(index.rel, kRootBlock, "searches from the root do not reach the page they look for");
}

namespace {

// Whether the bounds are around the entries with a value of the first column, which is a bytes
// column and has no NULLs here: then one search finds both ends.
bool AreAroundValue(const core::Node& node, const Bound& low, const Bound& high) {
  return node.is_bytes(0) && low.columns == 1 && high.columns == 1 && low.tail == Bound::kBefore &&
         high.tail == Bound::kAfter && !low.with_tid && !high.with_tid && low.key.cls[0] == core::kValue &&
         high.key.cls[0] == core::kValue && low.key.ordinal[0] == high.key.ordinal[0] && !node.has_class_column(0);
}

}  // namespace

PageRange FindRange(const NodePage& page, const Bound& low, const Bound& high) {
  PageRange range;
  if (AreAroundValue(page.node(), low, high)) {
    page.node().EqualRange(low.key.ordinal[0], &range.base_begin, &range.base_end);
  } else {
    range.base_begin = page.node().LowerBound(low);
    range.base_end = page.node().LowerBoundFrom(high, range.base_begin);
  }
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
  scratch->bytes = out->bytes;
  for (uint32 i = 0; i < delta; i++) {
    Entry entry;
    page.DeltaEntryAt(delta_begin + i, &entry);
    for (int c = 0; c < page.value_columns(); c++) {
      scratch->value[c][i] = entry.value[c];
      scratch->cls[c][i] = entry.cls[c];
    }
    scratch->tid[i] = entry.tid;
    if (page.inner()) scratch->child[i] = entry.child;
    core::OwnValues(scratch, i);
  }
  out->bytes = scratch->bytes;
  scratch->count = delta;
  out->count = base;
  core::MergeSorted(out, *scratch);
  return base + delta;
}

size_t MergedValueBytes(const NodePage& page) {
  return page.node().header().bytes_columns == 0 ? 0 : page.node().DecodedBytes(kAllColumns) + page.delta_bytes();
}

void LeafReader::Init(const Index& index, MemoryContext context) {
  // Most scans read one chunk, and few have another: arrays are laid out when they are.
  index_ = index;
  context_ = context;
  for (Chunk* chunk : {&chunk_, &aside_}) {
    chunk->entries.count = 0;
    chunk->memory = nullptr;
    chunk->capacity = 0;
    chunk->values = nullptr;
    chunk->values_capacity = 0;
    chunk->pin = InvalidBuffer;
  }
  scratch_memory_ = nullptr;
  key_memory_ = nullptr;
  if (index.shape.bytes_columns != 0)
    key_memory_ = static_cast<KeyMemory*>(MemoryContextAlloc(context, sizeof(KeyMemory)));
  done_ = false;
  hint_ = InvalidBlockNumber;
  hint_buffer_ = InvalidBuffer;
}

void LeafReader::Free() {
  DropPin();
  DropAside();
  if (chunk_.memory != nullptr) pfree(chunk_.memory);
  if (aside_.memory != nullptr) pfree(aside_.memory);
  if (chunk_.values != nullptr) pfree(chunk_.values);
  if (aside_.values != nullptr) pfree(aside_.values);
  if (key_memory_ != nullptr) pfree(key_memory_);
  if (scratch_memory_ != nullptr) pfree(scratch_memory_);
}

void LeafReader::DropPin() {
  if (BufferIsValid(chunk_.pin)) ReleaseBuffer(chunk_.pin);
  chunk_.pin = InvalidBuffer;
}

void LeafReader::DropAside() {
  if (BufferIsValid(aside_.pin)) ReleaseBuffer(aside_.pin);
  aside_.pin = InvalidBuffer;
}

void LeafReader::SwapAside() {
  const Chunk chunk = chunk_;
  chunk_ = aside_;
  aside_ = chunk;
}

void LeafReader::Rewind(const ReadMode& mode) {
  DropPin();
  DropAside();
  mode_ = mode;
  // Without a WAL record a change leaves the LSN as it is; the pin at least says that
  // no TID was given to another row.
  mode_.keep_pin = mode.keep_pin || !RelationNeedsWAL(index_.rel);
  chunk_size_ = kFirstChunk;
}

void LeafReader::SetHint(BlockNumber block) {
  hint_ = block;
  hint_buffer_ = InvalidBuffer;
  core::SetMinusInfinity(&hint_low_, index_.shape.key_columns);
  hint_has_high_ = false;
}

void LeafReader::GrowChunk() {
  if (chunk_size_ < kLargestChunk) chunk_size_ *= 4;
  if (chunk_size_ > kLargestChunk) chunk_size_ = kLargestChunk;
}

void LeafReader::Reserve(uint32 capacity) {
  if (capacity <= chunk_.capacity) return;
  if (chunk_.memory != nullptr) pfree(chunk_.memory);
  chunk_.capacity = capacity;
  chunk_.memory = MemoryContextAlloc(context_, core::EntriesBytes(capacity, index_.shape, false));
  core::Entries& entries = chunk_.entries;
  core::LayOutEntries(&entries, chunk_.memory, capacity, index_.shape, false);
  // Without NULLs, the classes need never be written again.
  for (int c = 0; c < index_.shape.value_columns; c++) {
    for (uint32 i = 0; i < capacity; i++) entries.cls[c][i] = core::kValue;
    entries.all_value |= UINT64CONST(1) << c;
  }
}

void LeafReader::ReserveValues(const NodePage& page) {
  const size_t bytes = MergedValueBytes(page);
  if (bytes > chunk_.values_capacity) {
    if (chunk_.values != nullptr) pfree(chunk_.values);
    chunk_.values_capacity = Max(bytes, 2 * chunk_.values_capacity);
    chunk_.values = static_cast<uint8_t*>(MemoryContextAllocHuge(context_, chunk_.values_capacity));
  }
  chunk_.entries.bytes = chunk_.values;
}

// Before the page is unlocked that they were read from.
void LeafReader::OwnKeys() {
  if (likely(key_memory_ == nullptr)) return;
  if (!done_) core::OwnBound(&next_, index_.shape, &key_memory_->next);
  core::OwnKey(&hint_low_, index_.shape, &key_memory_->hint_low);
  if (hint_has_high_) core::OwnKey(&hint_high_, index_.shape, &key_memory_->hint_high);
}

Buffer LeafReader::LockLeaf(const Bound& bound, Direction direction) {
  // The hint is worth a visit only if the bound was within its fences, or is
  // where the scan left it.
  if (hint_ != InvalidBlockNumber) {
    const Shape& shape = index_.shape;
    const int below = core::CompareBound(bound, hint_low_, shape);
    const int above = hint_has_high_ ? core::CompareBound(bound, hint_high_, shape) : -1;
    const bool inside = direction == Direction::kForward ? below >= 0 && above < 0 : below > 0 && above <= 0;
    if (inside) {
      Buffer buffer = chunk_.pin;
      if (BufferIsValid(buffer) && BufferGetBlockNumber(buffer) == hint_) {
        chunk_.pin = InvalidBuffer;
        LockPage(index_.rel, index_.shape, buffer, BUFFER_LOCK_SHARE);
      } else {
        buffer = GetPageAgain(index_.rel, index_.shape, hint_, hint_buffer_, BUFFER_LOCK_SHARE);
      }
      if (IsLandingFor(index_, BufferGetPage(buffer), bound, direction, 0)) return buffer;
      ReleasePage(buffer);
    }
  }
  return Descend(index_, bound, direction, 0, BUFFER_LOCK_SHARE);
}

// The leaf where a search begins, and the buffer whose lock it is read under.
Page LeafReader::Arrive(const Bound& bound, Direction direction, Buffer* buffer) {
  Page page;
  do {
    *buffer = LockLeaf(bound, direction);
    page = ReadLeaf(index_, *buffer, bound, direction);
  } while (unlikely(page == nullptr));
  pg::CheckOldSnapshot(mode_.snapshot, index_.rel, page);
  // Under the page's lock: an insert that comes later looks for it (tree/insert.cpp).
  PredicateLockPage(index_.rel, BufferGetBlockNumber(*buffer), mode_.snapshot);
  return page;
}

// What was read of a leaf, without entries that are dead; then the lock is released.
void LeafReader::Leave(Buffer buffer, Page page, const PageRange& range, Direction direction) {
  if (mode_.skip_killed && unlikely(MayHaveKilled(page)))
    SkipKilled(NodePage(page, index_.shape), page, range, direction, &chunk_.entries);
  DropPin();
  chunk_.block = BufferGetBlockNumber(buffer);
  chunk_.lsn = BufferGetLSNAtomic(buffer);
  chunk_.range = range;
  if (mode_.keep_pin) {
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    chunk_.pin = buffer;
  } else {
    ReleasePage(buffer);
  }
  GrowChunk();
  pg::ReachTestPoint(pg::TestPoint::kLeafRead);
}

bool LeafReader::Take(const NodePage& page, PageRange* range, Direction direction) {
  const uint32 found = range->size();
  const uint32 wanted = Min(found, chunk_size_);
  const bool all = wanted == found;
  const uint32 delta = range->delta_end - range->delta_begin;
  core::Entries& entries = chunk_.entries;
  Reserve(wanted + (all ? 0 : Min(delta, wanted)));
  if (unlikely(index_.shape.bytes_columns != 0)) ReserveValues(page);
  if (delta == 0) {
    if (direction == Direction::kForward)
      range->base_end = range->base_begin + wanted;
    else
      range->base_begin = range->base_end - wanted;
    // A part of the range: its last key says where to go on.
    page.node().Decode(range->base_begin, range->base_end, all ? mode_.columns : mode_.columns | KeyColumnMask(),
                       &entries, 0);
    entries.count = wanted;
    return all;
  }
  if (scratch_memory_ == nullptr) {
    const Shape& shape = index_.shape;
    scratch_memory_ = MemoryContextAlloc(context_, core::EntriesBytes(kMaxDelta, shape, false));
    core::LayOutEntries(&scratch_, scratch_memory_, kMaxDelta, shape, false);
  }
  // The first `wanted` of the union are among the first `wanted` of each part.
  if (!all) {
    if (direction == Direction::kForward) {
      range->base_end = Min(range->base_end, range->base_begin + wanted);
      range->delta_end = Min(range->delta_end, range->delta_begin + wanted);
    } else {
      range->base_begin = Max(range->base_begin + wanted, range->base_end) - wanted;
      range->delta_begin = Max(range->delta_begin + wanted, range->delta_end) - wanted;
    }
  }
  const uint32 merged =
      MergeEntries(page, range->base_begin, range->base_end, range->delta_begin, range->delta_end, &scratch_, &entries);
  if (direction == Direction::kBackward && merged > wanted) core::MoveEntries(&entries, 0, merged - wanted, wanted);
  entries.count = wanted;
  return all;
}

uint32 LeafReader::ReadForward(const Bound& from, const Bound& to) {
  Buffer buffer;
  const Page raw = Arrive(from, Direction::kForward, &buffer);
  const NodePage page(raw, index_.shape);
  const core::Node& node = page.node();
  const int columns = index_.shape.key_columns;
  PageRange range = FindRange(page, from, to);
  const bool all = Take(page, &range, Direction::kForward);

  done_ = all && !node.BoundIsRight(to, Direction::kBackward);
  hint_ = BufferGetBlockNumber(buffer);
  hint_buffer_ = buffer;
  hint_has_high_ = node.has_high_fence();
  node.LowFence(&hint_low_);
  if (hint_has_high_) node.HighFence(&hint_high_);
  if (!all) {
    Key last;
    chunk_.entries.KeyAt(chunk_.entries.count - 1, &last);
    if (core::CompareBound(from, last, index_.shape) > 0) ReportCorruption(index_.rel, hint_, kNotInOrder);
    core::SetBoundAfter(&next_, last, columns);
  } else if (!done_) {
    // Go on at the right sibling, whose low fence this is as long as nothing changes.
    core::SetBoundBefore(&next_, hint_high_, columns);
    hint_low_ = hint_high_;
    hint_has_high_ = false;
    hint_ = page.right();
    hint_buffer_ = InvalidBuffer;
  }
  OwnKeys();
  Leave(buffer, raw, range, Direction::kForward);
  return chunk_.entries.count;
}

uint32 LeafReader::ReadBackward(const Bound& from, const Bound& to) {
  Buffer buffer;
  const Page raw = Arrive(from, Direction::kBackward, &buffer);
  const NodePage page(raw, index_.shape);
  const core::Node& node = page.node();
  const int columns = index_.shape.key_columns;
  PageRange range = FindRange(page, to, from);
  const bool all = Take(page, &range, Direction::kBackward);

  done_ = all && !node.BoundIsLeft(to, Direction::kForward);
  hint_ = BufferGetBlockNumber(buffer);
  hint_buffer_ = buffer;
  hint_has_high_ = node.has_high_fence();
  node.LowFence(&hint_low_);
  if (hint_has_high_) node.HighFence(&hint_high_);
  if (!all) {
    Key first;
    chunk_.entries.KeyAt(0, &first);
    if (core::CompareBound(from, first, index_.shape) <= 0) ReportCorruption(index_.rel, hint_, kNotInOrder);
    core::SetBoundBefore(&next_, first, columns);
  } else if (!done_) {
    // A scan that goes on at the bound that it came with would do so for ever.
    if (core::CompareBound(from, hint_low_, index_.shape) <= 0) ReportCorruption(index_.rel, hint_, kNotInOrder);
    core::SetBoundBefore(&next_, hint_low_, columns);
    hint_high_ = hint_low_;
    hint_has_high_ = true;
    core::SetMinusInfinity(&hint_low_, columns);
    hint_ = page.left();
    hint_buffer_ = InvalidBuffer;
  }
  OwnKeys();
  Leave(buffer, raw, range, Direction::kBackward);
  return chunk_.entries.count;
}

void LeafReader::Kill(Tid* tids, uint32 count) {
  if (count == 0) return;
  const bool pinned = BufferIsValid(chunk_.pin);
  const Buffer buffer = pinned ? chunk_.pin : ReadBuffer(index_.rel, chunk_.block);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  // Without a pin held all the time, VACUUM may have removed the entries, and their TIDs
  // may belong to other rows.  With it, they are somewhere on the page, or have moved to
  // another by a split.
  const bool same = BufferGetLSNAtomic(buffer) == chunk_.lsn;
  if ((pinned || (same && RelationNeedsWAL(index_.rel))) && CanBeKilledOn(page)) {
    std::sort(tids, tids + count);
    const NodePage view(page, index_.shape);
    const PageRange everything = {0, view.node().count(), 0, view.delta_count()};
    if (AddKilled(view, page, same && RelationNeedsWAL(index_.rel) ? chunk_.range : everything, tids, count))
      MarkBufferDirtyHint(buffer, true);
  }
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  if (!pinned) ReleaseBuffer(buffer);
}

void KillEntries(const Index& index, BlockNumber leaf, XLogRecPtr lsn, Tid* tids, uint32 count) {
  // Without WAL, the LSN does not say whether the leaf has changed.
  if (!RelationNeedsWAL(index.rel)) return;
  const Buffer buffer = ReadBuffer(index.rel, leaf);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  if (BufferGetLSNAtomic(buffer) == lsn && CanBeKilledOn(page)) {
    std::sort(tids, tids + count);
    const NodePage view(page, index.shape);
    if (AddKilled(view, page, PageRange{0, view.node().count(), 0, view.delta_count()}, tids, count))
      MarkBufferDirtyHint(buffer, true);
  }
  UnlockReleaseBuffer(buffer);
}

}  // namespace omendb::tree
