#include <algorithm>

#include "am/quals.h"

#include "am/local_time.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_type_d.h"
#include "datatype/timestamp.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}

namespace omendb::am {

using core::Bound;
using core::Direction;
using core::FloatOrdinal;
using core::u128;

namespace {

constexpr StrategyNumber kOrderProc = 1;

bool IsTextOrName(Oid type) { return type == TEXTOID || type == NAMEOID; }

bool IsIntegerType(Oid type) { return type == INT2OID || type == INT4OID || type == INT8OID; }

bool IntegerOf(Oid type, Datum value, int64* result) {
  switch (type) {
    case INT2OID:
      *result = DatumGetInt16(value);
      return true;
    case INT4OID:
      *result = DatumGetInt32(value);
      return true;
    case INT8OID:
      *result = DatumGetInt64(value);
      return true;
    default:
      return false;
  }
}

int64 IntegerFromOrdinal(ColumnType type, uint64 ordinal) {
  switch (type) {
    case ColumnType::kInt16:
      return core::Int16FromOrdinal(ordinal);
    case ColumnType::kInt32:
      return core::Int32FromOrdinal(ordinal);
    default:
      return core::Int64FromOrdinal(ordinal);
  }
}

// Ordinals that values of a type have: one run [first, last] of ordinary values,
// and for dates and timestamps the two infinities outside it.
struct Domain {
  uint64 first, last;
  bool infinities;
  uint64 minus_infinity, plus_infinity;
};

Domain DomainOf(Oid type) {
  switch (type) {
    case DATEOID:
      return {core::OrdinalFromInt32(DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE),
              core::OrdinalFromInt32(DATE_END_JULIAN - POSTGRES_EPOCH_JDATE - 1), true,
              core::OrdinalFromInt32(DATEVAL_NOBEGIN), core::OrdinalFromInt32(DATEVAL_NOEND)};
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      return {core::OrdinalFromInt64(MIN_TIMESTAMP), core::OrdinalFromInt64(END_TIMESTAMP - 1), true,
              core::OrdinalFromInt64(DT_NOBEGIN), core::OrdinalFromInt64(DT_NOEND)};
    case FLOAT4OID:
      return {core::OrdinalFromFloat(-get_float4_infinity()).ordinal, core::OrdinalFromFloat(get_float4_nan()).ordinal,
              false, 0, 0};
    default:
      elog(ERROR, "omendb: no cross-type comparison for type %u", type);
  }
  pg_unreachable();
}

// ---- Edges ----

// Below and above all values that are not NULL, whichever NULLs there are.
constexpr Edge kBeforeAll = {{{0, 0}}, core::kNullFirst, Bound::kAfter};
constexpr Edge kAfterAll = {{{0, 0}}, core::kNullLast, Bound::kBefore};

Edge Before(const Value& value) { return {value, core::kValue, Bound::kBefore}; }
Edge After(const Value& value) { return {value, core::kValue, Bound::kAfter}; }
// Of a type of one word.
Edge Before(uint64 ordinal) { return Before(Value{{ordinal, 0}}); }
Edge After(uint64 ordinal) { return After(Value{{ordinal, 0}}); }

Interval PointAt(const Value& value) { return {Before(value), After(value)}; }

Value StoredValue(const Attribute& attribute, Datum datum) {
  if (likely(!IsByReference(attribute.type) && !attribute.is_bytes()))
    return {{attribute.Stored(OrdinalOfDatum(attribute.type, datum).ordinal), 0}};
  const Ordinal ordinal = EncodeDatum(attribute, datum);
  return {{attribute.Stored(ordinal.word[0]), attribute.words > 1 ? attribute.Stored(ordinal.word[1]) : 0}};
}

// An edge among ascending values as it is stored by an attribute that descends: on the other
// side of the value's complement.
Edge Mirrored(const Attribute& attribute, const Edge& edge) {
  if (edge.cls != core::kValue) return edge.cls == core::kNullFirst ? kAfterAll : kBeforeAll;
  return {{{~edge.value.word[0], attribute.words > 1 ? ~edge.value.word[1] : 0}},
          core::kValue,
          edge.tail == Bound::kBefore ? Bound::kAfter : Bound::kBefore};
}

bool IsPoint(const Attribute& attribute, const Interval& interval) {
  return interval.low.cls == interval.high.cls && interval.low.tail == Bound::kBefore &&
         interval.high.tail == Bound::kAfter &&
         (interval.low.cls != core::kValue || CompareValues(attribute, interval.low.value, interval.high.value) == 0);
}

// A timestamp column compared with an instant: piece by piece of the time zone, the
// instant's own local time.
int LocalTimeCuts(TimestampTz instant, Cut* cuts) {
  LocalTimePiece pieces[kMaxLocalTimePieces];
  const int count = LocalTimePiecesAround(instant, pieces);
  for (int i = 0; i < count; i++) {
    cuts[i].begin = Before(core::OrdinalFromInt64(pieces[i].begin));
    cuts[i].end = i + 1 < count ? Before(core::OrdinalFromInt64(pieces[i + 1].begin)) : kAfterAll;
    cuts[i].low = Before(core::OrdinalFromInt64(instant + pieces[i].offset));
    cuts[i].high = After(core::OrdinalFromInt64(instant + pieces[i].offset));
  }
  return count;
}

// The union of intervals: sorted, without overlaps.  Returns how many are left.
int Unite(const Attribute& attribute, Interval* intervals, int count) {
  std::sort(intervals, intervals + count,
            [&](const Interval& a, const Interval& b) { return CompareEdges(attribute, a.low, b.low) < 0; });
  int kept = 0;
  for (int i = 0; i < count; i++) {
    const Interval next = intervals[i];
    if (kept > 0 && CompareEdges(attribute, next.low, intervals[kept - 1].high) <= 0) {
      if (CompareEdges(attribute, next.high, intervals[kept - 1].high) > 0) intervals[kept - 1].high = next.high;
    } else {
      intervals[kept++] = next;
    }
  }
  return kept;
}

// Where a value cuts those of an attribute, if that takes no function: a value of the same
// type, an integer of another width, or a float4 among float8.
bool CutOf(const Attribute& attribute, Oid subtype, Datum datum, Cut* cut) {
  int64 integer;
  if (unlikely(IsTextOrName(subtype) && IsTextOrName(attribute.opcintype) && subtype != attribute.opcintype)) {
    Attribute other = attribute;
    other.byte_type = subtype == TEXTOID ? ByteType::kText : ByteType::kName;
    const Value value = {{EncodeDatum(other, datum).word[0], 0}};
    cut->low = Before(value);
    cut->high = After(value);
  } else if (subtype == InvalidOid || subtype == attribute.opcintype) {
    const Ordinal ordinal = EncodeDatum(attribute, datum);
    const Value value = {{ordinal.word[0], ordinal.word[1]}};
    cut->low = Before(value);
    cut->high = After(value);
  } else if (IsIntegerType(attribute.opcintype) && IntegerOf(subtype, datum, &integer)) {
    // (Other types have integers inside, too: only their own functions know what a comparison of them means.)
    const int64 least = IntegerFromOrdinal(attribute.type, 0);
    if (integer < least) {
      cut->low = cut->high = kBeforeAll;
    } else if (integer > IntegerFromOrdinal(attribute.type, static_cast<uint64>(OrdinalLimit(attribute.type) - 1))) {
      cut->low = cut->high = kAfterAll;
    } else {
      // In range: the same integer, by the attribute's own order.
      const uint64 ordinal = static_cast<uint64>(integer) - static_cast<uint64>(least);
      cut->low = Before(ordinal);
      cut->high = After(ordinal);
    }
  } else if (attribute.type == ColumnType::kFloat64 && subtype == FLOAT4OID) {
    const uint64 ordinal = core::OrdinalFromDouble(static_cast<double>(DatumGetFloat4(datum))).ordinal;
    cut->low = Before(ordinal);
    cut->high = After(ordinal);
  } else {
    return false;
  }
  return true;
}

// Moves a bound beside a value to where a comparison of rows begins or ends there.
void Extend(const RowEdge& edge, Bound* bound) {
  for (int c = 0; c < edge.columns; c++) {
    bound->key.cls[bound->columns] = core::kValue;
    bound->key.ordinal[bound->columns++] = edge.rest[c];
  }
  bound->tail = edge.tail;
}

// What is asked of values in ascending order, of values that descend.
StrategyNumber CommutedStrategy(StrategyNumber strategy) {
  return static_cast<StrategyNumber>(BTMaxStrategyNumber + 1 - strategy);
}

// The most intervals that one comparison allows.
constexpr int kMaxCuts = kMaxLocalTimePieces;

}  // namespace

int CompareEdges(const Attribute& attribute, const Edge& a, const Edge& b) {
  if (a.cls != b.cls) return a.cls < b.cls ? -1 : 1;
  if (a.cls == core::kValue)
    if (const int order = CompareValues(attribute, a.value, b.value)) return order;
  return a.tail == b.tail ? 0 : a.tail == Bound::kBefore ? -1 : 1;
}

void Quals::Init(const Layout& layout, MemoryContext context) {
  layout_ = &layout;
  context_ = context;
  values_ = nullptr;
  if ((layout.shape.bytes_columns & layout.shape.KeyBits()) != 0)
    values_ = AllocSetContextCreate(context, "omendb values compared with", ALLOCSET_SMALL_SIZES);
  empty_ = false;
  prefix_ = 0;
  filters_ = filter_columns_ = 0;
  begin_row_.columns = end_row_.columns = 0;
  scratch_ = nullptr;
  scratch_capacity_ = 0;
  for (int a = 0; a < layout.key_attributes; a++) {
    set_[a] = AttributeSet{};
    comparison_[a] = nullptr;
    position_[a] = 0;
  }
}

void Quals::Free() {
  for (int a = 0; a < layout_->key_attributes; a++) {
    if (set_[a].interval != nullptr) pfree(set_[a].interval);
    if (comparison_[a] != nullptr) pfree(comparison_[a]);
  }
  if (scratch_ != nullptr) pfree(scratch_);
  if (values_ != nullptr) MemoryContextDelete(values_);
}

void Quals::Set(const ScanKeyData* keys, int count) {
  empty_ = false;
  begin_row_.columns = end_row_.columns = 0;
  if (values_ != nullptr) MemoryContextReset(values_);
  for (int a = 0; a < layout_->key_attributes; a++) {
    set_[a].constrained = false;
    set_[a].count = 0;
  }
  if (values_ == nullptr) {
    for (int k = 0; k < count && !empty_; k++) AddKey(keys[k]);
  } else {
    const MemoryContext old_context = MemoryContextSwitchTo(values_);
    for (int k = 0; k < count && !empty_; k++) AddKey(keys[k]);
    MemoryContextSwitchTo(old_context);
  }
  prefix_ = 0;
  filters_ = filter_columns_ = 0;
  if (empty_) return;
  bool leading = true;
  for (int a = 0; a < layout_->key_attributes; a++) {
    AttributeSet& set = set_[a];
    if (!set.constrained) {
      leading = false;
      continue;
    }
    set.all_points = true;
    for (int i = 0; i < set.count && set.all_points; i++)
      set.all_points = IsPoint(layout_->attribute[a], set.interval[i]);
    if (leading) {
      prefix_ = a + 1;
    } else {
      const Attribute& attribute = layout_->attribute[a];
      filters_ |= UINT64CONST(1) << a;
      filter_columns_ |= attribute.Columns();
      if (attribute.residue >= 0) filter_columns_ &= ~(UINT64CONST(1) << attribute.residue);
    }
    leading = leading && set.all_points;
  }
  if (prefix_ > 0 && set_[prefix_ - 1].count > 1) JoinNeighbours(prefix_ - 1);
}

// Behind the last attribute that spans ranges nothing is asked in order, so what has no value
// in between is read as one range.
void Quals::JoinNeighbours(int a) {
  if (layout_->attribute[a].words > 1 || layout_->attribute[a].is_bytes()) return;
  AttributeSet& set = set_[a];
  int kept = 1;
  for (int i = 1; i < set.count; i++) {
    const Edge& end = set.interval[kept - 1].high;
    const Edge& begin = set.interval[i].low;
    if (end.cls == core::kValue && begin.cls == core::kValue && end.tail == Bound::kAfter &&
        begin.tail == Bound::kBefore && begin.value.word[0] - end.value.word[0] == 1)
      set.interval[kept - 1].high = set.interval[i].high;
    else
      set.interval[kept++] = set.interval[i];
  }
  set.count = kept;
}

void Quals::AddKey(const ScanKeyData& key) {
  const int a = key.sk_attno - 1;
  const Attribute& attribute = layout_->attribute[a];
  Interval interval;
  Interval intervals[kMaxCuts];
  if (unlikely((key.sk_flags & SK_ROW_HEADER) != 0)) return AddRow(key);
  if ((key.sk_flags & SK_SEARCHNULL) != 0) {
    const uint8 cls = attribute.NullClass();
    interval = {{{{0, 0}}, cls, Bound::kBefore}, {{{0, 0}}, cls, Bound::kAfter}};
    return Intersect(a, &interval, 1);
  }
  if ((key.sk_flags & SK_SEARCHNOTNULL) != 0) {
    interval = {kBeforeAll, kAfterAll};
    return Intersect(a, &interval, 1);
  }
  // The operators are strict: a comparison with NULL is never true.
  if ((key.sk_flags & SK_ISNULL) != 0) return Intersect(a, nullptr, 0);
  if ((key.sk_flags & SK_SEARCHARRAY) != 0) return AddArray(a, key);
  // The usual condition needs no cuts, and is the only one.
  if (key.sk_strategy == BTEqualStrategyNumber &&
      (key.sk_subtype == attribute.opcintype || key.sk_subtype == InvalidOid)) {
    AttributeSet& set = set_[a];
    const Value value = StoredValue(attribute, key.sk_argument);
    if (likely(!set.constrained && set.capacity > 0)) {
      set.interval[0] = PointAt(value);
      set.count = 1;
      set.constrained = true;
      return;
    }
    interval = PointAt(value);
    return Intersect(a, &interval, 1);
  }
  const int count = IntervalsOf(a, key.sk_strategy, key.sk_subtype, key.sk_argument, intervals);
  Intersect(a, intervals, count <= 1 ? count : Unite(attribute, intervals, count));
}

void Quals::AddArray(int a, const ScanKeyData& key) {
  const Attribute& attribute = layout_->attribute[a];
  const MemoryContext old_context = MemoryContextSwitchTo(values_ != nullptr ? values_ : context_);
  ArrayType* array = DatumGetArrayTypeP(key.sk_argument);
  int16 length;
  bool by_value;
  char align;
  Datum* elements;
  bool* nulls;
  int count;
  get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
  deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &elements, &nulls, &count);
  int found = 0;
  if (key.sk_strategy == BTEqualStrategyNumber && HasEqualPoint(attribute.opcintype, key.sk_subtype)) {
    // The usual condition: values alone are less to sort.
    Value* values =
        static_cast<Value*>(MemoryContextAllocHuge(context_, static_cast<Size>(Max(count, 1)) * sizeof *values));
    for (int i = 0; i < count; i++)
      if (!nulls[i] && EqualPoint(attribute, key.sk_subtype, elements[i], &values[found])) found++;
    if (attribute.words == 1 && !attribute.is_bytes())
      std::sort(values, values + found, [](const Value& x, const Value& y) { return x.word[0] < y.word[0]; });
    else
      std::sort(values, values + found,
                [&](const Value& x, const Value& y) { return CompareValues(attribute, x, y) < 0; });
    ReserveScratch(0, found);
    int different = 0;
    for (int i = 0; i < found; i++)
      if (i == 0 || CompareValues(attribute, values[i - 1], values[i]) != 0) scratch_[different++] = PointAt(values[i]);
    found = different;
    pfree(values);
  } else {
    for (int i = 0; i < count; i++) {
      if (nulls[i]) continue;
      ReserveScratch(found, count - i);
      found += IntervalsOf(a, key.sk_strategy, key.sk_subtype, elements[i], &scratch_[found]);
    }
    found = Unite(attribute, scratch_, found);
  }
  pfree(elements);
  pfree(nulls);
  if (array != reinterpret_cast<ArrayType*>(DatumGetPointer(key.sk_argument))) pfree(array);
  MemoryContextSwitchTo(old_context);

  Intersect(a, scratch_, found);
}

// A comparison of rows: what its first member says of an attribute, less strictly, and where in
// the order of the index the entries begin, or end, whose attribute is equal to the member.
void Quals::AddRow(const ScanKeyData& key) {
  const auto* member = reinterpret_cast<const ScanKeyData*>(DatumGetPointer(key.sk_argument));
  const int a = member->sk_attno - 1;
  const Attribute& attribute = layout_->attribute[a];
  if ((member->sk_flags & SK_ISNULL) != 0) return Intersect(a, nullptr, 0);
  const bool greater = key.sk_strategy == BTGreaterStrategyNumber || key.sk_strategy == BTGreaterEqualStrategyNumber;
  const bool strict = key.sk_strategy == BTGreaterStrategyNumber || key.sk_strategy == BTLessStrategyNumber;
  Interval intervals[kMaxCuts];
  const int count = IntervalsOf(a, greater ? BTGreaterEqualStrategyNumber : BTLessEqualStrategyNumber,
                                member->sk_subtype, member->sk_argument, intervals);
  Intersect(a, intervals, count <= 1 ? count : Unite(attribute, intervals, count));
  const bool begins = greater != attribute.descending;
  RowEdge* edge = begins ? &begin_row_ : &end_row_;
  Interval points[kMaxCuts];
  // One comparison of each kind is enough, and it needs entries that are equal.
  if (edge->columns > 0 || count != 1 ||
      IntervalsOf(a, BTEqualStrategyNumber, member->sk_subtype, member->sk_argument, points) != 1 ||
      !IsPoint(attribute, points[0]))
    return;
  edge->first = a;
  edge->leading = begins ? points[0].low : points[0].high;
  bool whole = true;
  while (whole && (member->sk_flags & SK_ROW_END) == 0) {
    member++;
    whole = layout_->attribute[member->sk_attno - 1].descending == attribute.descending && AddRowMember(*member, edge);
  }
  // Without the last members those are allowed, too, that are equal in what is left.
  const bool inclusive = !strict || !whole;
  edge->tail = begins == inclusive ? Bound::kBefore : Bound::kAfter;
}

// Adds the value of a member's attribute, which is the next one; false if no value is equal
// to the member.
bool Quals::AddRowMember(const ScanKeyData& member, RowEdge* edge) {
  const int a = member.sk_attno - 1;
  const Attribute& attribute = layout_->attribute[a];
  Interval intervals[kMaxCuts];
  if ((member.sk_flags & SK_ISNULL) != 0 ||
      IntervalsOf(a, BTEqualStrategyNumber, member.sk_subtype, member.sk_argument, intervals) != 1 ||
      !IsPoint(attribute, intervals[0]))
    return false;
  const Value& value = intervals[0].low.value;
  edge->rest[edge->columns++] = value.word[0];
  if (attribute.words > 1) edge->rest[edge->columns++] = value.word[1];
  return true;
}

// Makes room in the scratch array, which holds `used` intervals, for those of one more
// value, and guesses how much the rest will take.
void Quals::ReserveScratch(int used, int values_left) {
  if (scratch_capacity_ - used >= values_left + kMaxCuts) return;
  const int capacity = Max(used + values_left, 2 * scratch_capacity_) + kMaxCuts;
  Interval* grown =
      static_cast<Interval*>(MemoryContextAllocHuge(context_, static_cast<Size>(capacity) * sizeof(Interval)));
  if (scratch_ != nullptr) {
    memcpy(grown, scratch_, static_cast<Size>(used) * sizeof(Interval));
    pfree(scratch_);
  }
  scratch_ = grown;
  scratch_capacity_ = capacity;
}

void Quals::Intersect(int a, const Interval* other, int count) {
  const Attribute& attribute = layout_->attribute[a];
  AttributeSet& set = set_[a];
  // The intersection of two lists has at most as many intervals as both together.
  const int needed = set.constrained ? set.count + count : count;
  if (needed > set.capacity) {
    const int capacity = Max(needed, Max(2 * set.capacity, 4));
    Interval* grown =
        static_cast<Interval*>(MemoryContextAllocHuge(context_, static_cast<Size>(capacity) * sizeof(Interval)));
    if (set.interval != nullptr) {
      memcpy(grown, set.interval, static_cast<Size>(set.count) * sizeof(Interval));
      pfree(set.interval);
    }
    set.interval = grown;
    set.capacity = capacity;
  }
  if (!set.constrained) {
    for (int i = 0; i < count; i++) set.interval[i] = other[i];
    set.count = count;
  } else {
    // The old list moves to the end of the array; the result grows at its start.
    Interval* old = set.interval + set.capacity - set.count;
    memmove(old, set.interval, static_cast<Size>(set.count) * sizeof(Interval));
    int i = 0, j = 0, result = 0;
    while (i < set.count && j < count) {
      const Interval x = old[i], y = other[j];
      const Edge& low = CompareEdges(attribute, x.low, y.low) < 0 ? y.low : x.low;
      const bool x_ends = CompareEdges(attribute, x.high, y.high) < 0;
      const Edge& high = x_ends ? x.high : y.high;
      x_ends ? i++ : j++;
      if (CompareEdges(attribute, low, high) < 0) set.interval[result++] = {low, high};
    }
    set.count = result;
  }
  set.constrained = true;
  if (set.count == 0) empty_ = true;
}

// What a comparison allows, as up to kMaxCuts intervals.
int Quals::IntervalsOf(int a, StrategyNumber strategy, Oid subtype, Datum value, Interval* out) {
  const Attribute& attribute = layout_->attribute[a];
  Cut cuts[kMaxCuts];
  const int count = Cuts(a, subtype, value, cuts);
  const bool mirrored = attribute.descending && !attribute.is_bytes();
  if (attribute.descending && attribute.is_bytes()) strategy = CommutedStrategy(strategy);
  // Ascending values, whatever the attribute's direction (but of a bytes column, in its own).
  const auto least = [&](const Edge& x, const Edge& y) { return CompareEdges(attribute, x, y) < 0 ? x : y; };
  const auto greatest = [&](const Edge& x, const Edge& y) { return CompareEdges(attribute, x, y) < 0 ? y : x; };
  int found = 0;
  for (int i = 0; i < count; i++) {
    const Cut& cut = cuts[i];
    Edge begin = cut.begin, end = cut.end;
    switch (strategy) {
      case BTLessStrategyNumber:
        end = least(end, cut.low);
        break;
      case BTLessEqualStrategyNumber:
        end = least(end, cut.high);
        break;
      case BTEqualStrategyNumber:
        begin = greatest(begin, cut.low);
        end = least(end, cut.high);
        break;
      case BTGreaterEqualStrategyNumber:
        begin = greatest(begin, cut.low);
        break;
      case BTGreaterStrategyNumber:
        begin = greatest(begin, cut.high);
        break;
      default:
        elog(ERROR, "unrecognized strategy number: %d", strategy);
    }
    if (CompareEdges(attribute, begin, end) >= 0) continue;
    if (mirrored)
      out[found++] = {Mirrored(attribute, end), Mirrored(attribute, begin)};
    else
      out[found++] = {begin, end};
  }
  return found;
}

bool HasEqualPoint(Oid opcintype, Oid subtype) {
  return subtype == InvalidOid || subtype == opcintype || (IsIntegerType(opcintype) && IsIntegerType(subtype)) ||
         (opcintype == FLOAT8OID && subtype == FLOAT4OID) || (IsTextOrName(opcintype) && IsTextOrName(subtype));
}

namespace {

// Whether nothing that is stored can be equal to a value because it is longer than that.  (A
// collation may take a longer one for equal.)
bool IsTooLong(const Attribute& attribute, const Value& value) {
  return attribute.is_bytes() && attribute.order->bytewise() &&
         core::StoredBytes(value.word[0]) > core::kMaxEntryBytes;
}

}  // namespace

bool EqualPoint(const Attribute& attribute, Oid subtype, Datum value, Value* stored) {
  if (likely(subtype == attribute.opcintype || subtype == InvalidOid)) {
    *stored = StoredValue(attribute, value);
    return !IsTooLong(attribute, *stored);
  }
  Cut cut;
  if (!CutOf(attribute, subtype, value, &cut))
    elog(ERROR, "omendb: no cross-type comparison for type %u", attribute.opcintype);
  if (cut.low.cls != core::kValue) return false;
  *stored = {{attribute.Stored(cut.low.value.word[0]), 0}};
  return !IsTooLong(attribute, *stored);
}

int Quals::Cuts(int a, Oid subtype, Datum value, Cut* cuts) {
  const Attribute& attribute = layout_->attribute[a];
  cuts->begin = kBeforeAll;
  cuts->end = kAfterAll;
  if (CutOf(attribute, subtype, value, cuts)) {
    // no function was needed
  } else if (attribute.opcintype == TIMESTAMPOID && subtype == TIMESTAMPTZOID) {
    return LocalTimeCuts(DatumGetTimestampTz(value), cuts);
  } else {
    // Types of one word: their ordinals are numbers.
    FmgrInfo* compare = ComparisonWith(a, subtype);
    const u128 limit = OrdinalLimit(attribute.type);
    const u128 low = FirstNotBelow(a, compare, value, false), high = FirstNotBelow(a, compare, value, true);
    cuts->low = low == limit ? kAfterAll : Before(static_cast<uint64>(low));
    // After the last that is equal: so one that is alone is a point.
    cuts->high = low == high ? cuts->low : After(static_cast<uint64>(high - 1));
  }
  return 1;
}

// The first ordinal of the attribute's type whose value is >= (or, with `above`, >)
// a value of another type, by the operator family's own comparison.
u128 Quals::FirstNotBelow(int a, FmgrInfo* compare, Datum value, bool above) {
  const Attribute& attribute = layout_->attribute[a];
  const Domain domain = DomainOf(attribute.opcintype);
  const auto reached = [&](uint64 ordinal) {
    const int32 order = DatumGetInt32(
        FunctionCall2Coll(compare, InvalidOid, DatumOfOrdinal(attribute.type, FloatOrdinal{ordinal, 0}), value));
    return above ? order > 0 : order >= 0;
  };
  if (domain.infinities && reached(domain.minus_infinity)) return domain.minus_infinity;
  if (!reached(domain.last)) {
    if (domain.infinities && reached(domain.plus_infinity)) return domain.plus_infinity;
    return OrdinalLimit(attribute.type);
  }
  uint64 first = domain.first, last = domain.last;
  while (first < last) {
    const uint64 middle = first + (last - first) / 2;
    if (reached(middle))
      last = middle;
    else
      first = middle + 1;
  }
  return first;
}

FmgrInfo* Quals::ComparisonWith(int a, Oid subtype) {
  CrossTypeComparison*& cached = comparison_[a];
  if (cached == nullptr) {
    cached = static_cast<CrossTypeComparison*>(MemoryContextAllocZero(context_, sizeof(CrossTypeComparison)));
  }
  if (cached->subtype != subtype) {
    const Attribute& key = layout_->attribute[a];
    const Oid procedure = get_opfamily_proc(key.opfamily, key.opcintype, subtype, kOrderProc);
    if (!OidIsValid(procedure))
      elog(ERROR, "missing support function %d(%u,%u) in opfamily %u", kOrderProc, key.opcintype, subtype,
           key.opfamily);
    fmgr_info_cxt(procedure, &cached->compare, context_);
    cached->subtype = subtype;
  }
  return &cached->compare;
}

bool Quals::Matches(const core::Entries& entries, uint32 i) const {
  for (uint64 filters = filters_; filters != 0; filters &= filters - 1) {
    const int a = __builtin_ctzll(filters);
    const Attribute& attribute = layout_->attribute[a];
    const AttributeSet& set = set_[a];
    const int column = attribute.column;
    Edge probe;
    probe.cls = static_cast<uint8>(entries.cls[column][i]);
    // An edge before the entry that is not before its value is none.
    probe.tail = Bound::kAfter;
    probe.value.word[0] = entries.value[column][i];
    probe.value.word[1] = attribute.words > 1 ? entries.value[column + 1][i] : 0;
    // The last interval that begins before the entry: only that can end behind it.
    const Interval* after = std::upper_bound(
        set.interval, set.interval + set.count, probe,
        [&](const Edge& x, const Interval& interval) { return CompareEdges(attribute, x, interval.low) <= 0; });
    if (after == set.interval || CompareEdges(attribute, probe, after[-1].high) > 0) return false;
  }
  return true;
}

// A range: the values of points, and the edges of the last attribute's interval.
void Quals::Span(const int* position, Bound* low, Bound* high) const {
  low->tail = Bound::kBefore;
  high->tail = Bound::kAfter;
  int columns = 0;
  for (int a = 0; a < prefix_; a++) {
    const Attribute& attribute = layout_->attribute[a];
    const Interval& interval = set_[a].interval[position[a]];
    low->tail = interval.low.tail;
    high->tail = interval.high.tail;
    low->key.cls[columns] = interval.low.cls;
    high->key.cls[columns] = interval.high.cls;
    low->key.ordinal[columns] = interval.low.value.word[0];
    high->key.ordinal[columns] = interval.high.value.word[0];
    columns++;
    if (attribute.words == 1) continue;
    const auto second = [&](const Edge& edge) {
      return edge.cls == core::kValue ? edge.value.word[1] : attribute.null_word;
    };
    low->key.cls[columns] = high->key.cls[columns] = core::kValue;
    low->key.ordinal[columns] = second(interval.low);
    high->key.ordinal[columns] = second(interval.high);
    columns++;
  }
  low->columns = high->columns = columns;
  low->with_tid = high->with_tid = false;
  if (likely(begin_row_.columns + end_row_.columns == 0) || prefix_ == 0) return;
  const Interval& last = set_[prefix_ - 1].interval[position[prefix_ - 1]];
  const bool begins = Extends(begin_row_, last.low);
  if (begins) Extend(begin_row_, low);
  // (Not both where all is in between: they might cross.)
  if (Extends(end_row_, last.high) && !(begins && IsPoint(layout_->attribute[prefix_ - 1], last)))
    Extend(end_row_, high);
}

bool Quals::First(Bound* low, Bound* high) {
  if (empty_) return false;
  for (int a = 0; a < prefix_; a++) position_[a] = 0;
  Span(position_, low, high);
  return true;
}

bool Quals::Last(Bound* low, Bound* high) {
  if (empty_) return false;
  for (int a = 0; a < prefix_; a++) position_[a] = set_[a].count - 1;
  Span(position_, low, high);
  return true;
}

// Moves a position to the next range in this direction; false if there is none.
bool Quals::Step(Direction direction, int* position) const {
  const bool forward = direction == Direction::kForward;
  for (int a = prefix_ - 1; a >= 0; a--) {
    if (position[a] == (forward ? set_[a].count - 1 : 0)) continue;
    position[a] += forward ? 1 : -1;
    for (int later = a + 1; later < prefix_; later++) position[later] = forward ? 0 : set_[later].count - 1;
    return true;
  }
  return false;
}

bool Quals::Next(Bound* low, Bound* high) {
  if (!Step(Direction::kForward, position_)) return false;
  Span(position_, low, high);
  return true;
}

bool Quals::Previous(Bound* low, Bound* high) {
  if (!Step(Direction::kBackward, position_)) return false;
  Span(position_, low, high);
  return true;
}

void Quals::BeginAhead() { memcpy(ahead_, position_, static_cast<Size>(prefix_) * sizeof *ahead_); }

bool Quals::Ahead(Direction direction, Bound* low, Bound* high) {
  if (!Step(direction, ahead_)) return false;
  Span(ahead_, low, high);
  return true;
}

}  // namespace omendb::am
