// The key distributions that every structure over sorted keys is tested and
// measured on (the replay list), for integers and doubles.
#ifndef OMENDB_TEST_UNIT_DISTRIBUTIONS_H
#define OMENDB_TEST_UNIT_DISTRIBUTIONS_H

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/ordinal.h"
#include "unit/random.h"

namespace omendb::test {

enum class Distribution {
  kSequential,   // 0, 1, 2, ...
  kBursty,       // runs of 100 to 999 consecutive keys, gaps of 10 to 99
  kInterleaved,  // ten series with steps of 1 to 9: duplicates where they meet
  kZipf,         // 80 % of the entries on 20 % of the keys, and so on within: long runs of duplicates
  kUniform,      // over ten times as many keys as entries
  kFullRange,    // any bit pattern of the type
  kAllEqual,     // one key
  kExtremes,     // only the type's least and greatest value
  kExponential,  // gaps that double: no line fits
  kFlights,      // minute-granular timestamps in microseconds since 2000, in waves, with duplicates
  kFlightsFile,  // the same from the file that $OMENDB_FLIGHTS names (csv, date first)
};

inline const char* Name(Distribution d) {
  switch (d) {
    case Distribution::kSequential:
      return "sequential";
    case Distribution::kBursty:
      return "bursty";
    case Distribution::kInterleaved:
      return "interleaved";
    case Distribution::kZipf:
      return "zipf";
    case Distribution::kUniform:
      return "uniform";
    case Distribution::kFullRange:
      return "full_range";
    case Distribution::kAllEqual:
      return "all_equal";
    case Distribution::kExtremes:
      return "extremes";
    case Distribution::kExponential:
      return "exponential";
    case Distribution::kFlights:
      return "flights";
    case Distribution::kFlightsFile:
      return "flights_file";
  }
  return "?";
}

// The departures of the file, sorted; empty without $OMENDB_FLIGHTS.
inline const std::vector<uint64_t>& FlightsFile() {
  static const std::vector<uint64_t> departures = [] {
    std::vector<uint64_t> out;
    const char* path = std::getenv("OMENDB_FLIGHTS");
    std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "r");
    if (file == nullptr) return out;
    char line[256];
    while (std::fgets(line, sizeof line, file) != nullptr) {
      int year, month, day, hour, minute, second;
      if (std::sscanf(line, "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second) != 6) continue;
      // Days since 2000-03-01, with years that begin in March.
      const int y = year - (month < 3), m = (month + 9) % 12;
      const int64_t days = 365 * (y - 2000) + (y - 2000) / 4 + (153 * m + 2) / 5 + day - 1 + 60;
      out.push_back(static_cast<uint64_t>((days * 86400 + hour * 3600 + minute * 60 + second) * 1000000));
    }
    std::fclose(file);
    std::sort(out.begin(), out.end());
    return out;
  }();
  return departures;
}

inline std::vector<Distribution> AllDistributions() {
  std::vector<Distribution> all;
  for (int d = 0; d <= static_cast<int>(Distribution::kFlights); d++) all.push_back(static_cast<Distribution>(d));
  if (!FlightsFile().empty()) all.push_back(Distribution::kFlightsFile);
  return all;
}

// How a key type is generated from numbers and mapped to ordinals.
template <typename T>
struct KeyType {
  static_assert(std::is_integral_v<T>, "");
  using Unsigned = std::make_unsigned_t<T>;
  static T FromBits(uint64_t bits) { return static_cast<T>(static_cast<Unsigned>(bits)); }
  static T Least() { return std::numeric_limits<T>::min(); }
  static T Greatest() { return std::numeric_limits<T>::max(); }
  // Wraps around at the type's end.
  static T Advance(T start, uint64_t distance) {
    return FromBits(static_cast<uint64_t>(static_cast<Unsigned>(start)) + distance);
  }
  static uint64_t Ordinal(T v) {
    if constexpr (sizeof(T) == 2) return core::OrdinalFromInt16(v);
    if constexpr (sizeof(T) == 4) return core::OrdinalFromInt32(v);
    if constexpr (sizeof(T) == 8) return core::OrdinalFromInt64(v);
  }
};

template <>
struct KeyType<double> {
  static double FromBits(uint64_t bits) {
    double v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  static double Least() { return -std::numeric_limits<double>::infinity(); }
  static double Greatest() { return std::numeric_limits<double>::quiet_NaN(); }
  static double Advance(double start, uint64_t distance) {
    if (std::isnan(start) || std::fabs(start) > 1e15) start = 0;  // where adding 1 still does something
    return start + static_cast<double>(distance);
  }
  static uint64_t Ordinal(double v) { return core::OrdinalFromDouble(v).ordinal; }
};

// Distances from the first key, sorted, for the distributions that are the same for every type.
inline std::vector<uint64_t> Distances(Distribution d, size_t n, Random& random) {
  std::vector<uint64_t> out;
  out.reserve(n + 1000);
  switch (d) {
    case Distribution::kSequential:
      for (size_t i = 0; i < n; i++) out.push_back(i);
      break;
    case Distribution::kBursty:
      for (uint64_t at = 0; out.size() < n; at += random.Between(10, 99))
        for (uint64_t run = random.Between(100, 999); run > 0; run--) out.push_back(at++);
      break;
    case Distribution::kInterleaved: {
      uint64_t at[10] = {}, step[10];
      for (uint64_t& s : step) s = random.Between(1, 9);
      while (out.size() < n)
        for (int series = 0; series < 10; series++) out.push_back(at[series] += step[series]);
      break;
    }
    case Distribution::kZipf:
      // The power law of the 80/20 rule: P(key < x * keys) = x ^ (log 0.8 / log 0.2).
      for (size_t i = 0; i < n; i++)
        out.push_back(static_cast<uint64_t>(static_cast<double>(n) * std::pow(random.Unit(), 7.213)));
      break;
    case Distribution::kUniform:
      for (size_t i = 0; i < n; i++) out.push_back(random.Below(10 * n + 1));
      break;
    case Distribution::kExponential: {
      uint64_t at = 0;
      for (size_t i = 0; i < n; i++) {
        out.push_back(at);
        at += uint64_t{1} << (i * 50 / n);  // 50: the sum of 8192 gaps stays below 2^60
      }
      break;
    }
    case Distribution::kFlights: {
      uint64_t minute = 366 * 1440;
      while (out.size() < n) {
        // Waves: nearly none at night, up to 29 a minute at the top of an hour.
        const uint64_t hour = minute / 60 % 24;
        const uint64_t most = hour < 5 ? 1 : minute % 60 == 0 ? 30 : 12;
        for (uint64_t flights = random.Below(most); flights > 0; flights--) out.push_back(minute * 60000000);
        minute++;
      }
      break;
    }
    case Distribution::kFlightsFile: {
      const std::vector<uint64_t>& all = FlightsFile();
      const size_t length = std::min(n, all.size()), first = random.Below(all.size() - length + 1);
      out.assign(all.begin() + static_cast<ptrdiff_t>(first), all.begin() + static_cast<ptrdiff_t>(first + length));
      out.resize(n, all.back());
      break;
    }
    default:
      out.assign(n, 0);
  }
  out.resize(n);
  std::sort(out.begin(), out.end());
  return out;
}

// n keys as ordinals, sorted.  The first key is anywhere in the type; where the
// keys run over its end, they continue at its beginning.
template <typename T>
std::vector<uint64_t> SortedOrdinals(Distribution d, size_t n, Random& random) {
  std::vector<uint64_t> out(n);
  switch (d) {
    case Distribution::kFullRange:
      for (uint64_t& o : out) o = KeyType<T>::Ordinal(KeyType<T>::FromBits(random.Next()));
      break;
    case Distribution::kExtremes:
      for (uint64_t& o : out) o = KeyType<T>::Ordinal(random.OneIn(2) ? KeyType<T>::Least() : KeyType<T>::Greatest());
      break;
    default: {
      const T start = random.OneIn(2) ? T{} : KeyType<T>::FromBits(random.Next());
      const std::vector<uint64_t> distances = Distances(d, n, random);
      for (size_t i = 0; i < n; i++) out[i] = KeyType<T>::Ordinal(KeyType<T>::Advance(start, distances[i]));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

inline std::vector<size_t> ColumnSizes() { return {1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 8192}; }

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_DISTRIBUTIONS_H
