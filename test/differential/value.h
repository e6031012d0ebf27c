// The key types and their values: extremes, neighbours, literals, conversions within a family.
#ifndef OMENDB_TEST_DIFFERENTIAL_VALUE_H
#define OMENDB_TEST_DIFFERENTIAL_VALUE_H

#include <cstdint>
#include <string>
#include <vector>

#include "unit/random.h"

namespace omendb::differential {

using test::Random;

enum class Base {
  kInt2,
  kInt4,
  kInt8,
  kOid,
  kDate,
  kTime,
  kTimestamp,
  kTimestamptz,
  kFloat4,
  kFloat8,
  kBool,
  kChar,
  kMoney
};
constexpr int kBases = 13;

// A value that is not NULL.  `n` is the number that PostgreSQL stores (days or microseconds since 2000, cents), with
// INT64_MIN and INT64_MAX for the infinities of dates and timestamps; floats are in `x`.
struct Value {
  Base base;
  int64_t n;
  double x;
};

inline bool IsFloat(Base base) { return base == Base::kFloat4 || base == Base::kFloat8; }
inline bool IsInteger(Base base) { return base == Base::kInt2 || base == Base::kInt4 || base == Base::kInt8; }
inline bool IsDatetime(Base base) {
  return base == Base::kDate || base == Base::kTimestamp || base == Base::kTimestamptz;
}

// The type's name in SQL.
const char* Name(Base base);
// The types that compare with this one through an operator family, itself included.
std::vector<Base> Family(Base base);

// The value of this type with that number; one beyond the type's end continues at its beginning.
Value FromNumber(Base base, int64_t n);
Value FromDouble(Base base, double x);

// As near as another type of the family has it.
Value Convert(const Value& value, Base to);
// The value one below (-1) or above (1).
Value Neighbour(const Value& value, int direction);
// Of values of one type; NaN is the greatest.
bool Less(const Value& a, const Value& b);
// Any bit pattern that is a value.
Value AnyValue(Base base, Random& random);
// Ends of the type, zeros, infinities, NaN, and the ends of the narrower types of the family.
const std::vector<Value>& Extremes(Base base);

// As a constant that has its type by itself:  '17'::int4
std::string Literal(const Value& value);
// As a constant that takes its type from a column it is inserted into:  '17'
std::string Untyped(const Value& value);

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_VALUE_H
