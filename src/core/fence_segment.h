// What a fence model's block of memory holds, and what a segment predicts; for
// fence_model.cpp, which builds it, and fence_search.h, which reads it.
//
//      +--------------------------------+
//      | FenceModelBlock                |  kind, sizes, the root segment, where the levels are
//      +--------------------------------+
//      | level 0: segments              |  rmi, pgm; over the keys, which are the caller's
//      |          their first keys      |  pgm, splus (each kSplusFanout-th key)
//      +--------------------------------+
//      | level 1: segments, first keys  |  pgm, splus; over the first keys of level 0
//      +--------------------------------+
//      | ...                            |
//
// Upper bounds.  With U(p) the number of keys <= p, the fence of p is at U(p) - 1.  A
// segment is responsible for the queries of an interval, and predicts where in the keys
// the window begins:
//
//   start(p) = base + min(max(steps(p) - lag, 0), last - base - width)
//   steps(p) = (p - first_key) * slope >> shift                        (floor, 0 before first_key)
//
// so that start(p) <= U(p) <= start(p) + width for each query, whether there is such a
// key or not.  Let k(0) < k(1) < ... be the distinct keys of the segment.  base is the
// least U(p) of a query, last = U(its last key) the greatest.
// Between keys, k(i) <= p < k(i+1), U(p) is U(k(i)), and steps, which never falls, lies
// between steps(k(i)) and steps(k(i+1) - 1).  Hence with s(p) = min(steps(p), last - base)
//
//   lag   = max(0, s(k(i+1) - 1) - (U(k(i)) - base))          over all i
//   width = max(0, lag + (U(k(i)) - base) - s(k(i)))
//
// are enough; FitSegment finds both by asking every key.  The minimum in start(p) is for
// queries beyond the last key, and where steps(p) > last - base.  Then lag is at least
// last - U(p), and width at least lag, as the last key shows; so last - width <= U(p).
// A line's intercept would change nothing: lag has it.
#ifndef OMENDB_CORE_FENCE_SEGMENT_H
#define OMENDB_CORE_FENCE_SEGMENT_H

#include "core/fence_model.h"
#include "core/limits.h"

namespace omendb::core {

// Two in a cache line.
struct alignas(32) FenceSegment {
  uint64_t first_key;
  uint32_t slope;  // 0, or with its highest bit set
  uint32_t base;
  uint32_t lag;
  uint32_t reach;  // steps beyond which the window stays where it is
  uint32_t width;
  uint8_t shift;  // 0..95, so that it may be taken in two steps
};
static_assert(sizeof(FenceSegment) == 32);

// Offsets are in bytes from the block's beginning.
struct FenceLevel {
  uint32_t segments_at;
  uint32_t keys_at;
  uint32_t count;
};

// Above the keys and without the root segment; enough for kMaxFences.
inline constexpr int kMaxFenceLevels = 10;

struct alignas(kCacheLine) FenceModelBlock {
  FenceModel model;
  uint64_t least_key;  // whatever is below is answered without a search, and nothing below asks a segment
  // linear, pgm: the segment to begin with; rmi: steps(p) is the number of the segment.
  FenceSegment root;
  FenceLevel level[kMaxFenceLevels];  // from the keys upwards
};
static_assert(offsetof(FenceModelBlock, level) == kCacheLine);

// Keys that are counted instead of halved, and fewer ones that are enough for most windows.
inline constexpr uint32_t kCountedKeys = 32;
inline constexpr uint32_t kFewKeys = 16;

// Keys of a splus node: two cache lines, which the hardware fetches in pairs.
inline constexpr uint32_t kSplusFanout = 16;

// Arrays of first keys are padded with the greatest key to a multiple of this, so that
// counting needs no remainder.
inline constexpr uint32_t kFirstKeysPadding = kCountedKeys;

// In a namespace of its own for each file, as the kernels are: see kernel_simd.h.
namespace {

// REQUIRES: key >= first_key.
inline uint64_t SegmentSteps(const FenceSegment& segment, uint64_t key) {
  const uint64_t distance = key - segment.first_key;
  // Less than one key a unit; more only where there are duplicates.
  if (__builtin_expect(segment.shift >= 32, 1)) {
    const u128 product = static_cast<u128>(distance) * (static_cast<uint64_t>(segment.slope) << 32);
    return static_cast<uint64_t>(product >> 64) >> (segment.shift - 32);
  }
  const u128 steps = static_cast<u128>(distance) * segment.slope >> segment.shift;
  return steps > UINT64_MAX ? UINT64_MAX : static_cast<uint64_t>(steps);
}

inline uint32_t WindowStart(const FenceSegment& segment, uint64_t key) {
  const uint64_t steps = SegmentSteps(segment, key);
  const uint32_t reached = steps < segment.reach ? static_cast<uint32_t>(steps) : segment.reach;
  return segment.base + (reached > segment.lag ? reached - segment.lag : 0);
}

}  // namespace
}  // namespace omendb::core

#endif  // OMENDB_CORE_FENCE_SEGMENT_H
