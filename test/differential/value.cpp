#include "differential/value.h"

#include <array>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

namespace omendb::differential {

namespace {

constexpr int64_t kDay = 86400000000;  // in microseconds
constexpr int64_t kInfinity = INT64_MAX, kMinusInfinity = INT64_MIN;
constexpr int64_t kFirstDate = -2451545;   // 4714-11-24 BC
constexpr int64_t kLastDate = 2145031948;  // 5874897-12-31
constexpr int64_t kFirstTimestamp = kFirstDate * kDay;
constexpr int64_t kLastTimestamp = 9223371331200000000 - 1;  // the last microsecond of 294276

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

int64_t Wrap(int64_t n, int64_t low, int64_t high) {
  if (n >= low && n <= high) return n;
  const auto size = static_cast<unsigned __int128>(static_cast<__int128>(high) - low + 1);
  return static_cast<int64_t>(low + static_cast<__int128>(static_cast<uint64_t>(n) % size));
}

int64_t Clamp(int64_t n, int64_t low, int64_t high) { return n < low ? low : n > high ? high : n; }

void Range(Base base, int64_t* low, int64_t* high) {
  switch (base) {
    case Base::kInt2:
      *low = INT16_MIN, *high = INT16_MAX;
      return;
    case Base::kInt4:
      *low = INT32_MIN, *high = INT32_MAX;
      return;
    case Base::kOid:
      *low = 0, *high = UINT32_MAX;
      return;
    case Base::kDate:
      *low = kFirstDate, *high = kLastDate;
      return;
    case Base::kTime:
      *low = 0, *high = kDay;
      return;
    case Base::kTimestamp:
    case Base::kTimestamptz:
      *low = kFirstTimestamp, *high = kLastTimestamp;
      return;
    case Base::kBool:
      *low = 0, *high = 1;
      return;
    case Base::kChar:
      *low = INT8_MIN, *high = INT8_MAX;
      return;
    default:
      *low = INT64_MIN, *high = INT64_MAX;
  }
}

bool IsInfinite(const Value& value) {
  return IsDatetime(value.base) && (value.n == kInfinity || value.n == kMinusInfinity);
}

// "2000-01-01"; the year may be one before Christ, which the caller appends behind the time.
std::string CivilDate(int64_t days, bool* bc) {
  // The calendar in eras of 400 years that begin in March.
  const int64_t z = days + 10957 + 719468;
  const int64_t era = FloorDivide(z, 146097);
  const int64_t day_of_era = z - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  int64_t year = year_of_era + era * 400 + (month <= 2);
  *bc = year <= 0;
  if (*bc) year = 1 - year;
  char out[64];
  std::snprintf(out, sizeof out, "%04lld-%02lld-%02lld", static_cast<long long>(year), static_cast<long long>(month),
                static_cast<long long>(day));
  return out;
}

std::string TimeOfDay(int64_t microseconds) {
  char out[64];
  const auto us = static_cast<long long>(microseconds);
  std::snprintf(out, sizeof out, "%02lld:%02lld:%02lld.%06lld", us / 3600000000, us / 60000000 % 60, us / 1000000 % 60,
                us % 1000000);
  return out;
}

std::string Text(const Value& value) {
  char out[64];
  bool bc;
  switch (value.base) {
    case Base::kFloat4:
    case Base::kFloat8:
      if (std::isnan(value.x)) return "NaN";
      if (std::isinf(value.x)) return value.x > 0 ? "Infinity" : "-Infinity";
      std::snprintf(out, sizeof out, "%.*g", value.base == Base::kFloat4 ? 9 : 17, value.x);
      return out;
    case Base::kDate: {
      if (IsInfinite(value)) return value.n > 0 ? "infinity" : "-infinity";
      const std::string date = CivilDate(value.n, &bc);
      return bc ? date + " BC" : date;
    }
    case Base::kTimestamp:
    case Base::kTimestamptz: {
      if (IsInfinite(value)) return value.n > 0 ? "infinity" : "-infinity";
      const int64_t days = FloorDivide(value.n, kDay);
      std::string text = CivilDate(days, &bc) + ' ' + TimeOfDay(value.n - days * kDay);
      if (value.base == Base::kTimestamptz) text += "+00";
      return bc ? text + " BC" : text;
    }
    case Base::kTime:
      return TimeOfDay(value.n);
    case Base::kBool:
      return value.n != 0 ? "t" : "f";
    case Base::kMoney: {
      const uint64_t cents = value.n < 0 ? -static_cast<uint64_t>(value.n) : static_cast<uint64_t>(value.n);
      std::snprintf(out, sizeof out, "%s%llu.%02llu", value.n < 0 ? "-" : "",
                    static_cast<unsigned long long>(cents / 100), static_cast<unsigned long long>(cents % 100));
      return out;
    }
    default:
      return std::to_string(value.n);
  }
}

std::vector<Value> MakeExtremes(Base base) {
  std::vector<Value> out;
  if (IsFloat(base)) {
    for (double x : {0.0, -0.0, 1.0, -1.0, 0.1, static_cast<double>(0.1f), static_cast<double>(FLT_MAX),
                     -static_cast<double>(FLT_MAX), static_cast<double>(FLT_MIN), 1.4012984643248171e-45, 16777216.0,
                     16777217.0, HUGE_VAL, -HUGE_VAL, std::nan("")})
      out.push_back(FromDouble(base, x));
    if (base == Base::kFloat8)
      for (double x : {DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, -DBL_TRUE_MIN, 9007199254740993.0, 1e-40, 3.5e38})
        out.push_back(FromDouble(base, x));
    return out;
  }
  std::vector<int64_t> numbers{0, 1, -1};
  int64_t low, high;
  for (Base member : Family(base)) {
    Range(member, &low, &high);
    for (int64_t n : {low, high}) {
      // The last of the days that a timestamp has, and the other way round.
      if (base == Base::kDate && member != Base::kDate) n = FloorDivide(n, kDay);
      if (base != Base::kDate && member == Base::kDate) continue;
      numbers.push_back(n);
      if (n != INT64_MAX) numbers.push_back(n + 1);
      if (n != INT64_MIN) numbers.push_back(n - 1);
    }
  }
  Range(base, &low, &high);
  for (int64_t n : numbers)
    if (n >= low && n <= high) out.push_back({base, n, 0});
  if (IsDatetime(base))
    for (int64_t n : {kMinusInfinity, kInfinity}) out.push_back({base, n, 0});
  return out;
}

}  // namespace

const char* Name(Base base) {
  static const char* const names[kBases] = {"int2",        "int4",   "int8",   "oid",  "date",     "time", "timestamp",
                                            "timestamptz", "float4", "float8", "bool", "\"char\"", "money"};
  return names[static_cast<int>(base)];
}

std::vector<Base> Family(Base base) {
  if (IsInteger(base)) return {Base::kInt2, Base::kInt4, Base::kInt8};
  if (IsDatetime(base)) return {Base::kDate, Base::kTimestamp, Base::kTimestamptz};
  if (IsFloat(base)) return {Base::kFloat4, Base::kFloat8};
  return {base};
}

Value FromNumber(Base base, int64_t n) {
  if (IsFloat(base)) return FromDouble(base, static_cast<double>(n));
  int64_t low, high;
  Range(base, &low, &high);
  return {base, Wrap(n, low, high), 0};
}

Value FromDouble(Base base, double x) {
  if (base != Base::kFloat4) return {base, 0, x};
  if (!std::isinf(x) && std::fabs(x) > static_cast<double>(FLT_MAX)) x = std::copysign(static_cast<double>(FLT_MAX), x);
  return {base, 0, static_cast<double>(static_cast<float>(x))};
}

Value Convert(const Value& value, Base to) {
  if (to == value.base) return value;
  if (IsFloat(value.base)) return FromDouble(to, value.x);
  if (IsInfinite(value)) return {to, value.n, 0};
  int64_t n = value.n;
  if (to == Base::kDate && IsDatetime(value.base)) n = FloorDivide(n, kDay);
  if (to != Base::kDate && value.base == Base::kDate) n = Clamp(n, kFirstDate, kLastTimestamp / kDay) * kDay;
  int64_t low, high;
  Range(to, &low, &high);
  return {to, Clamp(n, low, high), 0};
}

Value Neighbour(const Value& value, int direction) {
  if (value.base == Base::kFloat4)
    return FromDouble(value.base, static_cast<double>(std::nextafter(static_cast<float>(value.x),
                                                                     direction > 0 ? HUGE_VALF : -HUGE_VALF)));
  if (IsFloat(value.base)) return FromDouble(value.base, std::nextafter(value.x, direction > 0 ? HUGE_VAL : -HUGE_VAL));
  if (IsInfinite(value)) return value;
  int64_t low, high;
  Range(value.base, &low, &high);
  if (value.n == (direction > 0 ? high : low)) return value;
  return {value.base, value.n + direction, 0};
}

bool Less(const Value& a, const Value& b) {
  if (!IsFloat(a.base)) return a.n < b.n;
  return std::isnan(b.x) ? !std::isnan(a.x) : a.x < b.x;
}

Value AnyValue(Base base, Random& random) {
  const uint64_t bits = random.Next();
  if (base == Base::kFloat4) {
    float x;
    const auto half = static_cast<uint32_t>(bits);
    std::memcpy(&x, &half, sizeof x);
    return {base, 0, static_cast<double>(x)};
  }
  if (base == Base::kFloat8) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return {base, 0, x};
  }
  return FromNumber(base, static_cast<int64_t>(random.OneIn(2) ? bits : random.Skewed()));
}

const std::vector<Value>& Extremes(Base base) {
  static const auto all = [] {
    std::array<std::vector<Value>, kBases> out;
    for (int i = 0; i < kBases; i++) out[static_cast<size_t>(i)] = MakeExtremes(static_cast<Base>(i));
    return out;
  }();
  return all[static_cast<size_t>(base)];
}

std::string Literal(const Value& value) {
  if (value.base == Base::kChar) return '(' + Text(value) + ")::\"char\"";
  return '\'' + Text(value) + "'::" + Name(value.base);
}

std::string Untyped(const Value& value) {
  // Its input function has no way to write most of the bytes.
  return value.base == Base::kChar ? Literal(value) : '\'' + Text(value) + '\'';
}

}  // namespace omendb::differential
