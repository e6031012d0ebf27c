// One column of a node: up to kMaxEntries unsigned 64-bit values, each
// readable on its own in O(1).
//
//   value(i) = base + scale * (predict(i) + residual(i))            modulo 2^64
//
// covers every codec; what differs is which terms are there:
//
//   kConstant   base                              no words at all
//   kReference  base + scale * residual           frame of reference
//   kLinear     base + scale * (predict + residual)
//                                                 width 0 where the line is exact
//   kRaw        residual of 64 bits               base 0, scale 1
//
// Residuals are non-negative, below 2^width, packed as kernels.h draws it.  The
// scale is the common divisor of the differences: timestamps to the minute are
// multiples of 60,000,000 microseconds, which would be 26 bits a value.
#ifndef OMENDB_CORE_COLUMN_H
#define OMENDB_CORE_COLUMN_H

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/kernels.h"
#include "core/limits.h"
#include "core/linear_model.h"
#include "core/prefetch.h"

namespace omendb::core {

enum class Codec : uint8_t { kConstant = 1, kReference = 2, kLinear = 3, kRaw = 4 };

// On the page, 40 bytes:
//
//   0 codec | 1 width | 2 right_shift | 3 left_shift | 4 data_offset (2)
//   6 inverse_shift | 7 flags | 8 base (8) | 16 slope (8) | 24 inverse (8)
//   32 scale (8)
struct ColumnHeader {
  Codec codec;
  uint8_t width;
  uint8_t right_shift;
  uint8_t left_shift;
  uint16_t data_offset;  // of the words, in bytes from the node's start; a multiple of 8
  uint8_t inverse_shift;
  uint8_t flags;
  uint64_t base;
  int64_t slope;
  uint64_t inverse;  // see ModelInverse; 0 unless the column is sorted and kLinear
  uint64_t scale;    // at least 1

  // The integer that `base` stands for is base - 2^64: the line of a sorted
  // column may start below 0.
  static constexpr uint8_t kNegativeBase = 1;
};
static_assert(sizeof(ColumnHeader) == 40 && std::is_trivially_copyable_v<ColumnHeader>);

// The integer that a header's base stands for.
inline i128 BaseOf(const ColumnHeader& header) {
  return static_cast<i128>(header.base) -
         ((header.flags & ColumnHeader::kNegativeBase) != 0 ? static_cast<i128>(1) << 64 : 0);
}

// Bytes of packed words for n values of this width.
inline size_t PackedBytes(uint32_t n, uint32_t width) {
  const size_t rows = (n + kLanes - 1) / kLanes;
  return (rows * width + 63) / 64 * kLanes * sizeof(uint64_t);
}

inline uint64_t UnpackResidual(const uint64_t* words, uint32_t width, uint32_t i) {
  const uint64_t bit = static_cast<uint64_t>(i / kLanes) * width;
  const uint64_t* word = words + (bit >> 6) * kLanes + i % kLanes;
  // The last bit's word: the same one, unless the value straddles two.
  const uint64_t* next = words + ((bit + width - 1) >> 6) * kLanes + i % kLanes;
  const uint32_t shift = bit & 63;
  const uint64_t mask = ~uint64_t{0} >> (64 - width);
  return ((*word >> shift) | ((*next << 1) << (63 - shift))) & mask;
}

inline uint64_t UnpackValue(const PackedColumn& column, uint32_t i) {
  uint64_t steps = column.model.Predict(i);
  if (column.width != 0) steps += UnpackResidual(column.words, column.width, i);
  return column.base + column.scale * steps;
}

// A view of a column inside a node image.  Cheap to make, copies nothing.
class Column {
 public:
  Column(const uint8_t* node, const ColumnHeader& header)
      : packed_{reinterpret_cast<const uint64_t*>(node + header.data_offset), header.base,
                LinearModel{header.slope, header.right_shift, header.left_shift}, header.scale, header.width},
        header_(&header) {}

  uint64_t Get(uint32_t i) const { return UnpackValue(packed_, i); }

  // Writes values [begin, end) to out.
  void Decode(uint32_t begin, uint32_t end, uint64_t* out) const;

  // For a sorted column of n values: the entries that can be the first one
  // >= key, as [*begin, *end] with *end <= n.  Proof in src/README, "The search bound".
  void Window(uint64_t key, uint32_t n, uint32_t* begin, uint32_t* end) const;

  // Fetches the words of values [begin, end) into the cache, if they are few.
  void Prefetch(uint32_t begin, uint32_t end) const;

  // For values sorted within [begin, end): the first one >= key, or end.
  uint32_t LowerBound(uint64_t key, uint32_t begin, uint32_t end) const;

  // The same in a window of a column of n values, sorted as a whole: those before
  // `begin` are below key, those from `end` on are not.
  uint32_t LowerBoundInWindow(uint64_t key, uint32_t begin, uint32_t end, uint32_t n) const;

  // Where the model expects a key, in a column of n > 0 values sorted as a whole: in the
  // middle of its window.  False if no line leads there.
  bool Estimate(uint64_t key, uint32_t n, uint32_t* position) const;

  // The first value >= key of such a column, or n, looking around an estimate first.
  uint32_t LowerBoundNear(uint64_t key, uint32_t position, uint32_t n) const;

  // The same, estimate included.
  uint32_t LowerBoundSorted(uint64_t key, uint32_t n) const {
    uint32_t position;
    return Estimate(key, n, &position) ? LowerBoundNear(key, position, n) : LowerBoundByWindow(key, n);
  }
  uint32_t LowerBoundByWindow(uint64_t key, uint32_t n) const;

  // Fetches the word of a value into the cache, and with it most of its neighbours'.
  void PrefetchAt(uint32_t position) const {
    if (packed_.width == 0) return;
    omendb::core::Prefetch(packed_.words + (static_cast<uint64_t>(position / kLanes) * packed_.width >> 6) * kLanes +
                           position % kLanes);
  }

  // The end of the run of values equal to key that starts at `begin`, in values
  // sorted within [begin, end).  Gallops: most runs are short.
  uint32_t RunEnd(uint64_t key, uint32_t begin, uint32_t end) const;

  // Whether the header alone says that all n values are below `limit`, for n >= 1 and
  // any header that ColumnHeaderIsValid accepts.
  bool IsBelow(u128 limit, uint32_t n) const;

  const ColumnHeader& header() const { return *header_; }
  const PackedColumn& packed() const { return packed_; }

 private:
  // How many positions the line takes to rise by a distance; not more than n.
  uint32_t Advance(uint64_t distance, uint32_t n) const;

  // Narrows a window to what is quick to count in.
  void Halve(uint64_t key, uint32_t* begin, uint32_t* end) const;

  PackedColumn packed_;
  const ColumnHeader* header_;
};

// Chooses codec and model for values[0..n), 1 <= n <= kMaxEntries: the fewest
// bits, and where `sorted` the model that finds a key fastest among those.  All
// fields are set but data_offset.  `inherited`, if given, is one more candidate: a part of a
// column never needs more bits than the whole column did (Shifted below).
ColumnHeader FitColumn(const uint64_t* values, uint32_t n, bool sorted, const ColumnHeader* inherited = nullptr);

// Whether values[0..n) could stand at positions [from, from + n) of a column with this
// header: its line is close enough and its scale divides them.
bool ColumnCovers(const ColumnHeader& header, uint32_t from, const uint64_t* values, uint32_t n);

// Packs values[0..n) to positions [from, from + n) of words, PackedBytes(from + n, header.width)
// bytes, in which the values before are; what was behind them goes.  REQUIRES: `header` is
// from FitColumn on the same values, or it covers them.
void PackColumn(const uint64_t* values, uint32_t n, const ColumnHeader& header, uint64_t* words, uint32_t from = 0);

// Whether a header read from untrusted bytes can be used for n values without
// leaving a node of node_bytes bytes.
bool ColumnHeaderIsValid(const ColumnHeader& header, uint32_t n, size_t node_bytes);

}  // namespace omendb::core

#endif  // OMENDB_CORE_COLUMN_H
