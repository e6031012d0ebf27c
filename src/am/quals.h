// Scan keys as sets of values.
//
// Whatever conditions a query puts on an attribute (comparisons with any type of the
// operator family, redundant or contradictory ones, = ANY, IS NULL), together
// they allow a set of values: a sorted list of disjoint intervals.  The scan
// visits, in index order, the ranges of entries that the sets of the leading
// attributes span, and filters by the sets of the others.
//
// Intervals lie between edges, which are points beside values, not values: so neither a
// next value nor a greatest one is ever needed, and a type only has to be compared.
#ifndef OMENDB_AM_QUALS_H
#define OMENDB_AM_QUALS_H

#include "am/layout.h"

extern "C" {
#include "access/skey.h"
#include "fmgr.h"
}

namespace omendb::am {

// A stored value: the words of its key columns.  Words that the type has not are 0; the word
// of a bytes column is the address of the value (core/bytes.h).
struct Value {
  uint64 word[kMaxWords];
};

// The order of stored values of an attribute: the tree's.
inline int CompareValues(const Attribute& attribute, const Value& a, const Value& b) {
  if (attribute.is_bytes()) return attribute.order->Compare(a.word[0], b.word[0]);
  if (a.word[0] != b.word[0]) return a.word[0] < b.word[0] ? -1 : 1;
  if (attribute.words == 1 || a.word[1] == b.word[1]) return 0;
  return a.word[1] < b.word[1] ? -1 : 1;
}

// The point just before or just after all entries with this class and value.  (Of other
// classes than kValue the value is 0.)
struct Edge {
  Value value;
  uint8 cls;
  core::Bound::Tail tail;
};

int CompareEdges(const Attribute& attribute, const Edge& a, const Edge& b);

// What lies between two edges.  REQUIRES: low < high.
struct Interval {
  Edge low;
  Edge high;
};

// What an attribute may be.  Without conditions: anything.
struct AttributeSet {
  bool constrained;
  bool all_points;  // of one value, or the NULLs
  int count;
  int capacity;
  Interval* interval;
};

// How a value of any type of the family divides the values between the edges `begin` and `end`
// of an attribute: those below `low` are less, those above `high` greater.  All of these are
// in ascending order, whatever the attribute's.
struct Cut {
  Edge begin, end;
  Edge low, high;
};

// Where a comparison of rows begins, or ends, among the entries whose attribute `first` is
// beside `leading`: at `rest` of the columns behind it.  An end is above those entries.
struct RowEdge {
  int first;
  Edge leading;
  int columns;  // of `rest`; 0: there is no such edge
  uint64 rest[core::kMaxKeyColumns];
  core::Bound::Tail tail;
};

// A three-way comparison of a key attribute's type with another type of its family.
struct CrossTypeComparison {
  Oid subtype;
  FmgrInfo compare;
};

// Whether at most one value of an attribute of this type equals a value of the other, and
// which: EqualPoint returns false if none does.
bool HasEqualPoint(Oid opcintype, Oid subtype);
bool EqualPoint(const Attribute& attribute, Oid subtype, Datum value, Value* stored);

class Quals {
 public:
  // `layout` and `context` must outlive the Quals.
  void Init(const Layout& layout, MemoryContext context);
  void Free();

  // Takes the conditions of a (re)scan.  A comparison of rows (SK_ROW_HEADER) only spares the
  // scan entries: some that it does not allow may be left.
  void Set(const ScanKeyData* keys, int count);

  // Whether no entry can match.
  bool empty() const { return empty_; }

  // The key columns behind the attributes that span the ranges (sets of points, and after them
  // at most one that has wider intervals) that have conditions, which entries must be asked.
  uint64 filter_columns() const { return filter_columns_; }
  bool Matches(const core::Entries& entries, uint32 i) const;

  // The ranges, in index order forward or backward.  First* returns false only
  // if empty(); Next* and Previous* return false and stay at the end.
  bool First(core::Bound* low, core::Bound* high);
  bool Last(core::Bound* low, core::Bound* high);
  bool Next(core::Bound* low, core::Bound* high);
  bool Previous(core::Bound* low, core::Bound* high);

  // A second position, ahead of the current one: BeginAhead sets it there, Ahead moves it on
  // and returns the range.
  void BeginAhead();
  bool Ahead(core::Direction direction, core::Bound* low, core::Bound* high);

  void CurrentRange(core::Bound* low, core::Bound* high) const { Span(position_, low, high); }
  // Which range is the current one, to come back to it later, or in another process
  // that has the same conditions: INDEX_MAX_KEYS numbers.
  void SavePosition(int* position) const { memcpy(position, position_, sizeof position_); }
  void RestorePosition(const int* position) { memcpy(position_, position, sizeof position_); }

 private:
  void AddKey(const ScanKeyData& key);
  void AddArray(int a, const ScanKeyData& key);
  void AddRow(const ScanKeyData& key);
  bool AddRowMember(const ScanKeyData& member, RowEdge* edge);
  bool Extends(const RowEdge& edge, const Edge& end) const {
    return unlikely(edge.columns > 0) && edge.first == prefix_ - 1 &&
           CompareEdges(layout_->attribute[edge.first], edge.leading, end) == 0;
  }
  void Intersect(int a, const Interval* other, int count);
  int IntervalsOf(int a, StrategyNumber strategy, Oid subtype, Datum value, Interval* out);
  int Cuts(int a, Oid subtype, Datum value, Cut* cuts);
  core::u128 FirstNotBelow(int a, FmgrInfo* compare, Datum value, bool above);
  FmgrInfo* ComparisonWith(int a, Oid subtype);
  void JoinNeighbours(int a);
  bool Step(core::Direction direction, int* position) const;
  void Span(const int* position, core::Bound* low, core::Bound* high) const;
  void ReserveScratch(int used, int values_left);

  const Layout* layout_;
  MemoryContext context_;
  MemoryContext values_;  // of bytes columns that are compared with; null if there are none
  bool empty_;
  int prefix_;      // attributes that span the ranges
  uint64 filters_;  // attributes behind them that have conditions
  uint64 filter_columns_;
  AttributeSet set_[INDEX_MAX_KEYS];
  RowEdge begin_row_, end_row_;
  CrossTypeComparison* comparison_[INDEX_MAX_KEYS];
  int position_[INDEX_MAX_KEYS];  // of the current range, per attribute of the prefix
  int ahead_[INDEX_MAX_KEYS];
  Interval* scratch_;
  int scratch_capacity_;
};

}  // namespace omendb::am

#endif  // OMENDB_AM_QUALS_H
