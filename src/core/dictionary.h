// The values of a bytes column on a node: the distinct ones, sorted and front-coded.  The
// column itself holds their numbers, an ordinary column of words (core/column.h): where all
// values differ and the column is sorted these are 0, 1, 2 ... and take no room.
//
//   offset  bytes
//        0     2  count       of values
//        2     2  prefix      bytes that all values begin with
//        4     4  plain       bytes of all values, each with its size (bytes.h)
//        8     2  size        of the dictionary, a multiple of 8
//       10     2  longest     bytes of the longest value
//       12     4  reserved
//       16   8*r  heads       of every 16th value: the first 8 bytes behind the prefix, the most
//                             significant first; complements where the order descends.  In
//                             bytewise orders only.
//        .   2*r  restarts    where that value begins, from the dictionary's start
//        .     .  prefix
//        .     .  values      shared (1 or 2), rest (1 or 2), rest bytes
//
// `shared` is how many bytes, behind the prefix, a value has in common with the one before;
// of every 16th, which can be read without others, it is 0.  A number below 128 takes one
// byte; else the first has the upper 7 bits, and the sign bit, and the second the lower 8.
//
// Values are sorted by the column's order, and equal ones by their bytes.
#ifndef OMENDB_CORE_DICTIONARY_H
#define OMENDB_CORE_DICTIONARY_H

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/bytes.h"

namespace omendb::core {

struct DictionaryHeader {
  uint16_t count;
  uint16_t prefix;
  uint32_t plain;
  uint16_t size;
  uint16_t longest;
  uint32_t reserved;
};
static_assert(sizeof(DictionaryHeader) == 16 && std::is_trivially_copyable_v<DictionaryHeader>);

inline constexpr uint32_t kRestartInterval = 16;

// The order of INCLUDE columns, which need none.
extern const ByteOrder kPlainByteOrder;
inline const ByteOrder& OrderOf(const Shape& shape, int column) {
  return column < shape.key_columns ? shape.order[column] : kPlainByteOrder;
}

// Finds the distinct values among words[0..n), sorted as a dictionary has them, and gives
// each word its number in them.  Both arrays have room for n <= kMaxEntries.  Returns how many.
uint32_t NumberDistinct(const uint64_t* words, uint32_t n, const ByteOrder& order, uint64_t* distinct,
                        uint64_t* numbers);

// The header of a dictionary of these values; `size` may exceed what a page holds, as
// *bytes says.
DictionaryHeader PlanDictionary(const uint64_t* distinct, uint32_t count, const ByteOrder& order, size_t* bytes);

// Writes the dictionary that was planned, header.size bytes.
void WriteDictionary(const uint64_t* distinct, const DictionaryHeader& header, const ByteOrder& order, uint8_t* out);

// A view of a dictionary inside a node image.  Cheap to make, copies nothing.
class Dictionary {
 public:
  Dictionary(const uint8_t* bytes, const ByteOrder& order) : bytes_(bytes), order_(&order) {
    std::memcpy(&header_, bytes, sizeof header_);
  }

  // Whether `available` untrusted bytes hold a dictionary that every method here can read
  // without leaving it.  It does not check the order of values.
  static bool IsValid(const uint8_t* bytes, size_t available, bool bytewise);

  const uint8_t* bytes() const { return bytes_; }
  // Those at the beginning that every search reads.
  size_t searched_bytes() const { return static_cast<size_t>(prefix().data - bytes_); }
  const DictionaryHeader& header() const { return header_; }
  uint32_t count() const { return header_.count; }

  // The numbers of the values equal to `key`, [*begin, *end); if there are none, both are
  // that of the first value behind it.
  void Find(ByteView key, uint32_t* begin, uint32_t* end) const;

  // Copies value i; `out` has room for kValueSizeBytes + header().longest.
  void Get(uint32_t i, uint8_t* out) const { Decode(i, i + 1, out, nullptr); }

  // Copies values [begin, end) one behind the other, each as bytes.h has it, and says where:
  // words[0..end-begin), or null.  Returns the byte behind.  The room they take is at most
  // header().plain.
  uint8_t* Decode(uint32_t begin, uint32_t end, uint8_t* out, uint64_t* words) const;

 private:
  uint32_t restarts() const { return (count() + kRestartInterval - 1) / kRestartInterval; }
  const uint8_t* heads() const { return bytes_ + sizeof(DictionaryHeader); }
  const uint8_t* restart_offsets() const {
    return heads() + (order_->bytewise() ? sizeof(uint64_t) * restarts() : size_t{0});
  }
  ByteView prefix() const { return {restart_offsets() + sizeof(uint16_t) * restarts(), header_.prefix}; }
  const uint8_t* RestartAt(uint32_t r) const;

  uint32_t FindRestart(ByteView key) const;
  void FindBytes(ByteView wanted, uint32_t* begin, uint32_t* end) const;
  void FindByOrder(ByteView wanted, uint32_t* begin, uint32_t* end) const;

  const uint8_t* bytes_;
  const ByteOrder* order_;
  DictionaryHeader header_;
};

}  // namespace omendb::core

#endif  // OMENDB_CORE_DICTIONARY_H
