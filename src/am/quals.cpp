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

// A timestamp column compared with an instant: piece by piece of the time zone, the
// instant's own local time.
int LocalTimeCuts(TimestampTz instant, Cut* cuts) {
  LocalTimePiece pieces[kMaxLocalTimePieces];
  const int count = LocalTimePiecesAround(instant, pieces);
  for (int i = 0; i < count; i++) {
    cuts[i].begin = core::OrdinalFromInt64(pieces[i].begin);
    cuts[i].end = i + 1 < count ? core::OrdinalFromInt64(pieces[i + 1].begin) : OrdinalLimit(ColumnType::kInt64);
    cuts[i].low = core::OrdinalFromInt64(instant + pieces[i].offset);
    cuts[i].high = cuts[i].low + 1;
  }
  return count;
}

bool Before(const Interval& a, const Interval& b) { return a.cls != b.cls ? a.cls < b.cls : a.low < b.low; }

// The union of intervals of values: sorted, without overlaps.  Returns how many are left.
int Unite(Interval* intervals, int count) {
  std::sort(intervals, intervals + count, Before);
  int kept = 0;
  for (int i = 0; i < count; i++) {
    const Interval& next = intervals[i];
    if (kept > 0 && (next.low == 0 || next.low - 1 <= intervals[kept - 1].high))
      intervals[kept - 1].high = Max(intervals[kept - 1].high, next.high);
    else
      intervals[kept++] = next;
  }
  return kept;
}

// Where a value cuts the ordinals of a column, if that takes no function: a value of the same
// type, an integer of another width, or a float4 among float8.
bool CutOf(const KeyColumn& key, Oid subtype, Datum value, Cut* cut) {
  const u128 limit = OrdinalLimit(key.type);
  int64 integer;
  if (subtype == InvalidOid || subtype == key.opcintype) {
    cut->low = OrdinalOfDatum(key.type, value).ordinal;
    cut->high = cut->low + 1;
  } else if (IsIntegerType(key.opcintype) && IntegerOf(subtype, value, &integer)) {
    // (Other types have integers inside, too: only their own functions know what a comparison of them means.)
    if (integer < IntegerFromOrdinal(key.type, 0)) {
      cut->low = cut->high = 0;
    } else if (integer > IntegerFromOrdinal(key.type, static_cast<uint64>(limit - 1))) {
      cut->low = cut->high = limit;
    } else {
      // In range: the same integer, by the column's own order.
      cut->low = static_cast<uint64>(integer) - static_cast<uint64>(IntegerFromOrdinal(key.type, 0));
      cut->high = cut->low + 1;
    }
  } else if (key.type == ColumnType::kFloat64 && subtype == FLOAT4OID) {
    cut->low = core::OrdinalFromDouble(static_cast<double>(DatumGetFloat4(value))).ordinal;
    cut->high = cut->low + 1;
  } else {
    return false;
  }
  return true;
}

// The most intervals that one comparison allows.
constexpr int kMaxCuts = kMaxLocalTimePieces;

}  // namespace

void Quals::Init(const Layout& layout, MemoryContext context) {
  layout_ = &layout;
  context_ = context;
  empty_ = false;
  prefix_ = 0;
  filter_columns_ = 0;
  scratch_ = nullptr;
  scratch_capacity_ = 0;
  for (int c = 0; c < layout.key_columns(); c++) {
    set_[c] = ColumnSet{};
    comparison_[c] = nullptr;
    position_[c] = 0;
  }
}

void Quals::Free() {
  for (int c = 0; c < layout_->key_columns(); c++) {
    if (set_[c].interval != nullptr) pfree(set_[c].interval);
    if (comparison_[c] != nullptr) pfree(comparison_[c]);
  }
  if (scratch_ != nullptr) pfree(scratch_);
}

void Quals::Set(const ScanKeyData* keys, int count) {
  empty_ = false;
  for (int c = 0; c < layout_->key_columns(); c++) {
    set_[c].constrained = false;
    set_[c].count = 0;
  }
  for (int k = 0; k < count && !empty_; k++) AddKey(keys[k]);
  prefix_ = 0;
  filter_columns_ = 0;
  if (empty_) return;
  bool leading = true;
  for (int c = 0; c < layout_->key_columns(); c++) {
    ColumnSet& set = set_[c];
    if (!set.constrained) {
      leading = false;
      continue;
    }
    set.all_points = true;
    for (int i = 0; i < set.count && set.all_points; i++) set.all_points = set.interval[i].IsPoint();
    if (leading)
      prefix_ = c + 1;
    else
      filter_columns_ |= UINT64CONST(1) << c;
    leading = leading && set.all_points;
  }
}

void Quals::AddKey(const ScanKeyData& key) {
  const int column = key.sk_attno - 1;
  Interval interval;
  Interval intervals[kMaxCuts];
  if ((key.sk_flags & SK_ROW_HEADER) != 0) elog(ERROR, "omendb: row comparisons are not index conditions");
  if ((key.sk_flags & SK_SEARCHNULL) != 0) {
    interval = {layout_->key[column].NullClass(), 0, 0};
    return Intersect(column, &interval, 1);
  }
  if ((key.sk_flags & SK_SEARCHNOTNULL) != 0) {
    interval = {core::kValue, 0, PG_UINT64_MAX};
    return Intersect(column, &interval, 1);
  }
  // The operators are strict: a comparison with NULL is never true.
  if ((key.sk_flags & SK_ISNULL) != 0) return Intersect(column, nullptr, 0);
  if ((key.sk_flags & SK_SEARCHARRAY) == 0) {
    // The usual condition needs no cuts.
    const KeyColumn& key_column = layout_->key[column];
    if (key.sk_strategy == BTEqualStrategyNumber &&
        (key.sk_subtype == key_column.opcintype || key.sk_subtype == InvalidOid)) {
      const uint64 stored = key_column.Stored(OrdinalOfDatum(key_column.type, key.sk_argument).ordinal);
      interval = {core::kValue, stored, stored};
      return Intersect(column, &interval, 1);
    }
    const int count = IntervalsOf(column, key.sk_strategy, key.sk_subtype, key.sk_argument, intervals);
    return Intersect(column, intervals, count <= 1 ? count : Unite(intervals, count));
  }

  const MemoryContext old_context = MemoryContextSwitchTo(context_);
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
  for (int i = 0; i < count; i++) {
    if (nulls[i]) continue;
    ReserveScratch(found, count - i);
    found += IntervalsOf(column, key.sk_strategy, key.sk_subtype, elements[i], &scratch_[found]);
  }
  pfree(elements);
  pfree(nulls);
  if (array != reinterpret_cast<ArrayType*>(DatumGetPointer(key.sk_argument))) pfree(array);
  MemoryContextSwitchTo(old_context);

  Intersect(column, scratch_, Unite(scratch_, found));
}

// Makes room in the scratch array, which holds `used` intervals, for those of one more
// value, and guesses how much the rest will take.
void Quals::ReserveScratch(int used, int values_left) {
  if (scratch_capacity_ - used >= kMaxCuts) return;
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

void Quals::Intersect(int column, const Interval* other, int count) {
  ColumnSet& set = set_[column];
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
    int a = 0, b = 0, result = 0;
    while (a < set.count && b < count) {
      const Interval x = old[a], y = other[b];
      if (x.cls != y.cls) {
        (x.cls < y.cls) ? a++ : b++;
        continue;
      }
      const uint64 low = Max(x.low, y.low), high = Min(x.high, y.high);
      (x.high < y.high) ? a++ : b++;
      if (low <= high) set.interval[result++] = {x.cls, low, high};
    }
    set.count = result;
  }
  set.constrained = true;
  if (set.count == 0) empty_ = true;
}

// The ordinals that a comparison allows, as up to kMaxCuts intervals.
int Quals::IntervalsOf(int column, StrategyNumber strategy, Oid subtype, Datum value, Interval* out) {
  const KeyColumn& key = layout_->key[column];
  Cut cuts[kMaxCuts];
  const int count = Cuts(column, subtype, value, cuts);
  int found = 0;
  for (int i = 0; i < count; i++) {
    const Cut& cut = cuts[i];
    u128 begin = cut.begin, end = cut.end;
    switch (strategy) {
      case BTLessStrategyNumber:
        end = Min(end, cut.low);
        break;
      case BTLessEqualStrategyNumber:
        end = Min(end, cut.high);
        break;
      case BTEqualStrategyNumber:
        begin = Max(begin, cut.low);
        end = Min(end, cut.high);
        break;
      case BTGreaterEqualStrategyNumber:
        begin = Max(begin, cut.low);
        break;
      case BTGreaterStrategyNumber:
        begin = Max(begin, cut.high);
        break;
      default:
        elog(ERROR, "unrecognized strategy number: %d", strategy);
    }
    if (begin >= end) continue;
    const uint64 first = static_cast<uint64>(begin), last = static_cast<uint64>(end - 1);
    if (key.descending)
      out[found++] = {core::kValue, key.Stored(last), key.Stored(first)};
    else
      out[found++] = {core::kValue, first, last};
  }
  return found;
}

bool HasEqualPoint(Oid opcintype, Oid subtype) {
  return subtype == InvalidOid || subtype == opcintype || (IsIntegerType(opcintype) && IsIntegerType(subtype)) ||
         (opcintype == FLOAT8OID && subtype == FLOAT4OID);
}

bool EqualPoint(const KeyColumn& key, Oid subtype, Datum value, uint64* stored) {
  Cut cut;
  if (!CutOf(key, subtype, value, &cut)) elog(ERROR, "omendb: no cross-type comparison for type %u", key.opcintype);
  if (cut.low == cut.high) return false;
  *stored = key.Stored(static_cast<uint64>(cut.low));
  return true;
}

int Quals::Cuts(int column, Oid subtype, Datum value, Cut* cuts) {
  const KeyColumn& key = layout_->key[column];
  const u128 limit = OrdinalLimit(key.type);
  cuts->begin = 0;
  cuts->end = limit;
  if (CutOf(key, subtype, value, cuts)) {
    // no function was needed
  } else if (key.opcintype == TIMESTAMPOID && subtype == TIMESTAMPTZOID) {
    return LocalTimeCuts(DatumGetTimestampTz(value), cuts);
  } else {
    FmgrInfo* compare = ComparisonWith(column, subtype);
    cuts->low = FirstNotBelow(column, compare, value, false);
    cuts->high = FirstNotBelow(column, compare, value, true);
  }
  return 1;
}

// The first ordinal of the column's type whose value is >= (or, with `above`, >)
// a value of another type, by the operator family's own comparison.
u128 Quals::FirstNotBelow(int column, FmgrInfo* compare, Datum value, bool above) {
  const KeyColumn& key = layout_->key[column];
  const Domain domain = DomainOf(key.opcintype);
  const auto reached = [&](uint64 ordinal) {
    const int32 order = DatumGetInt32(
        FunctionCall2Coll(compare, InvalidOid, DatumOfOrdinal(key.type, FloatOrdinal{ordinal, 0}), value));
    return above ? order > 0 : order >= 0;
  };
  if (domain.infinities && reached(domain.minus_infinity)) return domain.minus_infinity;
  if (!reached(domain.last)) {
    if (domain.infinities && reached(domain.plus_infinity)) return domain.plus_infinity;
    return OrdinalLimit(key.type);
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

FmgrInfo* Quals::ComparisonWith(int column, Oid subtype) {
  CrossTypeComparison*& cached = comparison_[column];
  if (cached == nullptr) {
    cached = static_cast<CrossTypeComparison*>(MemoryContextAllocZero(context_, sizeof(CrossTypeComparison)));
  }
  if (cached->subtype != subtype) {
    const KeyColumn& key = layout_->key[column];
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
  for (uint64 columns = filter_columns_; columns != 0; columns &= columns - 1) {
    const int c = __builtin_ctzll(columns);
    const ColumnSet& set = set_[c];
    const Interval probe = {static_cast<uint8>(entries.cls[c][i]), entries.value[c][i], entries.value[c][i]};
    // The last interval that begins at or before the value.
    const Interval* after = std::upper_bound(set.interval, set.interval + set.count, probe, Before);
    if (probe.cls != core::kValue) {
      if (set.interval[0].cls != probe.cls) return false;
      continue;
    }
    if (after == set.interval) return false;
    const Interval& candidate = after[-1];
    if (candidate.cls != core::kValue || probe.low > candidate.high) return false;
  }
  return true;
}

void Quals::Span(const int* position, Bound* low, Bound* high) const {
  low->columns = high->columns = prefix_;
  low->with_tid = high->with_tid = false;
  low->tail = Bound::kBefore;
  high->tail = Bound::kAfter;
  for (int c = 0; c < prefix_; c++) {
    const Interval& interval = set_[c].interval[position[c]];
    low->key.cls[c] = high->key.cls[c] = interval.cls;
    low->key.ordinal[c] = interval.low;
    high->key.ordinal[c] = interval.high;
  }
}

bool Quals::First(Bound* low, Bound* high) {
  if (empty_) return false;
  for (int c = 0; c < prefix_; c++) position_[c] = 0;
  Span(position_, low, high);
  return true;
}

bool Quals::Last(Bound* low, Bound* high) {
  if (empty_) return false;
  for (int c = 0; c < prefix_; c++) position_[c] = set_[c].count - 1;
  Span(position_, low, high);
  return true;
}

// Moves a position to the next range in this direction; false if there is none.
bool Quals::Step(Direction direction, int* position) const {
  const bool forward = direction == Direction::kForward;
  for (int c = prefix_ - 1; c >= 0; c--) {
    if (position[c] == (forward ? set_[c].count - 1 : 0)) continue;
    position[c] += forward ? 1 : -1;
    for (int later = c + 1; later < prefix_; later++) position[later] = forward ? 0 : set_[later].count - 1;
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
