#include <new>
#include <type_traits>

#include "am/insert_buffer.h"
#include "am/quals.h"
#include "tree/search.h"

#include "am/am.h"
#include "am/heap_page.h"
#include "am/parallel_position.h"

extern "C" {
#include "access/relscan.h"
#include "access/tupmacs.h"
#include "pgstat.h"
#include "utils/memutils.h"
}

namespace omendb::am {

using core::Bound;
using core::Direction;

namespace {

// Builds the index tuples of an index-only scan, a chunk at a time: without NULLs
// they all have the same fixed-width layout, and are filled in column by column.
class TupleFormer {
 public:
  void Init(const Layout& layout, TupleDesc desc, MemoryContext context) {
    layout_ = &layout;
    desc_ = desc;
    context_ = context;
    tuples_ = nullptr;
    capacity_ = 0;
    with_nulls_ = nullptr;
    stride_ = 0;
  }

  void Free() {
    if (tuples_ != nullptr) pfree(tuples_);
    if (with_nulls_ != nullptr) pfree(with_nulls_);
  }

  void FormChunk(const core::Entries& entries) {
    uint64 nulls = 0;
    for (int a = 0; a < layout_->attributes; a++) {
      const int column = layout_->ColumnOf(a);
      if ((entries.all_value >> column & 1) != 0) continue;
      const uint64* cls = entries.cls[column];
      for (uint32 i = 0; i < entries.count; i++) nulls |= cls[i] ^ core::kValue;
    }
    any_null_ = nulls != 0;
    if (any_null_) return;
    if (entries.count > capacity_) Reserve(entries.count);
    for (int a = 0; a < layout_->attributes; a++) Fill(entries, a);
  }

  // The tuple of entry i of the chunk; valid until the next call.
  IndexTuple Tuple(const core::Entries& entries, uint32 i) {
    if (likely(!any_null_)) return reinterpret_cast<IndexTuple>(tuples_ + i * stride_);
    Datum values[INDEX_MAX_KEYS];
    bool isnull[INDEX_MAX_KEYS];
    for (int a = 0; a < layout_->attributes; a++) values[a] = AttributeOf(*layout_, entries, i, a, &isnull[a]);
    if (with_nulls_ != nullptr) pfree(with_nulls_);
    const MemoryContext old_context = MemoryContextSwitchTo(context_);
    with_nulls_ = index_form_tuple(desc_, values, isnull);
    MemoryContextSwitchTo(old_context);
    return with_nulls_;
  }

 private:
  void Reserve(uint32 count) {
    if (tuples_ != nullptr) pfree(tuples_);
    Size size = MAXALIGN(sizeof(IndexTupleData));
    for (int a = 0; a < layout_->attributes; a++) {
      const Form_pg_attribute attribute = TupleDescAttr(desc_, a);
      size = att_align_nominal(size, attribute->attalign);
      offset_[a] = size;
      size += static_cast<Size>(attribute->attlen);
    }
    stride_ = MAXALIGN(size);
    capacity_ = count;
    tuples_ = static_cast<char*>(MemoryContextAllocZero(context_, stride_ * count));
    for (uint32 i = 0; i < count; i++)
      reinterpret_cast<IndexTuple>(tuples_ + i * stride_)->t_info = static_cast<unsigned short>(stride_);
  }

  template <typename T>
  void FillIntegers(const core::Entries& entries, int a, uint64 flip) {
    const uint64* values = entries.value[layout_->ColumnOf(a)];
    char* to = tuples_ + offset_[a];
    for (uint32 i = 0; i < entries.count; i++, to += stride_)
      *reinterpret_cast<T*>(to) = static_cast<T>(values[i] ^ flip);
  }

  void Fill(const core::Entries& entries, int a) {
    const ColumnType type = layout_->TypeOf(a);
    const int16 length = TupleDescAttr(desc_, a)->attlen;
    if (IsFloat(type)) {
      char* to = tuples_ + offset_[a];
      for (uint32 i = 0; i < entries.count; i++, to += stride_) {
        bool isnull;
        store_att_byval(to, AttributeOf(*layout_, entries, i, a, &isnull), length);
      }
      return;
    }
    // Of an integer the ordinal differs from the bytes by fixed bits only.
    const bool descending = a < layout_->key_columns() && layout_->key[a].descending;
    const uint64 flip = SignBit(type) ^ (descending ? ~UINT64CONST(0) : 0);
    switch (length) {
      case 1:
        return FillIntegers<uint8>(entries, a, flip);
      case 2:
        return FillIntegers<uint16>(entries, a, flip);
      case 4:
        return FillIntegers<uint32>(entries, a, flip);
      default:
        return FillIntegers<uint64>(entries, a, flip);
    }
  }

  const Layout* layout_;
  TupleDesc desc_;
  MemoryContext context_;
  char* tuples_;  // capacity_ tuples, stride_ bytes each
  uint32 capacity_;
  Size stride_;
  Size offset_[INDEX_MAX_KEYS];
  bool any_null_;
  IndexTuple with_nulls_;
};

}  // namespace

// A scan: the ranges that the conditions span, and the chunk of entries that was
// read of the current one.  It can turn around at any entry.
class Scan {
 public:
  Scan(Relation rel, MemoryContext context) : context_(context), mark_(Mark::kNone), positioned_(false), position_(0) {
    MakeLayout(rel, &layout_);
    quals_.Init(layout_, context);
    reader_.Init(tree::Index{rel, layout_.shape}, context);
    former_.Init(layout_, RelationGetDescr(rel), context);
    heap_pages_.Init();
    marked_ = nullptr;
    killed_ = nullptr;
    killed_count_ = 0;
  }

  void Free() {
    FlushKilled();
    reader_.Free();
    quals_.Free();
    former_.Free();
    if (killed_ != nullptr) pfree(killed_);
    if (marked_ != nullptr) pfree(marked_);
  }

  // `parallel`: where the processes of a parallel scan say how far they are; else null.
  void Rescan(const IndexScanDescData& scan, ParallelPosition* parallel) {
    FlushKilled();
    quals_.Set(scan.keyData, scan.numberOfKeys);
    tree::ReadMode mode;
    mode.snapshot = scan.xs_snapshot;
    mode.columns = scan.xs_want_itup ? ~UINT64CONST(0) : quals_.filter_columns();
    // What nbtree's README says of pins: an index-only scan trusts the visibility
    // map, and a non-MVCC snapshot the TID, so VACUUM must not recycle TIDs that
    // they hold.  With an MVCC snapshot a recycled TID leads to an invisible row.
    mode.keep_pin = scan.xs_want_itup || !IsMVCCSnapshot(scan.xs_snapshot);
    mode.skip_killed = scan.ignore_killed_tuples;
    reader_.Rewind(mode);
    want_tuple_ = scan.xs_want_itup;
    parallel_ = parallel;
    mark_ = Mark::kNone;
    positioned_ = false;
  }

  // To the next entry in this direction; false at the end, from where the other
  // direction begins anew.
  bool Advance(Direction direction) {
    if (likely(positioned_)) {
      if (direction == Direction::kForward ? position_ + 1 < reader_.entries().count : position_ > 0) {
        position_ += direction == Direction::kForward ? 1 : -1;
        return true;
      }
    }
    return AdvanceChunk(direction);
  }

  const core::Entries& entries() const { return reader_.entries(); }
  uint32 position() const { return position_; }
  // All of the current chunk counts as returned.
  void SkipChunk() { position_ = reader_.entries().count - 1; }
  HeapPages& heap_pages() { return heap_pages_; }
  // REQUIRES: Rescan with want_tuple.
  IndexTuple Tuple() { return former_.Tuple(reader_.entries(), position_); }

  // The entry returned last leads to no row that anybody can see.
  void KillCurrent() {
    if (!positioned_) return;
    if (killed_ == nullptr)
      killed_ = static_cast<core::Tid*>(MemoryContextAlloc(context_, kMaxKilled * sizeof(core::Tid)));
    // A scan that goes to and fro meets the same entries again and again.
    if (killed_count_ == kMaxKilled) FlushKilled();
    killed_[killed_count_++] = reader_.entries().tid[position_];
  }

  // Mark and restore: the marked entry's chunk is set aside when the scan leaves it,
  // so that restoring needs neither page nor luck.
  void MarkPosition() {
    mark_ = positioned_ ? Mark::kInChunk : Mark::kNone;
    marked_position_ = position_;
    reader_.DropAside();
  }

  void RestorePosition() {
    if (mark_ == Mark::kAside) {
      FlushKilled();
      reader_.DropPin();
      reader_.SwapAside();
      mark_ = Mark::kInChunk;
      extent_ = marked_->extent;
      quals_.RestorePosition(marked_->range);
      if (want_tuple_) former_.FormChunk(reader_.entries());
    }
    positioned_ = mark_ != Mark::kNone;
    position_ = marked_position_;
  }

 private:
  static constexpr uint32 kMaxKilled = 512;

  // Where the marked entry is: in the chunk that the scan is in, or set aside.
  enum class Mark : uint8 { kNone, kInChunk, kAside };

  // A chunk's place: the range, whether it has more entries on either side of the chunk,
  // and where the chunk ends on a side that has.
  struct Extent {
    Bound low, high;
    Bound chunk_low, chunk_high;
    bool done_forward, done_backward;
  };

  // The place of the chunk set aside.
  struct Marked {
    Extent extent;
    int range[core::kMaxKeyColumns];
  };

  pg_noinline bool AdvanceChunk(Direction direction) {
    FlushKilled();
    if (mark_ == Mark::kInChunk && positioned_) {
      reader_.SwapAside();
      mark_ = Mark::kAside;
      if (marked_ == nullptr) marked_ = static_cast<Marked*>(MemoryContextAlloc(context_, sizeof(Marked)));
      marked_->extent = extent_;
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

  // Reads until there is an entry; false at the end.
  bool NextChunk(Direction direction) {
    const bool forward = direction == Direction::kForward;
    if (!positioned_) {
      if (!(forward ? quals_.First(&extent_.low, &extent_.high) : quals_.Last(&extent_.low, &extent_.high)))
        return false;
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

  bool NextRange(Direction direction) {
    return direction == Direction::kForward ? quals_.Next(&extent_.low, &extent_.high)
                                            : quals_.Previous(&extent_.low, &extent_.high);
  }

  // The same for one of several processes that share a scan.  They take turns in
  // reading a chunk and saying where the next begins.  They never turn around.
  bool NextChunkOfAll(Direction direction) {
    const bool forward = direction == Direction::kForward;
    ParallelPosition::Place place;
    do {
      if (!parallel_->Seize(&place)) return false;
      if (!place.begun) {
        if (!(forward ? quals_.First(&extent_.low, &extent_.high) : quals_.Last(&extent_.low, &extent_.high))) {
          parallel_->Finish();
          return false;
        }
        place.begun = true;
        place.next = forward ? extent_.low : extent_.high;
        place.hint = InvalidBlockNumber;
      } else {
        quals_.RestorePosition(place.range);
        quals_.CurrentRange(&extent_.low, &extent_.high);
        reader_.SetHint(place.hint);
      }
      Read(direction, place.next);
      place.hint = reader_.hint();
      bool more = true;
      if (!reader_.done())
        place.next = reader_.next();
      else if ((more = NextRange(direction)))
        place.next = forward ? extent_.low : extent_.high;
      if (more) {
        quals_.SavePosition(place.range);
        parallel_->Release(place);
      } else {
        parallel_->Finish();
      }
    } while (reader_.entries().count == 0);
    return true;
  }

  void BeginRange(Direction direction) {
    extent_.done_forward = direction == Direction::kBackward;
    extent_.done_backward = direction == Direction::kForward;
    Read(direction, direction == Direction::kForward ? extent_.low : extent_.high);
  }

  void ReadOn(Direction direction) {
    if (direction == Direction::kForward) {
      extent_.chunk_low = extent_.chunk_high;
      extent_.done_backward = false;
      Read(direction, extent_.chunk_low);
    } else {
      extent_.chunk_high = extent_.chunk_low;
      extent_.done_forward = false;
      Read(direction, extent_.chunk_high);
    }
  }

  // Reads a chunk from a bound that is one end of it, and learns the other end.
  void Read(Direction direction, const Bound& from) {
    if (direction == Direction::kForward) {
      reader_.ReadForward(from, extent_.high);
      extent_.done_forward = reader_.done();
      if (!extent_.done_forward) extent_.chunk_high = reader_.next();
    } else {
      reader_.ReadBackward(from, extent_.low);
      extent_.done_backward = reader_.done();
      if (!extent_.done_backward) extent_.chunk_low = reader_.next();
    }
    core::Entries& entries = reader_.entries();
    if (quals_.filter_columns() != 0) core::KeepEntries(&entries, [&](uint32 i) { return quals_.Matches(entries, i); });
    if (want_tuple_ && entries.count > 0) former_.FormChunk(entries);
  }

  // Before the scan leaves a chunk: what it learned of dead entries there.
  void FlushKilled() {
    if (likely(killed_count_ == 0)) return;
    reader_.Kill(killed_, killed_count_);
    killed_count_ = 0;
  }

  MemoryContext context_;
  Layout layout_;
  Quals quals_;
  tree::LeafReader reader_;
  TupleFormer former_;
  HeapPages heap_pages_;
  ParallelPosition* parallel_;
  bool want_tuple_;
  Mark mark_;
  bool positioned_;
  uint32 position_;
  Extent extent_;  // of the current chunk
  uint32 marked_position_;
  Marked* marked_;  // when a chunk is first set aside; few scans do that
  // TIDs of entries of the chunk that are dead to everybody.
  core::Tid* killed_;
  uint32 killed_count_;
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<Scan>);

IndexScanDesc BeginScan(Relation index, int keys, int orderbys) {
  IndexScanDesc scan = RelationGetIndexScan(index, keys, orderbys);
  scan->opaque = new (palloc(sizeof(Scan))) Scan(index, CurrentMemoryContext);
  scan->xs_itupdesc = RelationGetDescr(index);
  return scan;
}

void Rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey, int) {
  FlushInserts(scan->indexRelation);
  if (keys != nullptr && nkeys > 0) memmove(scan->keyData, keys, static_cast<Size>(nkeys) * sizeof(ScanKeyData));
  Scan& state = *static_cast<Scan*>(scan->opaque);
  state.Rescan(*scan, ParallelPosition::Of(scan));
  state.heap_pages().Begin(scan);
}

bool GetTuple(IndexScanDesc scan, ScanDirection direction) {
  Scan& state = *static_cast<Scan*>(scan->opaque);
  // Conditions are exact.
  scan->xs_recheck = false;
  state.heap_pages().Learn(scan);
  if (scan->kill_prior_tuple) state.KillCurrent();
  if (!state.Advance(ScanDirectionIsBackward(direction) ? Direction::kBackward : Direction::kForward)) return false;
  const core::Entries& entries = state.entries();
  const uint32 i = state.position();
  ItemPointerSet(&scan->xs_heaptid, static_cast<BlockNumber>(core::TidBlock(entries.tid[i])),
                 static_cast<OffsetNumber>(core::TidOffset(entries.tid[i])));
  if (scan->xs_want_itup) scan->xs_itup = state.Tuple();
  state.heap_pages().Expect(scan);
  return true;
}

int64 GetBitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
  Scan& state = *static_cast<Scan*>(scan->opaque);
  int64 total = 0;
  while (state.Advance(Direction::kForward)) {
    const core::Entries& entries = state.entries();
    ItemPointerData tids[64];
    for (uint32 i = 0; i < entries.count;) {
      int n = 0;
      for (; n < static_cast<int>(lengthof(tids)) && i < entries.count; n++, i++)
        ItemPointerSet(&tids[n], static_cast<BlockNumber>(core::TidBlock(entries.tid[i])),
                       static_cast<OffsetNumber>(core::TidOffset(entries.tid[i])));
      tbm_add_tuples(bitmap, tids, n, false);
    }
    total += entries.count;
    state.SkipChunk();
  }
  return total;
}

void MarkPosition(IndexScanDesc scan) { static_cast<Scan*>(scan->opaque)->MarkPosition(); }

void RestorePosition(IndexScanDesc scan) { static_cast<Scan*>(scan->opaque)->RestorePosition(); }

Size EstimateParallelScan() { return sizeof(ParallelPosition); }

void InitParallelScan(void* target) { static_cast<ParallelPosition*>(target)->Init(); }

void RestartParallelScan(IndexScanDesc scan) { ParallelPosition::Of(scan)->Reset(); }

void EndScan(IndexScanDesc scan) {
  Scan* state = static_cast<Scan*>(scan->opaque);
  state->Free();
  pfree(state);
}

}  // namespace omendb::am
