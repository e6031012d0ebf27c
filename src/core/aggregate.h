// Totals of a column's values, from the packed words: how many are not NULL, their sum, the
// least and the greatest.  Values are as they are stored, unsigned.
//
// As value(i) = base + scale * (predict(i) + residual(i)), a sum is
//
//   n * base + scale * (sum of predict(i) + residual(i))
//
// and the least value has the least predict(i) + residual(i).  So no value is ever computed.
#ifndef OMENDB_CORE_AGGREGATE_H
#define OMENDB_CORE_AGGREGATE_H

#include "core/node.h"

namespace omendb::core {

// (PostgreSQL's memory is aligned to 8 bytes.)
typedef u128 Sum __attribute__((aligned(8)));

struct Totals {
  uint64_t count = 0;
  Sum sum = 0;
  uint64_t least = ~uint64_t{0};
  uint64_t greatest = 0;
};

// Which of them, besides the count.
enum TotalsWanted : unsigned { kWantSum = 1, kWantBounds = 2 };

inline void AddValue(uint64_t value, unsigned wanted, Totals* totals) {
  totals->count++;
  if ((wanted & kWantSum) != 0) totals->sum += value;
  if ((wanted & kWantBounds) != 0) {
    totals->least = value < totals->least ? value : totals->least;
    totals->greatest = value > totals->greatest ? value : totals->greatest;
  }
}

// Adds entries [begin, end) of a node's value column.
void AddColumn(const Node& node, int column, uint32_t begin, uint32_t end, unsigned wanted, Totals* totals);

// The same of decoded entries; `cls` are their classes.
void AddArray(const uint64_t* values, const uint64_t* cls, uint32_t n, unsigned wanted, Totals* totals);

}  // namespace omendb::core

#endif  // OMENDB_CORE_AGGREGATE_H
