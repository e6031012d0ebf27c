// Totals of floats, as PostgreSQL's aggregate functions have them when the values come one
// after the other: to the last bit, as sums of floats depend on their order, and of equal
// values (-0.0 and 0.0, or all NaNs) least and greatest are one that the order decides.
//
// No error is raised here: not all rows that values were taken of need be visible, and then
// the totals are thrown away (src/README, "Omendb Aggregate").
#ifndef OMENDB_EXEC_FLOAT_TOTALS_H
#define OMENDB_EXEC_FLOAT_TOTALS_H

#include <type_traits>

#include "pg/postgres.h"

namespace omendb::exec {

enum FloatsWanted : unsigned {
  kWantFloatSum = 1 << 0,
  kWantFloatAverage = 1 << 1,
  kWantFloatLeast = 1 << 2,
  kWantFloatGreatest = 1 << 3,
};

// Zeros at first.  (A double has all values of a float4.)
struct FloatTotals {
  uint64 count;
  float8 sum;              // of float4_pl or float8_pl
  float8 plain, squares;   // of float8_accum: the sum, from 0 on, and Sxx
  float8 least, greatest;  // of float8smaller and float8larger
  bool sum_overflows;
  bool average_overflows;
};
static_assert(std::is_trivially_copyable_v<FloatTotals>);

// Adds values in their order.  Float is float4 or float8.
template <typename Float>
void AddFloats(const Float* values, uint32 n, unsigned wanted, FloatTotals* totals);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_FLOAT_TOTALS_H
