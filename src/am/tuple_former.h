// The index tuples of an index-only scan.
#ifndef OMENDB_AM_TUPLE_FORMER_H
#define OMENDB_AM_TUPLE_FORMER_H

#include "am/layout.h"

extern "C" {
#include "access/itup.h"
#include "access/tupmacs.h"
#include "utils/memutils.h"
}

namespace omendb::am {

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
    values_ = nullptr;
    if (layout.shape.bytes_columns != 0)
      values_ = AllocSetContextCreate(context, "omendb index tuple", ALLOCSET_DEFAULT_SIZES);
    stride_ = 0;
  }

  void Free() {
    if (tuples_ != nullptr) pfree(tuples_);
    if (with_nulls_ != nullptr && values_ == nullptr) pfree(with_nulls_);
    if (values_ != nullptr) MemoryContextDelete(values_);
  }

  void FormChunk(const core::Entries& entries) {
    if (values_ != nullptr) return;  // of any width: one by one
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
    if (likely(values_ == nullptr && !any_null_)) return reinterpret_cast<IndexTuple>(tuples_ + i * stride_);
    Datum values[INDEX_MAX_KEYS];
    bool isnull[INDEX_MAX_KEYS];
    ReferenceRoom room[INDEX_MAX_KEYS];
    if (values_ != nullptr)
      MemoryContextReset(values_);
    else if (with_nulls_ != nullptr)
      pfree(with_nulls_);
    const MemoryContext old_context = MemoryContextSwitchTo(values_ != nullptr ? values_ : context_);
    for (int a = 0; a < layout_->attributes; a++)
      values[a] = AttributeOf(*layout_, entries, i, a, &isnull[a], &room[a]);
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
    const Attribute& attribute = layout_->attribute[a];
    char* to = tuples_ + offset_[a];
    bool isnull;
    if (IsByReference(attribute.type)) {
      ReferenceRoom room;
      for (uint32 i = 0; i < entries.count; i++, to += stride_) {
        AttributeOf(*layout_, entries, i, a, &isnull, &room);
        memcpy(to, room.bytes, static_cast<Size>(attribute.length));
      }
      return;
    }
    if (HasResidue(attribute.type)) {
      for (uint32 i = 0; i < entries.count; i++, to += stride_)
        store_att_byval(to, AttributeOf(*layout_, entries, i, a, &isnull, nullptr), attribute.length);
      return;
    }
    // Of an integer the ordinal differs from the bytes by fixed bits only.
    const uint64 flip = SignBit(attribute.type) ^ (attribute.descending ? ~UINT64CONST(0) : 0);
    switch (attribute.length) {
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
  MemoryContext values_;  // of a tuple with bytes columns; null if there are none
  char* tuples_;          // capacity_ tuples, stride_ bytes each
  uint32 capacity_;
  Size stride_;
  Size offset_[INDEX_MAX_KEYS];
  bool any_null_;
  IndexTuple with_nulls_;
};

}  // namespace omendb::am

#endif  // OMENDB_AM_TUPLE_FORMER_H
