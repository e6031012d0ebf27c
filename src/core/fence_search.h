// The search of every fence model, written once over a way to count.  Included by the
// kernel_<isa>.cpp files only, each compiled with the flags of its ISA; the anonymous
// namespace keeps the linker from merging them.
#ifndef OMENDB_CORE_FENCE_SEARCH_H
#define OMENDB_CORE_FENCE_SEARCH_H

#include "core/fence_segment.h"

namespace omendb::core {
namespace {

// Count has  template <uint32_t n> static uint32_t AtMost(const uint64_t* keys, uint64_t key):
// how many of n keys, a multiple of 8, are <= key.
template <class Count>
struct FenceSearch {
  // The number of keys <= key, which is known to lie in [start, start + width].
  static inline uint32_t UpperBound(const uint64_t* keys, uint32_t count, uint32_t start, uint32_t width,
                                    uint64_t key) {
    if (width <= kFewKeys && count >= kFewKeys) return Counted<kFewKeys>(keys, count, start, key);
    if (width <= kCountedKeys && count >= kCountedKeys) return Counted<kCountedKeys>(keys, count, start, key);
    return Halved(keys, count, start, width, key);
  }

  // Keys before the window are <= key and those behind it are not, so more of them can be
  // counted.
  template <uint32_t n>
  static inline uint32_t Counted(const uint64_t* keys, uint32_t count, uint32_t start, uint64_t key) {
    if (start > count - n) start = count - n;
    return start + Count::template AtMost<n>(keys + start, key);
  }

  // Out of line, so that the others need no registers for it.
  __attribute__((noinline)) static uint32_t Halved(const uint64_t* keys, uint32_t count, uint32_t start, uint32_t width,
                                                   uint64_t key) {
    while (width > kCountedKeys) {
      const uint32_t half = width / 2;
      start += keys[start + half - 1] <= key ? half : 0;
      width -= half;
    }
    if (count >= kCountedKeys) return Counted<kCountedKeys>(keys, count, start, key);
    while (width > 0 && keys[start] <= key) start++, width--;
    return start;
  }

  static inline uint32_t UpperBound(const uint64_t* keys, uint32_t count, const FenceSegment& segment, uint64_t key) {
    return UpperBound(keys, count, WindowStart(segment, key), segment.width, key);
  }

  __attribute__((noinline)) static uint32_t Rmi(const FenceModelBlock& block, const uint64_t* keys, uint64_t key) {
    const uint64_t steps = SegmentSteps(block.root, key);
    const uint32_t last = block.model.segments - 1;
    const uint32_t chosen = steps < last ? static_cast<uint32_t>(steps) : last;
    const FenceSegment& segment = At<FenceSegment>(block, block.level[0].segments_at)[chosen];
    // Queries of a segment may be below its first key.
    const uint32_t start = WindowStart(segment, key > segment.first_key ? key : segment.first_key);
    return UpperBound(keys, block.model.count, start, segment.width, key) - 1;
  }

  __attribute__((noinline)) static uint32_t Pgm(const FenceModelBlock& block, const uint64_t* keys, uint64_t key) {
    const FenceSegment* segment = &block.root;
    for (int l = block.model.levels - 2; l >= 0; l--) {
      const FenceLevel& level = block.level[l];
      const uint64_t* first_keys = At<uint64_t>(block, level.keys_at);
      uint32_t below = UpperBound(first_keys, RoundUp(level.count, kFirstKeysPadding), *segment, key);
      if (below > level.count) below = level.count;  // the padding is <= the greatest key
      segment = At<FenceSegment>(block, level.segments_at) + (below - 1);
    }
    return UpperBound(keys, block.model.count, *segment, key) - 1;
  }

  __attribute__((noinline)) static uint32_t Splus(const FenceModelBlock& block, const uint64_t* keys, uint64_t key) {
    uint32_t node = 0;
    for (int l = block.model.levels - 2; l >= 0; l--) {
      const FenceLevel& level = block.level[l];
      const uint64_t* first_keys = At<uint64_t>(block, level.keys_at) + node * kSplusFanout;
      uint32_t below = node * kSplusFanout + Count::template AtMost<kSplusFanout>(first_keys, key);
      if (below > level.count) below = level.count;
      node = below - 1;
    }
    return UpperBound(keys, block.model.count, node * kSplusFanout, Least(kSplusFanout, block.model.count), key) - 1;
  }

  static uint32_t Find(const FenceModel& model, const uint64_t* keys, uint64_t key) {
    const FenceModelBlock& block = reinterpret_cast<const FenceModelBlock&>(model);
    if (key < block.least_key) return 0;
    switch (model.kind) {
      case FenceModelKind::kLinear:
        return UpperBound(keys, model.count, block.root, key) - 1;
      case FenceModelKind::kRmi:
        return Rmi(block, keys, key);
      case FenceModelKind::kPgm:
        return Pgm(block, keys, key);
      case FenceModelKind::kSplus:
        break;
    }
    return Splus(block, keys, key);
  }

 private:
  template <class T>
  static inline const T* At(const FenceModelBlock& block, uint32_t offset) {
    return reinterpret_cast<const T*>(reinterpret_cast<const uint8_t*>(&block) + offset);
  }
  static constexpr uint32_t Least(uint32_t a, uint32_t b) { return a < b ? a : b; }
  static constexpr uint32_t RoundUp(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }
};

}  // namespace
}  // namespace omendb::core

#endif  // OMENDB_CORE_FENCE_SEARCH_H
