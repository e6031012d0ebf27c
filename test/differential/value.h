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
  kMoney,
  kUuid,
  kTimetz,
  kInterval,
  kMacaddr,
  kMacaddr8,
  kLsn,
  kXid8,
  kTid,
  // Of variable width.
  kText,
  kTextLocale,  // compared by a collation that is not C
  kTextLong,    // not with other columns in an index, which has not room for so much
  kVarchar,
  kBpchar,
  kName,
  kBytea,
  kNumeric,
  kInet,
  kCidr,
  kBit,
  kVarbit,
  kEnum
};
constexpr int kBases = 34;

// A value that is not NULL.  `n` is the number that PostgreSQL stores (days or microseconds since 2000, cents), with
// INT64_MIN and INT64_MAX for the infinities of dates and timestamps; floats are in `x`.  Of other types it is a number
// with the same order: 64 bits in the middle of a uuid, so that both halves change; of a timetz instants in three zones
// each; of an interval spans in four forms each, which are equal.  Of types of variable width it is a number in eight
// forms, in no certain order: some share a beginning, some are equal and have different bytes.
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

inline bool IsString(Base base) { return base >= Base::kText && base <= Base::kName; }

// Whether the type has the aggregates min and max.
inline bool HasMinMax(Base base) {
  return base != Base::kBool && base != Base::kChar && base != Base::kUuid && base != Base::kMacaddr &&
         base != Base::kMacaddr8 && base != Base::kName && base != Base::kBytea && base != Base::kBit &&
         base != Base::kVarbit;
}

// The span of an interval (as the IntervalStyle iso_8601 shows it), in microseconds: equal ones have the same.
std::string SpanOf(const std::string& interval);

// The type's name in SQL; as a column has it, with its collation.
const char* Name(Base base);
std::string ColumnType(Base base);
// What there must be for these names.
std::vector<std::string> TypeDefinitions();
// The types that compare with this one through an operator family, itself included.
std::vector<Base> Family(Base base);

// The value of this type with that number; one beyond the type's end continues at its beginning.
Value FromNumber(Base base, int64_t n);
Value FromDouble(Base base, double x);

// As near as another type of the family has it.
Value Convert(const Value& value, Base to);
// The value one below (-1) or above (1).
Value Neighbour(const Value& value, int direction);
// Of values of one type; NaN is the greatest.  Of types of variable width only mostly.
bool Less(const Value& a, const Value& b);
// Any bit pattern that is a value.
Value AnyValue(Base base, Random& random);
// Ends of the type, zeros, infinities, NaN, and the ends of the narrower types of the family.
const std::vector<Value>& Extremes(Base base);

// As it is written, without quotes.
std::string Text(const Value& value);
// As a constant that has its type by itself:  '17'::int4
std::string Literal(const Value& value);
// As a constant that takes its type from a column it is inserted into:  '17'
std::string Untyped(const Value& value);

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_VALUE_H
