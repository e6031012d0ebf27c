// Byte strings for tests: their memory, orders of bytes columns, and random values.
#ifndef OMENDB_TEST_UNIT_RANDOM_BYTES_H
#define OMENDB_TEST_UNIT_RANDOM_BYTES_H

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "unit/random.h"

namespace omendb::test {

inline core::ByteView View(const std::string& s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), static_cast<uint32_t>(s.size())};
}
inline std::string Text(core::ByteView v) { return std::string(reinterpret_cast<const char*>(v.data), v.size); }
inline std::string Text(uint64_t word) { return Text(core::ViewOf(word)); }

// Values, each in a buffer of exactly its size.
class Values {
 public:
  uint64_t Add(const std::string& s) {
    buffers_.emplace_back(new uint8_t[core::kValueSizeBytes + s.size()]);
    core::StoreBytes(View(s), buffers_.back().get());
    return core::WordOf(buffers_.back().get());
  }

 private:
  std::vector<std::unique_ptr<uint8_t[]>> buffers_;
};

// Equal values may differ in their bytes.
inline const char kOrderState[] = "the state that an order's function gets";

inline std::string WithoutCase(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return s;
}

inline int CompareWithoutCase(const void* state, core::ByteView a, core::ByteView b) {
  if (state != kOrderState) {
    std::fprintf(stderr, "violated: the function gets its state\n");
    std::abort();
  }
  return WithoutCase(Text(a)).compare(WithoutCase(Text(b)));
}

// Short ones first: no two values are equal.
inline int CompareShortFirst(const void*, core::ByteView a, core::ByteView b) {
  return a.size != b.size ? (a.size < b.size ? -1 : 1) : core::CompareBytes(a, b);
}
inline uint64_t HeadShortFirst(const void*, core::ByteView value) { return value.size; }

// The first letter, or what stands there.
inline uint64_t HeadWithoutCase(const void*, core::ByteView value) {
  return value.size == 0 ? 0 : uint64_t{1} + static_cast<uint8_t>(WithoutCase(Text(value))[0]);
}

inline const core::ByteOrder kByteOrders[] = {
    {nullptr, nullptr, 0, false},
    {nullptr, nullptr, 0, true},
    {nullptr, nullptr, 2, false},
    {nullptr, nullptr, 2, true},
    {CompareWithoutCase, kOrderState, 0, false},
    {CompareWithoutCase, kOrderState, 0, true},
    {CompareWithoutCase, kOrderState, 0, false, HeadWithoutCase},
    {CompareWithoutCase, kOrderState, 0, true, HeadWithoutCase},
    {CompareShortFirst, nullptr, 0, false, HeadShortFirst, true},
    {CompareShortFirst, nullptr, 0, true, nullptr, true},
};

inline constexpr uint32_t kLongestTail = 2;

inline const core::ByteOrder& RandomByteOrder(Random& random) {
  return kByteOrders[random.Below(std::size(kByteOrders))];
}

// The strings of a column: `prefix`, then up to `most` letters.
struct StringShape {
  std::string prefix;
  uint32_t alphabet = 26;
  uint32_t most = 12;

  std::string Draw(Random& random) const {
    std::string s = prefix;
    for (uint64_t n = random.Below(most + 1); n > 0; n--)
      s += static_cast<char>(alphabet == 256 ? random.Below(256) : 'a' + random.Below(alphabet));
    return s;
  }
};

// No string is longer than `longest`.
inline StringShape RandomStringShape(uint32_t longest, Random& random) {
  StringShape shape;
  constexpr uint32_t kAlphabets[] = {1, 2, 26, 256};
  shape.alphabet = kAlphabets[random.Below(4)];
  shape.most = static_cast<uint32_t>(random.OneIn(8) ? random.Below(longest + 1) : random.Below(15));
  if (shape.most > longest) shape.most = longest;
  const uint64_t room = longest - shape.most;
  if (random.OneIn(2)) {
    const uint64_t n = random.OneIn(5) ? random.Below(room + 1) : random.Below(room < 20 ? room + 1 : 20);
    while (shape.prefix.size() < n) shape.prefix += static_cast<char>('a' + random.Below(26));
  }
  return shape;
}

// The bytes of a value that do not count in its order: its case, or its tail.
inline std::string Varied(std::string s, const core::ByteOrder& order, Random& random) {
  if (order.function == CompareWithoutCase)
    for (char& c : s)
      if (c >= 'a' && c <= 'z' && random.OneIn(4)) c = static_cast<char>(c - 'a' + 'A');
  for (uint16_t i = 0; i < order.tail; i++) s += static_cast<char>(random.Below(i == 0 ? 1 : 3));
  return s;
}

// A value near another one, and not longer than `longest`.
inline std::string Near(std::string s, const core::ByteOrder& order, size_t longest, Random& random) {
  s.resize(s.size() < order.tail ? 0 : s.size() - order.tail);
  switch (random.Below(5)) {
    case 0:
      if (!s.empty()) s[random.Below(s.size())] = static_cast<char>(random.Next());
      break;
    case 1:
      if (!s.empty()) s.back() = static_cast<char>(s.back() + (random.OneIn(2) ? 1 : -1));
      break;
    case 2:
      s += static_cast<char>(random.OneIn(2) ? 0 : random.Next());
      break;
    case 3:
      s.resize(random.Below(s.size() + 1));
      break;
    default:
      break;
  }
  if (s.size() + order.tail > longest) s.resize(longest - order.tail);
  return Varied(s, order, random);
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_RANDOM_BYTES_H
