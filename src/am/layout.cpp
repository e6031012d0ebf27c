#include "am/layout.h"

extern "C" {
#include "access/genam.h"
#include "catalog/index.h"
#include "catalog/pg_type_d.h"
#include "storage/itemptr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
}

namespace omendb::am {

static_assert(sizeof(ItemPointerData) <= sizeof(ReferenceRoom) && sizeof(Interval) == sizeof(ReferenceRoom) &&
              sizeof(TimeTzADT) <= sizeof(ReferenceRoom));

using core::ByteView;
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
    // pg_lsn_cmp compares XLogRecPtr, and xid8cmp the numbers in FullTransactionId: both are
    // unsigned integers of 64 bits.
    case LSNOID:
    case XID8OID:
      *result = ColumnType::kUint64;
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
    case MACADDROID:
      *result = ColumnType::kMacaddr;
      return true;
    case MACADDR8OID:
      *result = ColumnType::kMacaddr8;
      return true;
    case TIDOID:
      *result = ColumnType::kTid;
      return true;
    case UUIDOID:
      *result = ColumnType::kUuid;
      return true;
    case TIMETZOID:
      *result = ColumnType::kTimetz;
      return true;
    case INTERVALOID:
      *result = ColumnType::kInterval;
      return true;
    default:
      return false;
  }
}

// An INCLUDE attribute is stored in its own bytes; known types in the order that packs them best.
bool IncludedTypeOf(Form_pg_attribute attribute, ColumnType* result) {
  if (KeyTypeOf(getBaseType(attribute->atttypid), result) && !HasResidue(*result)) return true;
  if (!attribute->attbyval) {
    const bool is_short = attribute->attlen >= 1 && attribute->attlen <= static_cast<int16>(sizeof(ReferenceRoom));
    *result = is_short ? ColumnType::kReference : ColumnType::kBytes;
    return attribute->attlen >= -1;
  }
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

uint8 WordsOf(ColumnType type, int16 length) {
  switch (type) {
    case ColumnType::kUuid:
    case ColumnType::kTimetz:
    case ColumnType::kInterval:
      return 2;
    case ColumnType::kReference:
      return length > static_cast<int16>(sizeof(uint64)) ? 2 : 1;
    default:
      return 1;
  }
}

// Every standard uuid's second half begins with the bits 10; most times are of one zone, on
// this side of UTC or the other.
uint64 NullWordOf(ColumnType type) {
  switch (type) {
    case ColumnType::kUuid:
      return core::kSign64;
    case ColumnType::kTimetz:
      return core::OrdinalFromInt32(0);
    default:
      return 0;
  }
}

// Of an operator class that compares bytes whatever the collation.
bool IsPatternOrder(Oid compare) { return compare == F_BTTEXT_PATTERN_CMP || compare == F_BTBPCHAR_PATTERN_CMP; }

[[noreturn]] void ReportTooManyColumns(Relation rel, const char* detail) {
  ereport(ERROR,
          (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
           errmsg("index \"%s\" has too many columns for access method \"omendb\"", RelationGetRelationName(rel)),
           errdetail_internal("%s", detail), errhint("Use fewer columns, or a btree index for this set of columns.")));
  pg_unreachable();
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
    case ColumnType::kUint64:
    case ColumnType::kBytes8:
      return {static_cast<uint64>(datum), 0};
    default:
      pg_unreachable();
  }
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
    case ColumnType::kUint64:
    case ColumnType::kBytes8:
      return static_cast<Datum>(ordinal);
    default:
      pg_unreachable();
  }
}

namespace {

// What a value that queries compare with takes at most, so that nothing that is stored can be
// equal to it.
constexpr uint32 kLongestCompared = core::kMaxEntryBytes + 64;

// The bytes of a value, palloc'd, as a bytes column's word.
uint64 WordOfDatum(const Attribute& attribute, Datum datum) {
  ByteView bytes = BytesOfDatum(attribute.byte_type, datum, attribute.length);
  uint32 size = bytes.size;
  if (unlikely(size > kLongestCompared)) {
    if (attribute.order != nullptr && attribute.order->bytewise())
      size = kLongestCompared;
    else if (size > PG_UINT16_MAX)
      ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                      errmsg("value of %u bytes is too long to be compared with keys of an omendb index", size),
                      errdetail("At most %u bytes can be compared by a collation other than \"C\".", PG_UINT16_MAX)));
  }
  uint8* word = static_cast<uint8*>(palloc(core::kValueSizeBytes + size));
  core::StoreBytes({bytes.data, size}, word);
  return core::WordOf(word);
}

[[noreturn]] void ReportTooLong(const Layout& layout, ItemPointer tid, size_t bytes) {
  const Oid table = IndexGetRelation(layout.index, true);
  ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                  errmsg("index row size %zu exceeds omendb maximum %zu for index \"%s\"", bytes, core::kMaxEntryBytes,
                         get_rel_name(layout.index)),
                  errdetail("Index row references tuple (%u,%u) in relation \"%s\".", ItemPointerGetBlockNumber(tid),
                            ItemPointerGetOffsetNumber(tid), get_rel_name(table)),
                  errhint("Values larger than a fifth of a page cannot be indexed.\n"
                          "Consider a function index of an MD5 hash of the value, or use full text indexing.")));
  pg_unreachable();
}

}  // namespace

Ordinal EncodeDatum(const Attribute& attribute, Datum datum) {
  if (attribute.is_bytes()) return {{WordOfDatum(attribute, datum), 0}, 0};
  if (likely(!IsByReference(attribute.type))) {
    const FloatOrdinal ordinal = OrdinalOfDatum(attribute.type, datum);
    return {{ordinal.ordinal, 0}, ordinal.residue};
  }
  const unsigned char* bytes = reinterpret_cast<const unsigned char*>(DatumGetPointer(datum));
  switch (attribute.type) {
    // macaddr_cmp_internal compares the first three bytes as a number, the highest digit first,
    // and then the other three; macaddr8_cmp_internal does so with four and four.  (Its numbers
    // are ints made unsigned longs, so those from 2^31 on come to be above 2^63, which is where
    // they belong: above the others, in their order.)  Both are the order of all bytes.
    case ColumnType::kMacaddr:
      return {{core::OrdinalFromBytes<6>(bytes), 0}, 0};
    case ColumnType::kMacaddr8:
      return {{core::OrdinalFromBytes<8>(bytes), 0}, 0};
    // ItemPointerCompare compares block numbers and then offsets, both unsigned.
    case ColumnType::kTid: {
      const ItemPointer tid = reinterpret_cast<ItemPointer>(DatumGetPointer(datum));
      return {
          {static_cast<uint64>(ItemPointerGetBlockNumberNoCheck(tid)) << 16 | ItemPointerGetOffsetNumberNoCheck(tid),
           0},
          0};
    }
    case ColumnType::kUuid:
      return core::OrdinalFromUuid(bytes);
    case ColumnType::kTimetz: {
      const TimeTzADT* value = DatumGetTimeTzADTP(datum);
      return core::OrdinalFromTimetz(value->time, value->zone);
    }
    case ColumnType::kInterval: {
      const Interval* value = DatumGetIntervalP(datum);
      return core::OrdinalFromInterval(value->time, value->day, value->month);
    }
    case ColumnType::kReference: {
      Ordinal ordinal = {{0, 0}, 0};
      memcpy(ordinal.word, bytes, static_cast<size_t>(attribute.length));
      return ordinal;
    }
    default:
      pg_unreachable();
  }
}

Datum DecodeDatum(const Attribute& attribute, const Ordinal& ordinal, ReferenceRoom* room) {
  if (attribute.is_bytes()) return DatumOfBytes(attribute.byte_type, core::ViewOf(ordinal.word[0]), attribute.length);
  if (likely(!IsByReference(attribute.type))) return DatumOfOrdinal(attribute.type, {ordinal.word[0], ordinal.residue});
  unsigned char* bytes = reinterpret_cast<unsigned char*>(room->bytes);
  switch (attribute.type) {
    case ColumnType::kMacaddr:
      core::BytesFromOrdinal<6>(ordinal.word[0], bytes);
      break;
    case ColumnType::kMacaddr8:
      core::BytesFromOrdinal<8>(ordinal.word[0], bytes);
      break;
    case ColumnType::kTid:
      ItemPointerSet(reinterpret_cast<ItemPointer>(bytes), static_cast<BlockNumber>(ordinal.word[0] >> 16),
                     static_cast<OffsetNumber>(ordinal.word[0] & 0xFFFF));
      break;
    case ColumnType::kUuid:
      core::UuidFromOrdinal(ordinal, bytes);
      break;
    case ColumnType::kTimetz: {
      TimeTzADT* value = reinterpret_cast<TimeTzADT*>(bytes);
      core::TimetzFromOrdinal(ordinal, &value->time, &value->zone);
      break;
    }
    case ColumnType::kInterval: {
      Interval* value = reinterpret_cast<Interval*>(bytes);
      core::IntervalFromOrdinal(ordinal, &value->time, &value->day, &value->month);
      break;
    }
    case ColumnType::kReference:
      memcpy(bytes, ordinal.word, static_cast<size_t>(attribute.length));
      break;
    default:
      pg_unreachable();
  }
  return PointerGetDatum(bytes);
}

void MakeLayout(Relation rel, Layout* layout) {
  const TupleDesc desc = RelationGetDescr(rel);
  const int keys = IndexRelationGetNumberOfKeyAttributes(rel);
  layout->attributes = desc->natts;
  layout->key_attributes = keys;
  layout->shape = tree::Shape{0, 0, 0, layout->order};
  layout->index = RelationGetRelid(rel);
  int next = 0, residues = 0;
  const auto place = [&](Attribute* attribute, int a) {
    attribute->length = TupleDescAttr(desc, a)->attlen;
    attribute->words = WordsOf(attribute->type, attribute->length);
    attribute->column = next;
    attribute->residue = -1;
    attribute->order = nullptr;
    if (attribute->is_bytes()) layout->shape.bytes_columns |= UINT64CONST(1) << Min(next, core::kMaxValueColumns - 1);
    attribute->null_word = attribute->words > 1 ? attribute->Stored(NullWordOf(attribute->type)) : 0;
    next += attribute->words;
  };
  for (int a = 0; a < keys; a++) {
    Attribute& key = layout->attribute[a];
    if (ByteTypeOfKey(rel->rd_opcintype[a], &key.byte_type))
      key.type = ColumnType::kBytes;
    else if (!KeyTypeOf(rel->rd_opcintype[a], &key.type))
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("access method \"omendb\" does not support keys of type %s",
                             format_type_be(rel->rd_opcintype[a]))));
    key.descending = (rel->rd_indoption[a] & INDOPTION_DESC) != 0;
    key.nulls_first = (rel->rd_indoption[a] & INDOPTION_NULLS_FIRST) != 0;
    key.opfamily = rel->rd_opfamily[a];
    key.opcintype = rel->rd_opcintype[a];
    place(&key, a);
    if (!key.is_bytes() || key.column >= core::kMaxKeyColumns) continue;
    const bool pattern = IsPatternOrder(index_getprocid(rel, static_cast<AttrNumber>(a + 1), 1));
    layout->order[key.column] =
        ByteOrderOf(key.byte_type, TupleDescAttr(desc, a)->atttypid, rel->rd_indcollation[a], pattern, key.descending);
    key.order = &layout->order[key.column];
  }
  layout->shape.key_columns = next;
  for (int a = 0; a < keys; a++) {
    if (!HasResidue(layout->attribute[a].type)) continue;
    layout->attribute[a].residue = next++;
    residues++;
  }
  for (int a = keys; a < desc->natts; a++) {
    Attribute& included = layout->attribute[a];
    const Form_pg_attribute column = TupleDescAttr(desc, a);
    if (!IncludedTypeOf(column, &included.type))
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("access method \"omendb\" does not support included columns of type %s",
                             format_type_be(column->atttypid)),
                      errhint("Use a btree index for this set of columns.")));
    if (included.type == ColumnType::kBytes)
      ByteTypeOfIncluded(getBaseType(column->atttypid), column->attlen, &included.byte_type);
    included.descending = included.nulls_first = false;
    included.opfamily = included.opcintype = InvalidOid;
    place(&included, a);
  }
  layout->shape.value_columns = next;
  if (layout->shape.key_columns > core::kMaxKeyColumns)
    ReportTooManyColumns(rel, psprintf("Its keys take %d words of 64 bits; at most %d are possible. "
                                       "A uuid, interval or time with time zone takes two.",
                                       layout->shape.key_columns, core::kMaxKeyColumns));
  if (next > core::kMaxValueColumns)
    ReportTooManyColumns(
        rel, psprintf("It takes %d words of 64 bits; at most %d are possible.", next, core::kMaxValueColumns));

  // A page must hold two entries that differ in every column and its NULLs, or it
  // could not be split.  (Residues are counted as constant; where a row's are not
  // and there is no room for them, inserting that row is an error.)
  const size_t attributes = static_cast<size_t>(desc->natts), row = core::kLanes * sizeof(uint64);
  const size_t columns = static_cast<size_t>(next);
  const size_t headers = (columns + 1 + attributes) * sizeof(core::ColumnHeader);
  const size_t words = (columns - static_cast<size_t>(residues) + attributes + 1) * row;
  const size_t fences = 2 * core::FenceBytes(layout->shape.key_columns) + sizeof(core::NodeHeader);
  if (headers + words + fences > tree::MaxImageBytes(layout->shape, false))
    ReportTooManyColumns(rel, "A page could not hold two entries that differ in all of them.");
}

void MakeEntry(const Layout& layout, const Datum* values, const bool* isnull, ItemPointer tid, core::KeyBytes* memory,
               tree::Entry* entry) {
  size_t used = 0;
  entry->tid =
      static_cast<core::Tid>(ItemPointerGetBlockNumber(tid)) << core::kTidOffsetBits | ItemPointerGetOffsetNumber(tid);
  entry->child = InvalidBlockNumber;
  for (int a = 0; a < layout.attributes; a++) {
    const Attribute& attribute = layout.attribute[a];
    const int column = attribute.column;
    Ordinal ordinal = {{0, 0}, 0};
    if (isnull[a]) {
      entry->cls[column] = attribute.NullClass();
      entry->value[column] = 0;
    } else if (attribute.is_bytes()) {
      const ByteView bytes = BytesOfDatum(attribute.byte_type, values[a], attribute.length);
      const size_t size = core::kValueSizeBytes + bytes.size;
      if (unlikely(size > core::kMaxEntryBytes - used)) ReportTooLong(layout, tid, used + size);
      entry->cls[column] = core::kValue;
      entry->value[column] = core::WordOf(memory->bytes + used);
      core::StoreBytes(bytes, memory->bytes + used);
      used += size;
    } else {
      ordinal = EncodeDatum(attribute, values[a]);
      entry->cls[column] = core::kValue;
      entry->value[column] = attribute.Stored(ordinal.word[0]);
    }
    if (attribute.words > 1) {
      entry->cls[column + 1] = core::kValue;
      entry->value[column + 1] = isnull[a] ? attribute.null_word : attribute.Stored(ordinal.word[1]);
    }
    if (attribute.residue >= 0) {
      entry->cls[attribute.residue] = core::kValue;
      entry->value[attribute.residue] = ordinal.residue;
    }
  }
}

Datum AttributeOf(const Layout& layout, const core::Entries& entries, uint32 i, int a, bool* isnull,
                  ReferenceRoom* room) {
  const Attribute& attribute = layout.attribute[a];
  const int column = attribute.column;
  *isnull = entries.cls[column][i] != core::kValue;
  if (*isnull) return 0;
  Ordinal ordinal;
  ordinal.word[0] = attribute.Stored(entries.value[column][i]);
  ordinal.word[1] = attribute.words > 1 ? attribute.Stored(entries.value[column + 1][i]) : 0;
  ordinal.residue = attribute.residue >= 0 ? entries.value[attribute.residue][i] : 0;
  return DecodeDatum(attribute, ordinal, room);
}

}  // namespace omendb::am
