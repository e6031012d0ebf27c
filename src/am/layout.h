// How an index's attributes (the columns of SQL) lie in the columns of the tree: which type
// each has, in which direction it sorts, and how a Datum becomes words and back.
//
// A key attribute is one or two key columns of the tree, next to each other, which order it
// lexicographically; and, where equal values may differ in their bytes, a value column more,
// the residue, of what the key columns do not say.  An INCLUDE attribute is one or two value
// columns.  An attribute of variable width is one bytes column, key or not.
//
// Only the first column of an attribute says whether it is NULL: the others are
// values always (Attribute::null_word), so they need no class column.
#ifndef OMENDB_AM_LAYOUT_H
#define OMENDB_AM_LAYOUT_H

#include "core/key.h"
#include "core/ordinal.h"
#include "tree/page.h"

#include "am/byte_types.h"

extern "C" {
#include "utils/rel.h"
}

namespace omendb::am {

// Fixed-width types as the index stores them.
enum class ColumnType : uint8 {
  kInt16,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kBool,
  kChar,
  kFloat32,
  kFloat64,
  // An INCLUDE attribute of a type that the index need not order.
  kBytes1,
  kBytes2,
  kBytes4,
  kBytes8,
  // Passed by reference.
  kMacaddr,
  kMacaddr8,
  kTid,
  kUuid,
  kTimetz,
  kInterval,
  kReference,  // 1 to 16 bytes that need not be ordered
  // A bytes column (am/byte_types.h), of a type that is passed in either way.
  kBytes,
};

// Whether a value is passed by reference, and has a fixed width of at most 16 bytes.
inline bool IsByReference(ColumnType type) { return type >= ColumnType::kMacaddr && type <= ColumnType::kReference; }

// The most columns that order an attribute.
inline constexpr int kMaxWords = 2;

// A value in ascending order, word by word, and what the words do not say.  Words that the
// type has not are 0.
using Ordinal = core::WideOrdinal;

// Ordinals of a type of one word lie in [0, OrdinalLimit).
core::u128 OrdinalLimit(ColumnType type);

// The bit in which a signed integer's ordinal differs from its bytes.
uint64 SignBit(ColumnType type);

// Whether values that are equal may differ in their bytes.
inline bool HasResidue(ColumnType type) {
  return type == ColumnType::kFloat32 || type == ColumnType::kFloat64 || type == ColumnType::kInterval;
}

// Room for a value that is passed by reference.
struct alignas(8) ReferenceRoom {
  char bytes[16];
};

struct Attribute {
  ColumnType type;
  int16 length;  // bytes, as pg_attribute has it
  uint8 words;
  int column;   // of the tree: the first of them
  int residue;  // value column, or -1
  // Of a bytes column:
  ByteType byte_type;
  const core::ByteOrder* order;  // or null; of a key
  // What the second column holds where the first is NULL: a value that widens the column of
  // usual ones least.
  uint64 null_word;

  // Of a key attribute:
  bool descending;
  bool nulls_first;
  Oid opfamily;
  Oid opcintype;

  uint8 NullClass() const { return nulls_first ? core::kNullFirst : core::kNullLast; }
  bool is_bytes() const { return type == ColumnType::kBytes; }
  // Descending attributes store the complement of each word, so that the tree only ever ascends.
  // (The order of a bytes column says itself that it descends.)
  uint64 Stored(uint64 ordinal) const { return descending && !is_bytes() ? ~ordinal : ordinal; }
  // The columns that it is made of, as bits.
  uint64 Columns() const {
    uint64 columns = UINT64CONST(1) << column;
    if (words > 1) columns |= columns << 1;
    if (residue >= 0) columns |= UINT64CONST(1) << residue;
    return columns;
  }
};

// Of a type that is passed by value: one word.
core::FloatOrdinal OrdinalOfDatum(ColumnType type, Datum datum);
Datum DatumOfOrdinal(ColumnType type, core::FloatOrdinal ordinal);

// Of any.  `room` holds what the Datum points to, if it does, and must live as long; of a bytes
// column, that and the value's bytes are palloc'd.  (A value to compare with may be longer
// than any that the index has: then its bytes are cut, if that makes no difference.)
Ordinal EncodeDatum(const Attribute& attribute, Datum datum);
Datum DecodeDatum(const Attribute& attribute, const Ordinal& ordinal, ReferenceRoom* room);

struct Layout {
  int attributes;      // of the index: keys, then INCLUDE attributes
  int key_attributes;  // of them
  tree::Shape shape;   // columns of the tree
  Attribute attribute[INDEX_MAX_KEYS];
  core::ByteOrder order[core::kMaxKeyColumns];  // of key columns; shape and attributes point here
  Oid index;

  Layout() = default;
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  // The first column of attribute `a`: the one that says whether it is NULL.
  int ColumnOf(int a) const { return attribute[a].column; }
  // The columns that attribute `a` is made of, as bits.
  uint64 ColumnsOf(int a) const { return attribute[a].Columns(); }
  ColumnType TypeOf(int a) const { return attribute[a].type; }
  // How many key columns the first n key attributes take.
  int KeyColumnsOf(int n) const { return n == 0 ? 0 : attribute[n - 1].column + attribute[n - 1].words; }
};

// Fills in the layout of an index.  ERRCODE_FEATURE_NOT_SUPPORTED if an attribute's type is
// not one that a page of this version can hold, or if there are too many.
void MakeLayout(Relation rel, Layout* layout);

// An index tuple's values as an entry; those of bytes columns are put in `memory`.
// ERRCODE_PROGRAM_LIMIT_EXCEEDED if they are too long.
void MakeEntry(const Layout& layout, const Datum* values, const bool* isnull, ItemPointer tid, core::KeyBytes* memory,
               tree::Entry* entry);

// The value of attribute `a` of entry i.  `room` as for DecodeDatum.
Datum AttributeOf(const Layout& layout, const core::Entries& entries, uint32 i, int a, bool* isnull,
                  ReferenceRoom* room);

}  // namespace omendb::am

#endif  // OMENDB_AM_LAYOUT_H
