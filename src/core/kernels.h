// The inner loops that are worth SIMD, once per instruction set.
//
// Packed words.  A column of n values packs its residuals, `width` bits each,
// in eight lanes: value i stands in lane i % 8 at row i / 8, and each lane is a
// bit stream of its own, the lanes' 64-bit words interleaved.
//
//        lane 0   lane 1          lane 7
//      +--------+--------+-     -+--------+
//      | word 0 | word 0 |  ...  | word 0 |   bits   0..63  of every lane
//      +--------+--------+-     -+--------+
//      | word 1 | word 1 |  ...  | word 1 |   bits  64..127
//      +--------+--------+-     -+--------+
//
// So a whole row is unpacked with the same two shifts, without gathers, and
// eight neighbours share a cache line.  (After the vertical layout of Lemire and
// Boytsov, "Decoding billions of integers per second through vectorization",
// section 4, widened to 64-bit words.)
#ifndef OMENDB_CORE_KERNELS_H
#define OMENDB_CORE_KERNELS_H

#include <cstdint>

#include "core/linear_model.h"

namespace omendb::core {

inline constexpr uint32_t kLanes = 8;

// What a kernel needs of a column:
// value(i) = base + scale * (predict(i) + residual(i)), modulo 2^64.
struct PackedColumn {
  const uint64_t* words;
  uint64_t base;
  LinearModel model;
  uint64_t scale;
  uint32_t width;  // 0..64; with 0 there are no words
};

struct FenceModel;

// What a least-squares line needs of values v(i): sums over both halves of each, none of
// which overflows for kMaxEntries of them.
struct Moments {
  uint64_t low, high;                    // of v(i)
  uint64_t weighted_low, weighted_high;  // of i * v(i)
};

struct Kernels {
  const char* name;

  // Writes the values of rows [first_row, first_row + rows) to out, 8 a row.
  void (*decode_rows)(const PackedColumn& column, uint32_t first_row, uint32_t rows, uint64_t* out);

  // How many values of these rows are below key (unsigned).
  uint32_t (*count_below)(const PackedColumn& column, uint32_t first_row, uint32_t rows, uint64_t key);

  // Over the values of these rows, in steps: predict(i) + residual(i).  Their sum, and the
  // least and the greatest of them; as signed numbers, modulo 2^64.
  uint64_t (*sum_steps)(const PackedColumn& column, uint32_t first_row, uint32_t rows);
  void (*bound_steps)(const PackedColumn& column, uint32_t first_row, uint32_t rows, int64_t* least, int64_t* greatest);

  // FindFence, see core/fence_model.h: the whole search, so that it is one call.
  uint32_t (*find_fence)(const FenceModel& model, const uint64_t* keys, uint64_t key);

  // Those that fit a node, see core/fit_loops.h; n <= kMaxEntries everywhere.

  // Whether all words are equal to this one.
  bool (*all_equal)(const uint64_t* words, uint32_t n, uint64_t word);

  // The least and the greatest of n >= 1 values.
  void (*range)(const uint64_t* values, uint32_t n, uint64_t* least, uint64_t* greatest);

  void (*moments)(const uint64_t* values, uint32_t n, Moments* moments);

  // Widens [*least, *greatest] to values[i] - first - predict(i) for begin <= i < end.
  void (*residual_range)(const uint64_t* values, uint32_t begin, uint32_t end, uint64_t first, const LinearModel& model,
                         int64_t* least, int64_t* greatest);

  // The same as `range` of the TIDs' offsets; and their numbers, see core/node.h.
  void (*offset_range)(const uint64_t* tids, uint32_t n, uint64_t* least, uint64_t* greatest);
  void (*number_tids)(const uint64_t* tids, uint32_t n, uint64_t span, uint64_t bias, uint64_t* numbers);

  // Packs values[i] - base - predict(i), which are below 2^width, 1 <= width <= 64, to
  // `rows` whole rows of words, all of which are written.
  void (*pack_rows)(const uint64_t* values, const PackedColumn& column, uint32_t rows, uint64_t* words);
};

// The kernels of this machine, chosen once when the library is loaded.
const Kernels& ActiveKernels();

// Every version that was compiled and that this machine can run; the scalar one
// first, the preferred one last.  Returns their number.
inline constexpr int kMaxKernels = 4;
int AvailableKernels(const Kernels* out[kMaxKernels]);

// For tests and benchmarks: use this version from now on.
void UseKernels(const Kernels& kernels);

extern const Kernels kScalarKernels;

}  // namespace omendb::core

#endif  // OMENDB_CORE_KERNELS_H
