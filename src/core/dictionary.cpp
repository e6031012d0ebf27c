#include "core/dictionary.h"

#include <algorithm>

namespace omendb::core {

const ByteOrder kPlainByteOrder = {nullptr, nullptr, 0, false};

namespace {

ByteView Behind(ByteView value, uint32_t bytes) { return {value.data + bytes, value.size - bytes}; }

uint64_t HeadIn(const ByteOrder& order, ByteView key) { return order.descending ? ~HeadOf(key) : HeadOf(key); }

size_t NumberBytes(uint32_t number) { return number < 0x80 ? 1 : 2; }

uint8_t* WriteNumber(uint32_t number, uint8_t* out) {
  if (number >= 0x80) *out++ = static_cast<uint8_t>(0x80 | number >> 8);
  *out++ = static_cast<uint8_t>(number);
  return out;
}

const uint8_t* ReadNumber(const uint8_t* at, uint32_t* number) {
  *number = *at++;
  if ((*number & 0x80) != 0) *number = (*number & 0x7F) << 8 | *at++;
  return at;
}

// memcpy, without a call for the few bytes that most values have.
inline void CopyBytes(const uint8_t* from, uint32_t n, uint8_t* to) {
  const auto copy = [&](auto word) {
    decltype(word) first, last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + n - sizeof last, sizeof last);
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + n - sizeof last, &last, sizeof last);
  };
  if (n > 2 * sizeof(u128)) {
    std::memcpy(to, from, n);
  } else if (n >= sizeof(u128)) {
    copy(u128{});
  } else if (n >= sizeof(uint64_t)) {
    copy(uint64_t{});
  } else if (n >= sizeof(uint32_t)) {
    copy(uint32_t{});
  } else {
    for (uint32_t i = 0; i < n; i++) to[i] = from[i];
  }
}

// Values of a dictionary one after the other, all behind the prefix.
struct Cursor {
  const uint8_t* at = nullptr;
  uint32_t size = 0;  // of the current value
  uint8_t* value;     // its bytes

  // To the next value; `shared` bytes of it are the last one's.
  uint32_t Next() {
    uint32_t shared, rest;
    at = ReadNumber(at, &shared);
    at = ReadNumber(at, &rest);
    std::memcpy(value + shared, at, rest);
    at += rest;
    size = shared + rest;
    return shared;
  }
};

// The common prefix of sorted values that may be cut off: of a bytewise order, not more than
// the key of the shortest.
uint32_t PrefixOf(const uint64_t* distinct, uint32_t count, const ByteOrder& order) {
  if (count < 2) return 0;
  const ByteView first = ViewOf(distinct[0]);
  uint32_t prefix = first.size;
  for (uint32_t i = 0; i < count && prefix > 0; i++) {
    const ByteView value = ViewOf(distinct[i]);
    if (order.bytewise()) prefix = std::min(prefix, order.KeyOf(value).size);
    prefix = std::min(prefix, CommonBytes(first, value));
  }
  return prefix;
}

}  // namespace

uint32_t NumberDistinct(const uint64_t* words, uint32_t n, const ByteOrder& order, uint64_t* distinct,
                        uint64_t* numbers) {
  const auto compare = [&order](uint64_t a, uint64_t b) {
    if (a == b) return 0;
    const int by_order = order.Compare(a, b);
    return by_order != 0 ? by_order : CompareBytes(ViewOf(a), ViewOf(b));
  };
  // Sorted as they are, as in the first column of an index, they are only numbered.
  uint32_t count = 0;
  bool sorted = true;
  for (uint32_t i = 0; i < n; i++) {
    const int step = i == 0 ? -1 : compare(distinct[count - 1], words[i]);
    if (step > 0) {
      sorted = false;
      break;
    }
    if (step < 0) distinct[count++] = words[i];
    numbers[i] = count - 1;
  }
  if (sorted) return count;

  // What the bytes begin with decides most comparisons.
  struct Item {
    uint64_t head;
    uint32_t i;
  };
  Item items[kMaxEntries];
  uint32_t prefix = 0;
  if (order.bytewise()) {
    const ByteView first = order.KeyOf(ViewOf(words[0]));
    prefix = first.size;
    for (uint32_t i = 1; i < n && prefix > 0; i++)
      prefix = CommonBytes({first.data, prefix}, order.KeyOf(ViewOf(words[i])));
  }
  for (uint32_t i = 0; i < n; i++)
    items[i] = {order.bytewise() ? HeadIn(order, Behind(order.KeyOf(ViewOf(words[i])), prefix)) : 0, i};
  std::sort(items, items + n, [&](const Item& a, const Item& b) {
    return a.head != b.head ? a.head < b.head : compare(words[a.i], words[b.i]) < 0;
  });
  count = 0;
  for (uint32_t k = 0; k < n; k++) {
    const uint64_t word = words[items[k].i];
    if (k == 0 || items[k].head != items[k - 1].head || compare(distinct[count - 1], word) != 0)
      distinct[count++] = word;
    numbers[items[k].i] = count - 1;
  }
  return count;
}

DictionaryHeader PlanDictionary(const uint64_t* distinct, uint32_t count, const ByteOrder& order, size_t* bytes) {
  DictionaryHeader header;
  std::memset(&header, 0, sizeof header);
  const uint32_t prefix = PrefixOf(distinct, count, order);
  const size_t restarts = (count + kRestartInterval - 1) / kRestartInterval;
  size_t size = sizeof header + restarts * (sizeof(uint16_t) + (order.bytewise() ? kHeadBytes : 0)) + prefix;
  size_t plain = 0;
  uint32_t longest = 0;
  for (uint32_t i = 0; i < count; i++) {
    const ByteView value = ViewOf(distinct[i]), behind = Behind(value, prefix);
    const uint32_t shared =
        i % kRestartInterval == 0 ? 0 : CommonBytes(Behind(ViewOf(distinct[i - 1]), prefix), behind);
    const uint32_t rest = behind.size - shared;
    size += NumberBytes(shared) + NumberBytes(rest) + rest;
    plain += kValueSizeBytes + value.size;
    longest = std::max(longest, value.size);
  }
  size = (size + 7) / 8 * 8;
  header.count = static_cast<uint16_t>(count);
  header.prefix = static_cast<uint16_t>(prefix);
  header.plain = static_cast<uint32_t>(plain);
  header.size = static_cast<uint16_t>(size);
  header.longest = static_cast<uint16_t>(longest);
  *bytes = size;
  return header;
}

void WriteDictionary(const uint64_t* distinct, const DictionaryHeader& header, const ByteOrder& order, uint8_t* out) {
  const uint32_t count = header.count, prefix = header.prefix;
  const uint32_t restarts = (count + kRestartInterval - 1) / kRestartInterval;
  std::memcpy(out, &header, sizeof header);
  uint8_t* heads = out + sizeof header;
  uint8_t* offsets = heads + (order.bytewise() ? kHeadBytes * restarts : 0);
  uint8_t* at = offsets + sizeof(uint16_t) * restarts;
  if (prefix > 0) std::memcpy(at, ViewOf(distinct[0]).data, prefix);
  at += prefix;
  for (uint32_t i = 0; i < count; i++) {
    const ByteView value = Behind(ViewOf(distinct[i]), prefix);
    uint32_t shared = 0;
    if (i % kRestartInterval == 0) {
      const uint32_t r = i / kRestartInterval;
      const uint16_t offset = static_cast<uint16_t>(at - out);
      std::memcpy(offsets + sizeof offset * r, &offset, sizeof offset);
      if (order.bytewise()) {
        const uint64_t head = HeadIn(order, Behind(order.KeyOf(ViewOf(distinct[i])), prefix));
        std::memcpy(heads + kHeadBytes * r, &head, kHeadBytes);
      }
    } else {
      shared = CommonBytes(Behind(ViewOf(distinct[i - 1]), prefix), value);
    }
    at = WriteNumber(shared, at);
    at = WriteNumber(value.size - shared, at);
    std::memcpy(at, value.data + shared, value.size - shared);
    at += value.size - shared;
  }
  std::memset(at, 0, static_cast<size_t>(out + header.size - at));
}

bool Dictionary::IsValid(const uint8_t* bytes, size_t available, bool bytewise) {
  DictionaryHeader header;
  if (available < sizeof header) return false;
  std::memcpy(&header, bytes, sizeof header);
  const uint32_t restarts = (uint32_t{header.count} + kRestartInterval - 1) / kRestartInterval;
  const size_t offsets = sizeof header + (bytewise ? kHeadBytes * restarts : 0);
  const size_t values = offsets + sizeof(uint16_t) * restarts + header.prefix;
  if (header.size > available || header.size % 8 != 0 || values > header.size || header.prefix > header.longest ||
      header.longest > kMaxEntryBytes - kValueSizeBytes)
    return false;
  size_t at = values, plain = 0;
  uint32_t size = 0;
  // Each of the two numbers, if there is room for one.
  const auto read = [&](uint32_t* number) {
    if (at >= header.size || (bytes[at] >= 0x80 && at + 1 >= header.size)) return false;
    at = static_cast<size_t>(ReadNumber(bytes + at, number) - bytes);
    return true;
  };
  for (uint32_t i = 0; i < header.count; i++) {
    if (i % kRestartInterval == 0) {
      uint16_t offset;
      std::memcpy(&offset, bytes + offsets + sizeof offset * (i / kRestartInterval), sizeof offset);
      if (offset != at) return false;
      size = 0;
    }
    uint32_t shared, rest;
    if (!read(&shared) || !read(&rest) || shared > size || rest > header.size - at) return false;
    at += rest;
    size = shared + rest;
    if (header.prefix + size > header.longest) return false;
    plain += kValueSizeBytes + header.prefix + size;
  }
  return plain == header.plain;
}

const uint8_t* Dictionary::RestartAt(uint32_t r) const {
  uint16_t offset;
  std::memcpy(&offset, restart_offsets() + sizeof offset * r, sizeof offset);
  return bytes_ + offset;
}

// The first restart whose value is not below the key; restarts() if there is none.
// REQUIRES: in a bytewise order, `key` is what is behind the prefix.
uint32_t Dictionary::FindRestart(ByteView key) const {
  uint32_t low = 0, high = restarts();
  if (order_->bytewise()) {
    const uint64_t head = HeadIn(*order_, key);
    const auto head_at = [this](uint32_t r) {
      uint64_t at;
      std::memcpy(&at, heads() + kHeadBytes * r, kHeadBytes);
      return at;
    };
    // Those with the same head, of which the values decide.
    const auto first_head = [&](bool above) {
      uint32_t begin = 0, end = restarts();
      while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        const uint64_t at = head_at(middle);
        if (at < head || (above && at == head))
          begin = middle + 1;
        else
          end = middle;
      }
      return begin;
    };
    low = first_head(false);
    high = low < high && head_at(low) == head ? first_head(true) : low;
  }
  uint8_t whole[kMaxEntryBytes];
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    uint32_t shared, size;
    const uint8_t* at = ReadNumber(ReadNumber(RestartAt(middle), &shared), &size);
    ByteView value = {at, size};
    int order;
    if (order_->bytewise()) {
      order = CompareBytes(order_->KeyOf(value), key);
      if (order_->descending) order = -order;
    } else {
      std::memcpy(whole, prefix().data, header_.prefix);
      std::memcpy(whole + header_.prefix, value.data, size);
      order = order_->Compare(ByteView{whole, header_.prefix + size}, key);
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void Dictionary::Find(ByteView key, uint32_t* begin, uint32_t* end) const {
  if (!order_->bytewise()) return FindByOrder(key, begin, end);
  ByteView wanted = order_->KeyOf(key);
  const ByteView common = prefix();
  const ByteView start = {wanted.data, std::min(wanted.size, common.size)};
  const int order = CompareBytes(start, common);
  if (order != 0) {
    *begin = *end = (order < 0) == order_->descending ? count() : 0;
    return;
  }
  wanted = Behind(wanted, common.size);
  if (order_->tail == 0)
    FindBytes(wanted, begin, end);
  else
    FindByOrder(wanted, begin, end);
}

// In a bytewise order, all of whose bytes count: values are compared where they stand.
void Dictionary::FindBytes(ByteView wanted, uint32_t* begin, uint32_t* end) const {
  const uint32_t n = count(), restart = FindRestart(wanted), stop = std::min(restart * kRestartInterval, n);
  // What the last value, which comes before the key, has in common with it.
  uint32_t agreed = 0;
  const auto compare = [&](ByteView rest) {
    const ByteView behind = Behind(wanted, agreed);
    const uint32_t same = CommonBytes(rest, behind);
    agreed += same;
    const int order = CompareBytes(Behind(rest, same), Behind(behind, same));
    return order_->descending ? -order : order;
  };
  const auto next = [](const uint8_t* at, uint32_t* shared, ByteView* rest) {
    rest->data = ReadNumber(ReadNumber(at, shared), &rest->size);
    return rest->data + rest->size;
  };
  uint32_t shared;
  ByteView rest;
  if (restart > 0) {
    const uint8_t* at = RestartAt(restart - 1);
    for (uint32_t i = (restart - 1) * kRestartInterval; i < stop; i++) {
      at = next(at, &shared, &rest);
      // It differs from the key where the last one does, or has less in common with it.
      if (shared > agreed) continue;
      const int order = shared < agreed ? 1 : compare(rest);
      if (order < 0) continue;
      *begin = i;
      *end = order == 0 ? i + 1 : i;
      return;
    }
  }
  // The restart's value, or one behind all others.
  *begin = *end = stop;
  if (stop == n) return;
  next(RestartAt(restart), &shared, &rest);
  agreed = 0;
  if (compare(rest) == 0) (*end)++;
}

// `wanted` is the key or, in a bytewise order, what is behind the prefix.  Equal values may
// differ in their bytes.  A function is asked as seldom as possible: it may cost more than
// copying all values between two restarts.
void Dictionary::FindByOrder(ByteView wanted, uint32_t* begin, uint32_t* end) const {
  uint8_t memory[kRestartInterval * kMaxEntryBytes];
  uint64_t words[kRestartInterval];
  const uint32_t n = count(), restart = FindRestart(wanted);
  uint32_t first = 0, last = 0;  // the values in memory
  const auto load = [&](uint32_t r) {
    first = r * kRestartInterval;
    last = std::min(first + kRestartInterval, n);
    Decode(first, last, memory, words);
  };
  const auto compare = [&](uint32_t i) {
    const ByteView value = ViewOf(words[i - first]);
    if (!order_->bytewise()) return order_->Compare(value, wanted);
    const int order = CompareBytes(Behind(order_->KeyOf(value), header_.prefix), wanted);
    return order_->descending ? -order : order;
  };

  uint32_t low = 0, equal = n;
  if (restart > 0) {  // its value comes before the key
    load(restart - 1);
    low = first + 1;
    for (uint32_t high = last; low < high;) {
      const uint32_t middle = low + (high - low) / 2;
      const int order = compare(middle);
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle;
        if (order == 0) equal = middle;
      }
    }
  }
  *begin = low;
  uint32_t i = low == equal && low < n ? low + 1 : low;
  for (; i < n && !(i > low && order_->exact()); i++) {
    if (i >= last) load(i / kRestartInterval);
    if (compare(i) != 0) break;
  }
  *end = i;
}

uint8_t* Dictionary::Decode(uint32_t begin, uint32_t end, uint8_t* out, uint64_t* words) const {
  if (begin >= end) return out;
  const ByteView common = prefix();
  uint8_t memory[kMaxEntryBytes];
  Cursor cursor;
  cursor.value = memory;
  cursor.at = RestartAt(begin / kRestartInterval);
  for (uint32_t i = begin / kRestartInterval * kRestartInterval; i < begin; i++) cursor.Next();
  const uint8_t* at = cursor.at;
  const uint8_t* last = memory;  // the bytes behind the prefix of the value before
  for (uint32_t i = begin; i < end; i++) {
    uint32_t shared, rest;
    at = ReadNumber(ReadNumber(at, &shared), &rest);
    if (words != nullptr) words[i - begin] = WordOf(out);
    const uint16_t size = static_cast<uint16_t>(common.size + shared + rest);
    std::memcpy(out, &size, sizeof size);
    out += sizeof size;
    CopyBytes(common.data, common.size, out);
    out += common.size;
    CopyBytes(last, shared, out);
    CopyBytes(at, rest, out + shared);
    last = out;
    at += rest;
    out += shared + rest;
  }
  return out;
}

}  // namespace omendb::core
