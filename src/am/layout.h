// How an index's SQL columns lie in value columns: which type each has, in which
// direction it sorts, and how a Datum becomes an ordinal and back.
#ifndef OMENDB_AM_LAYOUT_H
#define OMENDB_AM_LAYOUT_H

#include "core/key.h"
#include "core/ordinal.h"
#include "tree/page.h"

extern "C" {
#include "utils/rel.h"
}

namespace omendb::am {

// Fixed-width types as the index stores them.  kBytes*: an INCLUDE column of a
// type that the index need not order.
enum class ColumnType : uint8 {
  kInt16,
  kInt32,
  kInt64,
  kUint32,
  kBool,
  kChar,
  kFloat32,
  kFloat64,
  kBytes1,
  kBytes2,
  kBytes4,
  kBytes8,
};

// Ordinals of a type lie in [0, OrdinalLimit).
core::u128 OrdinalLimit(ColumnType type);

// The bit in which a signed integer's ordinal differs from its bytes.
uint64 SignBit(ColumnType type);

inline bool IsFloat(ColumnType type) { return type == ColumnType::kFloat32 || type == ColumnType::kFloat64; }

// The ordinal of a key value, in ascending order, and what it does not say.
core::FloatOrdinal OrdinalOfDatum(ColumnType type, Datum datum);
Datum DatumOfOrdinal(ColumnType type, core::FloatOrdinal ordinal);

struct KeyColumn {
  ColumnType type;
  bool descending;
  bool nulls_first;
  int residue;  // value column of the residues of a float; -1 otherwise
  Oid opfamily;
  Oid opcintype;

  uint8 NullClass() const { return nulls_first ? core::kNullFirst : core::kNullLast; }
  // Descending columns store the complement, so that the tree only ever ascends.
  uint64 Stored(uint64 ordinal) const { return descending ? ~ordinal : ordinal; }
};

struct Layout {
  int attributes;  // of the index: keys, then INCLUDE columns
  tree::Shape shape;
  KeyColumn key[core::kMaxKeyColumns];
  // Per INCLUDE column (attribute - key_columns): type and value column.
  ColumnType included_type[core::kMaxKeyColumns];
  int included_column[core::kMaxKeyColumns];

  int key_columns() const { return shape.key_columns; }
  // Of attribute `a` of the index.
  int ColumnOf(int a) const { return a < key_columns() ? a : included_column[a - key_columns()]; }
  // The value columns that attribute `a` is made of, as bits.
  uint64 ColumnsOf(int a) const {
    uint64 columns = UINT64CONST(1) << ColumnOf(a);
    if (a < key_columns() && key[a].residue >= 0) columns |= UINT64CONST(1) << key[a].residue;
    return columns;
  }
  ColumnType TypeOf(int a) const { return a < key_columns() ? key[a].type : included_type[a - key_columns()]; }
};

// Fills in the layout of an index.  ERRCODE_FEATURE_NOT_SUPPORTED if a column's
// type is not one that a page of this version can hold.
void MakeLayout(Relation rel, Layout* layout);

// An index tuple's values as an entry.
void MakeEntry(const Layout& layout, const Datum* values, const bool* isnull, ItemPointer tid, tree::Entry* entry);

// The value of attribute `a` of entry i.
Datum AttributeOf(const Layout& layout, const core::Entries& entries, uint32 i, int a, bool* isnull);

}  // namespace omendb::am

#endif  // OMENDB_AM_LAYOUT_H
