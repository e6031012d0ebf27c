#include "am/layout.h"

extern "C" {
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
}

namespace omendb::am {

using core::FloatOrdinal;

namespace {

// False if pages of this version cannot hold keys of the type.
bool KeyTypeOf(Oid type, ColumnType* result) {
  switch (type) {
    case INT2OID:
      *result = ColumnType::kInt16;
      return true;
    case INT4OID:
    case DATEOID:
      *result = ColumnType::kInt32;
      return true;
    case INT8OID:
    case TIMEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
    case CASHOID:
      *result = ColumnType::kInt64;
      return true;
    case OIDOID:
      *result = ColumnType::kUint32;
      return true;
    case BOOLOID:
      *result = ColumnType::kBool;
      return true;
    case CHAROID:
      *result = ColumnType::kChar;
      return true;
    case FLOAT4OID:
      *result = ColumnType::kFloat32;
      return true;
    case FLOAT8OID:
      *result = ColumnType::kFloat64;
      return true;
    default:
      return false;
  }
}

// An INCLUDE column is stored in its own bytes; known types in the order that packs them best.
bool IncludedTypeOf(Form_pg_attribute attribute, ColumnType* result) {
  if (!attribute->attbyval) return false;
  if (KeyTypeOf(getBaseType(attribute->atttypid), result) && !IsFloat(*result)) return true;
  switch (attribute->attlen) {
    case 1:
      *result = ColumnType::kBytes1;
      return true;
    case 2:
      *result = ColumnType::kBytes2;
      return true;
    case 4:
      *result = ColumnType::kBytes4;
      return true;
    case 8:
      *result = ColumnType::kBytes8;
      return true;
    default:
      return false;
  }
}

}  // namespace

core::u128 OrdinalLimit(ColumnType type) {
  int bits = 64;
  switch (type) {
    case ColumnType::kBool:
      bits = 1;
      break;
    case ColumnType::kChar:
    case ColumnType::kBytes1:
      bits = 8;
      break;
    case ColumnType::kInt16:
    case ColumnType::kBytes2:
      bits = 16;
      break;
    case ColumnType::kInt32:
    case ColumnType::kUint32:
    case ColumnType::kFloat32:
    case ColumnType::kBytes4:
      bits = 32;
      break;
    default:
      break;
  }
  return static_cast<core::u128>(1) << bits;
}

uint64 SignBit(ColumnType type) {
  switch (type) {
    case ColumnType::kInt16:
      return core::kSign16;
    case ColumnType::kInt32:
      return core::kSign32;
    case ColumnType::kInt64:
      return core::kSign64;
    default:
      return 0;
  }
}

FloatOrdinal OrdinalOfDatum(ColumnType type, Datum datum) {
  switch (type) {
    case ColumnType::kInt16:
      return {core::OrdinalFromInt16(DatumGetInt16(datum)), 0};
    case ColumnType::kInt32:
      return {core::OrdinalFromInt32(DatumGetInt32(datum)), 0};
    case ColumnType::kInt64:
      return {core::OrdinalFromInt64(DatumGetInt64(datum)), 0};
    case ColumnType::kFloat32:
      return core::OrdinalFromFloat(DatumGetFloat4(datum));
    case ColumnType::kFloat64:
      return core::OrdinalFromDouble(DatumGetFloat8(datum));
    case ColumnType::kBool:
      return {DatumGetBool(datum) ? UINT64CONST(1) : 0, 0};
    case ColumnType::kChar:  // "char" compares as unsigned
    case ColumnType::kBytes1:
      return {DatumGetUInt8(datum), 0};
    case ColumnType::kBytes2:
      return {DatumGetUInt16(datum), 0};
    case ColumnType::kUint32:
    case ColumnType::kBytes4:
      return {DatumGetUInt32(datum), 0};
    case ColumnType::kBytes8:
      return {static_cast<uint64>(datum), 0};
  }
  pg_unreachable();
}

Datum DatumOfOrdinal(ColumnType type, FloatOrdinal value) {
  const uint64 ordinal = value.ordinal;
  switch (type) {
    case ColumnType::kInt16:
      return Int16GetDatum(core::Int16FromOrdinal(ordinal));
    case ColumnType::kInt32:
      return Int32GetDatum(core::Int32FromOrdinal(ordinal));
    case ColumnType::kInt64:
      return Int64GetDatum(core::Int64FromOrdinal(ordinal));
    case ColumnType::kFloat32:
      return Float4GetDatum(core::FloatFromOrdinal(value));
    case ColumnType::kFloat64:
      return Float8GetDatum(core::DoubleFromOrdinal(value));
    case ColumnType::kBool:
      return BoolGetDatum(ordinal != 0);
    case ColumnType::kChar:
      return CharGetDatum(static_cast<char>(ordinal));
    case ColumnType::kBytes1:
      return UInt8GetDatum(static_cast<uint8>(ordinal));
    case ColumnType::kBytes2:
      return UInt16GetDatum(static_cast<uint16>(ordinal));
    case ColumnType::kUint32:
    case ColumnType::kBytes4:
      return UInt32GetDatum(static_cast<uint32>(ordinal));
    case ColumnType::kBytes8:
      return static_cast<Datum>(ordinal);
  }
  pg_unreachable();
}

void MakeLayout(Relation rel, Layout* layout) {
  const TupleDesc desc = RelationGetDescr(rel);
  const int keys = IndexRelationGetNumberOfKeyAttributes(rel);
  layout->attributes = desc->natts;
  int next = keys;
  for (int k = 0; k < keys; k++) {
    KeyColumn& key = layout->key[k];
    if (!KeyTypeOf(rel->rd_opcintype[k], &key.type))
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("access method \"omendb\" does not support keys of type %s",
                             format_type_be(rel->rd_opcintype[k]))));
    key.descending = (rel->rd_indoption[k] & INDOPTION_DESC) != 0;
    key.nulls_first = (rel->rd_indoption[k] & INDOPTION_NULLS_FIRST) != 0;
    key.residue = IsFloat(key.type) ? next++ : -1;
    key.opfamily = rel->rd_opfamily[k];
    key.opcintype = rel->rd_opcintype[k];
  }
  for (int a = keys; a < desc->natts; a++) {
    const Form_pg_attribute attribute = TupleDescAttr(desc, a);
    if (!IncludedTypeOf(attribute, &layout->included_type[a - keys]))
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("access method \"omendb\" does not support included columns of type %s",
                             format_type_be(attribute->atttypid)),
                      errdetail("Included columns must have a fixed width of at most 8 bytes."),
                      errhint("Use a btree index for this set of columns.")));
    layout->included_column[a - keys] = next++;
  }
  layout->shape.key_columns = keys;
  layout->shape.value_columns = next;

  // A page must hold two entries that differ in every column and its NULLs, or it
  // could not be split.  (Residues are counted as constant; where a row's are not
  // and there is no room for them, inserting that row is an error.)
  const size_t attributes = static_cast<size_t>(desc->natts), row = core::kLanes * sizeof(uint64);
  const size_t headers = (static_cast<size_t>(next) + 1 + attributes) * sizeof(core::ColumnHeader);
  const size_t words = (2 * attributes + 1) * row;
  const size_t fences = 2 * core::FenceBytes(keys) + sizeof(core::NodeHeader);
  if (headers + words + fences > tree::MaxImageBytes(layout->shape, false))
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("index \"%s\" has too many columns for access method \"omendb\"",
                           RelationGetRelationName(rel)),
                    errdetail("A page could not hold two entries that differ in all of them.")));
}

void MakeEntry(const Layout& layout, const Datum* values, const bool* isnull, ItemPointer tid, tree::Entry* entry) {
  const int keys = layout.key_columns();
  entry->tid = static_cast<core::Tid>(ItemPointerGetBlockNumber(tid)) << core::kTidOffsetBits |
               ItemPointerGetOffsetNumber(tid);
  entry->child = InvalidBlockNumber;
  for (int k = 0; k < keys; k++) {
    const KeyColumn& key = layout.key[k];
    FloatOrdinal ordinal = {0, 0};
    if (isnull[k]) {
      entry->cls[k] = key.NullClass();
      entry->value[k] = 0;
    } else {
      ordinal = OrdinalOfDatum(key.type, values[k]);
      entry->cls[k] = core::kValue;
      entry->value[k] = key.Stored(ordinal.ordinal);
    }
    if (key.residue >= 0) {
      entry->cls[key.residue] = core::kValue;
      entry->value[key.residue] = ordinal.residue;
    }
  }
  for (int a = keys; a < layout.attributes; a++) {
    const int column = layout.included_column[a - keys];
    entry->cls[column] = isnull[a] ? core::kNullLast : core::kValue;
    entry->value[column] = isnull[a] ? 0 : OrdinalOfDatum(layout.included_type[a - keys], values[a]).ordinal;
  }
}

Datum AttributeOf(const Layout& layout, const core::Entries& entries, uint32 i, int a, bool* isnull) {
  const int keys = layout.key_columns();
  const int column = layout.ColumnOf(a);
  *isnull = entries.cls[column][i] != core::kValue;
  if (*isnull) return 0;
  if (a >= keys) return DatumOfOrdinal(layout.included_type[a - keys], {entries.value[column][i], 0});
  const KeyColumn& key = layout.key[a];
  return DatumOfOrdinal(key.type,
                        {key.Stored(entries.value[a][i]), key.residue >= 0 ? entries.value[key.residue][i] : 0});
}

}  // namespace omendb::am
