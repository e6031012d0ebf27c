// Scan keys as sets of ordinals.
//
// Whatever conditions a query puts on a column (comparisons with any type of the
// operator family, redundant or contradictory ones, = ANY, IS NULL), together
// they allow a set of ordinals: a sorted list of disjoint intervals.  The scan
// visits, in index order, the ranges of entries that the sets of the leading
// columns span, and filters by the sets of the others.
#ifndef OMENDB_AM_QUALS_H
#define OMENDB_AM_QUALS_H

#include "am/layout.h"

extern "C" {
#include "access/skey.h"
#include "fmgr.h"
}

namespace omendb::am {

// Stored ordinals low..high, both included, or (cls not kValue) the NULLs.
struct Interval {
  uint8 cls;
  uint64 low;
  uint64 high;

  bool IsPoint() const { return cls != core::kValue || low == high; }
};

// What a column may be.  Without conditions: anything.
struct ColumnSet {
  bool constrained;
  bool all_points;
  int count;
  int capacity;
  Interval* interval;
};

// How a value of any type of the family divides the ordinals [begin, end) of a column:
// those below `low` are less than the value, those from `high` on greater.
struct Cut {
  core::u128 begin, end;
  core::u128 low, high;
};

// A three-way comparison of a key column's type with another type of its family.
struct CrossTypeComparison {
  Oid subtype;
  FmgrInfo compare;
};

// Whether at most one ordinal of a column of this type equals a value of the other, and
// which: EqualPoint returns false if none does.
bool HasEqualPoint(Oid opcintype, Oid subtype);
bool EqualPoint(const KeyColumn& key, Oid subtype, Datum value, uint64* stored);

class Quals {
 public:
  // `layout` and `context` must outlive the Quals.
  void Init(const Layout& layout, MemoryContext context);
  void Free();

  // Takes the conditions of a (re)scan.
  void Set(const ScanKeyData* keys, int count);

  // Whether no entry can match.
  bool empty() const { return empty_; }

  // The columns that span the ranges: sets of points, and after them at most one
  // that has wider intervals.
  int prefix() const { return prefix_; }
  // Columns behind the prefix that have conditions, which entries must be asked.
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
  // that has the same conditions: kMaxKeyColumns numbers.
  void SavePosition(int* position) const { memcpy(position, position_, sizeof position_); }
  void RestorePosition(const int* position) { memcpy(position_, position, sizeof position_); }

 private:
  void AddKey(const ScanKeyData& key);
  void Intersect(int column, const Interval* other, int count);
  int IntervalsOf(int column, StrategyNumber strategy, Oid subtype, Datum value, Interval* out);
  int Cuts(int column, Oid subtype, Datum value, Cut* cuts);
  core::u128 FirstNotBelow(int column, FmgrInfo* compare, Datum value, bool above);
  FmgrInfo* ComparisonWith(int column, Oid subtype);
  bool Step(core::Direction direction, int* position) const;
  void Span(const int* position, core::Bound* low, core::Bound* high) const;
  void ReserveScratch(int used, int values_left);

  const Layout* layout_;
  MemoryContext context_;
  bool empty_;
  int prefix_;
  uint64 filter_columns_;
  ColumnSet set_[core::kMaxKeyColumns];
  CrossTypeComparison* comparison_[core::kMaxKeyColumns];
  int position_[core::kMaxKeyColumns];  // of the current range, per column of the prefix
  int ahead_[core::kMaxKeyColumns];
  Interval* scratch_;
  int scratch_capacity_;
};

}  // namespace omendb::am

#endif  // OMENDB_AM_QUALS_H
