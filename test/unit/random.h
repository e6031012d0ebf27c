// The pseudo-random numbers of tests, fuzzers and benchmarks: the same on every
// machine and with every standard library, which <random>'s distributions are not.
#ifndef OMENDB_TEST_UNIT_RANDOM_H
#define OMENDB_TEST_UNIT_RANDOM_H

#include <cmath>
#include <cstdint>

namespace omendb::test {

// SplitMix64 (Steele, Lea, Flood, 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  // Uniform in [0, n).  REQUIRES: n > 0.
  uint64_t Below(uint64_t n) { return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64); }

  // Uniform in [low, high].
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }

  bool OneIn(uint64_t n) { return Below(n) == 0; }

  // All magnitudes equally likely: a uniform number of random bits.
  uint64_t Skewed() {
    const uint64_t bits = Below(65);
    return bits == 0 ? 0 : Next() >> (64 - bits);
  }

  double Unit() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_RANDOM_H
