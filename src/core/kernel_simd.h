// The kernels, written once over an xsimd architecture.  Included by the
// kernel_<isa>.cpp files only, each compiled with the flags of its ISA; the
// anonymous namespace keeps the linker from merging them.
#ifndef OMENDB_CORE_KERNEL_SIMD_H
#define OMENDB_CORE_KERNEL_SIMD_H

#include <cstddef>
#include <xsimd/xsimd.hpp>

#include "core/fence_search.h"
#include "core/fit_loops.h"
#include "core/kernels.h"

namespace omendb::core {
namespace {

template <class Arch>
struct SimdKernels {
  using Words = xsimd::batch<uint64_t, Arch>;
  static constexpr size_t kStep = Words::size;
  static constexpr size_t kBatches = kLanes / kStep;
  static constexpr size_t kAhead = 8;  // groups, that is cache lines
  static_assert(kLanes % kStep == 0, "a row is a whole number of vectors");

  // Calls emit(row, batch_number, steps) for every vector of every row: predict + residual.
  template <class Emit>
  static inline void ForEachSteps(const PackedColumn& column, uint32_t first_row, uint32_t rows, Emit emit) {
    const uint32_t width = column.width;
    const Words mask(width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1);
    const bool sloped = column.model.slope != 0;
    const int right = column.model.right_shift, left = column.model.left_shift;

    // On magnitudes: the floor of a falling line is minus the ceiling of a rising one.
    const bool falling = column.model.slope < 0;
    const uint64_t slope = static_cast<uint64_t>(falling ? -column.model.slope : column.model.slope);
    const uint64_t round_up = falling ? (uint64_t{1} << right) - 1 : 0;
    Words product[kBatches];
    for (size_t b = 0; b < kBatches; b++) {
      uint64_t lane[kStep];
      for (size_t l = 0; l < kStep; l++) lane[l] = slope * (first_row * kLanes + b * kStep + l) + round_up;
      product[b] = Words::load_unaligned(lane);
    }
    const Words advance(slope * kLanes);

    uint64_t bit = static_cast<uint64_t>(first_row) * width;
    for (uint32_t row = 0; row < rows; row++, bit += width) {
      const uint64_t* group = column.words + (bit >> 6) * kLanes;
      const int shift = static_cast<int>(bit & 63);
      const bool straddles = shift + width > 64;
      // Columns are short: the hardware's prefetcher starts too late for them.
      __builtin_prefetch(group + kAhead * kLanes);
      for (size_t b = 0; b < kBatches; b++) {
        Words steps(uint64_t{0});
        if (width != 0) {
          Words residual = Words::load_unaligned(group + b * kStep) >> shift;
          if (straddles) residual |= Words::load_unaligned(group + kLanes + b * kStep) << (64 - shift);
          steps = residual & mask;
        }
        if (sloped) {
          const Words predicted = (product[b] >> right) << left;
          steps = falling ? steps - predicted : steps + predicted;
          product[b] += advance;
        }
        emit(row, b, steps);
      }
    }
  }

  // The same with values.
  template <class Emit>
  static inline void ForEachVector(const PackedColumn& column, uint32_t first_row, uint32_t rows, Emit emit) {
    const Words base(column.base), scale(column.scale);
    const bool scaled = column.scale != 1;
    ForEachSteps(column, first_row, rows, [&](uint32_t row, size_t b, const Words& steps) {
      emit(row, b, base + (scaled ? steps * scale : steps));
    });
  }

  static void DecodeRows(const PackedColumn& column, uint32_t first_row, uint32_t rows, uint64_t* out) {
    ForEachVector(column, first_row, rows, [out](uint32_t row, size_t b, const Words& value) {
      value.store_unaligned(out + row * kLanes + b * kStep);
    });
  }

  static uint32_t CountBelow(const PackedColumn& column, uint32_t first_row, uint32_t rows, uint64_t key) {
    const Words bound(key), one(uint64_t{1}), zero(uint64_t{0});
    Words total(uint64_t{0});
    ForEachVector(column, first_row, rows,
                  [&](uint32_t, size_t, const Words& value) { total += xsimd::select(value < bound, one, zero); });
    uint64_t lane[kStep];
    total.store_unaligned(lane);
    uint64_t sum = 0;
    for (size_t l = 0; l < kStep; l++) sum += lane[l];
    return static_cast<uint32_t>(sum);
  }

  static uint64_t SumSteps(const PackedColumn& column, uint32_t first_row, uint32_t rows) {
    Words total[kBatches];
    for (Words& part : total) part = Words(uint64_t{0});
    ForEachSteps(column, first_row, rows, [&](uint32_t, size_t b, const Words& steps) { total[b] += steps; });
    uint64_t sum = 0;
    for (const Words& part : total) {
      uint64_t lane[kStep];
      part.store_unaligned(lane);
      for (size_t l = 0; l < kStep; l++) sum += lane[l];
    }
    return sum;
  }

  static void BoundSteps(const PackedColumn& column, uint32_t first_row, uint32_t rows, int64_t* least,
                         int64_t* greatest) {
    SignedWords low[kBatches], high[kBatches];
    for (size_t b = 0; b < kBatches; b++) {
      low[b] = SignedWords(INT64_MAX);
      high[b] = SignedWords(INT64_MIN);
    }
    ForEachSteps(column, first_row, rows, [&](uint32_t, size_t b, const Words& steps) {
      const SignedWords value = xsimd::bitwise_cast<SignedWords>(steps);
      low[b] = xsimd::select(value < low[b], value, low[b]);
      high[b] = xsimd::select(high[b] < value, value, high[b]);
    });
    *least = INT64_MAX;
    *greatest = INT64_MIN;
    for (size_t b = 0; b < kBatches; b++) {
      int64_t lows[kStep], highs[kStep];
      low[b].store_unaligned(lows);
      high[b].store_unaligned(highs);
      for (size_t l = 0; l < kStep; l++) {
        *least = lows[l] < *least ? lows[l] : *least;
        *greatest = highs[l] > *greatest ? highs[l] : *greatest;
      }
    }
  }

  // For FenceSearch.  Signed comparisons of numbers whose highest bit is flipped: AVX2
  // has no others, and xsimd would take the vectors apart.
  template <uint32_t n>
  static inline uint32_t AtMost(const uint64_t* keys, uint64_t key) {
    constexpr uint64_t kSign = uint64_t{1} << 63;
    static_assert(n % kStep == 0, "whole vectors");
    const Words flip(kSign);
    const SignedWords bound(static_cast<int64_t>(key ^ kSign));
    const auto above = [&](const uint64_t* at) {
      return AllOnesWhere(bound < xsimd::bitwise_cast<SignedWords>(Words::load_unaligned(at) ^ flip));
    };
    Words total[2] = {Words(uint64_t{0}), Words(uint64_t{0})};
    for (uint32_t i = 0; i < n / kStep; i++) total[i % 2] += above(keys + i * kStep);
    uint64_t lane[kStep];
    (total[0] + total[1]).store_unaligned(lane);
    uint64_t sum = n;
    for (size_t l = 0; l < kStep; l++) sum += lane[l];  // of -1
    return static_cast<uint32_t>(sum);
  }

  static uint32_t FindFence(const FenceModel& model, const uint64_t* keys, uint64_t key) {
    return FenceSearch<SimdKernels>::Find(model, keys, key);
  }

 private:
  using SignedWords = xsimd::batch<int64_t, Arch>;

  static inline Words AllOnesWhere(const xsimd::batch_bool<int64_t, Arch>& truths) {
    // Most instruction sets have truths in this form.
    if constexpr (sizeof(truths) == sizeof(Words))
      return Words(truths.data);
    else
      return xsimd::bitwise_cast<Words>(xsimd::select(truths, SignedWords(int64_t{-1}), SignedWords(int64_t{0})));
  }
};

// All kernels for an instruction set, in a file that is compiled for it.
template <class Arch>
constexpr Kernels KernelsOf(const char* name) {
  using Simd = SimdKernels<Arch>;
  return {name,  Simd::DecodeRows, Simd::CountBelow,   Simd::SumSteps, Simd::BoundSteps, Simd::FindFence, AllEqual,
          Range, SumMoments,       WidenResidualRange, OffsetRange,    NumberTids,       PackRows};
}

}  // namespace
}  // namespace omendb::core

#endif  // OMENDB_CORE_KERNEL_SIMD_H
