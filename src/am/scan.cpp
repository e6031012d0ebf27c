#include <new>
#include <type_traits>

#include "am/quals.h"
#include "tree/search.h"

#include "am/am.h"

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
  Scan(Relation rel, MemoryContext context) : positioned_(false), position_(0) {
    MakeLayout(rel, &layout_);
    quals_.Init(layout_, context);
    reader_.Init(tree::Index{rel, layout_.shape}, context);
    former_.Init(layout_, RelationGetDescr(rel), context);
  }

  void Free() {
    reader_.Free();
    quals_.Free();
    former_.Free();
  }

  void Rescan(const ScanKeyData* keys, int count, Snapshot snapshot, bool want_tuple) {
    quals_.Set(keys, count);
    // What nbtree's README says of pins: an index-only scan trusts the visibility
    // map, and a non-MVCC snapshot the TID, so VACUUM must not recycle TIDs that
    // they hold.  With an MVCC snapshot a recycled TID leads to an invisible row.
    const bool keep_pin = want_tuple || !IsMVCCSnapshot(snapshot);
    reader_.Rewind(snapshot, want_tuple ? ~UINT64CONST(0) : quals_.filter_columns(), keep_pin);
    want_tuple_ = want_tuple;
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
  // REQUIRES: Rescan with want_tuple.
  IndexTuple Tuple() { return former_.Tuple(reader_.entries(), position_); }

 private:
  pg_noinline bool AdvanceChunk(Direction direction) {
    const bool forward = direction == Direction::kForward;
    if (!positioned_) {
      pgstat_count_index_scan(reader_.relation());
      if (!(forward ? quals_.First(&low_, &high_) : quals_.Last(&low_, &high_))) return false;
      BeginRange(direction);
    } else {
      reader_.entries().count = 0;
    }
    while (reader_.entries().count == 0) {
      if (forward ? !done_forward_ : !done_backward_) {
        ReadOn(direction);
      } else if (forward ? quals_.Next(&low_, &high_) : quals_.Previous(&low_, &high_)) {
        BeginRange(direction);
      } else {
        positioned_ = false;
        reader_.DropPin();
        return false;
      }
    }
    positioned_ = true;
    position_ = forward ? 0 : reader_.entries().count - 1;
    return true;
  }

  void BeginRange(Direction direction) {
    chunk_low_ = low_;
    chunk_high_ = high_;
    done_forward_ = direction == Direction::kBackward;
    done_backward_ = direction == Direction::kForward;
    Read(direction, direction == Direction::kForward ? low_ : high_);
  }

  void ReadOn(Direction direction) {
    if (direction == Direction::kForward) {
      chunk_low_ = chunk_high_;
      done_backward_ = false;
      Read(direction, chunk_low_);
    } else {
      chunk_high_ = chunk_low_;
      done_forward_ = false;
      Read(direction, chunk_high_);
    }
  }

  // Reads a chunk from a bound that is one end of it, and learns the other end.
  void Read(Direction direction, const Bound& from) {
    if (direction == Direction::kForward) {
      reader_.ReadForward(from, high_);
      done_forward_ = reader_.done();
      if (!done_forward_) chunk_high_ = reader_.next();
    } else {
      reader_.ReadBackward(from, low_);
      done_backward_ = reader_.done();
      if (!done_backward_) chunk_low_ = reader_.next();
    }
    if (quals_.filter_columns() != 0) Filter();
    if (want_tuple_ && reader_.entries().count > 0) former_.FormChunk(reader_.entries());
  }

  void Filter() {
    core::Entries& entries = reader_.entries();
    uint32 kept = 0;
    for (uint32 i = 0; i < entries.count; i++) {
      if (!quals_.Matches(entries, i)) continue;
      if (kept != i) core::CopyEntry(&entries, kept, entries, i);
      kept++;
    }
    entries.count = kept;
  }

  Layout layout_;
  Quals quals_;
  tree::LeafReader reader_;
  TupleFormer former_;
  bool want_tuple_;
  bool positioned_;
  uint32 position_;
  Bound low_, high_;  // the current range
  // The part of it that the chunk covers, and whether there is more on either side.
  Bound chunk_low_, chunk_high_;
  bool done_forward_, done_backward_;
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
  if (keys != nullptr && nkeys > 0)
    memmove(scan->keyData, keys, static_cast<Size>(nkeys) * sizeof(ScanKeyData));
  static_cast<Scan*>(scan->opaque)
      ->Rescan(scan->keyData, scan->numberOfKeys, scan->xs_snapshot, scan->xs_want_itup);
}

bool GetTuple(IndexScanDesc scan, ScanDirection direction) {
  Scan& state = *static_cast<Scan*>(scan->opaque);
  // Conditions are exact.
  scan->xs_recheck = false;
  if (!state.Advance(ScanDirectionIsBackward(direction) ? Direction::kBackward : Direction::kForward)) return false;
  const core::Entries& entries = state.entries();
  const uint32 i = state.position();
  ItemPointerSet(&scan->xs_heaptid, static_cast<BlockNumber>(core::TidBlock(entries.tid[i])),
                 static_cast<OffsetNumber>(core::TidOffset(entries.tid[i])));
  if (scan->xs_want_itup) scan->xs_itup = state.Tuple();
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

void EndScan(IndexScanDesc scan) {
  Scan* state = static_cast<Scan*>(scan->opaque);
  state->Free();
  pfree(state);
}

}  // namespace omendb::am
