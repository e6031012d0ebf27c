#include "core/fence_key.h"

namespace omendb::core {

namespace {

constexpr int kPrefixBits = 64;

int BitWidth(u128 value) {
  const uint64_t high = static_cast<uint64_t>(value >> 64), low = static_cast<uint64_t>(value);
  if (high != 0) return 128 - __builtin_clzll(high);
  return low != 0 ? 64 - __builtin_clzll(low) : 0;
}

uint64_t Ones(int bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }

// A TID as a column: 0, before all of them, is minus infinity.
uint8_t TidClass(Tid tid) { return tid == 0 ? kMinusInfinity : kValue; }

// Whether a bound says more than its first `columns` columns, the TID being the last.
bool SaysMore(const Bound& bound, uint32_t columns) {
  const int c = static_cast<int>(columns);
  return c < bound.columns ? bound.key.cls[c] != kMinusInfinity
                           : c == bound.columns && bound.with_tid && bound.key.tid != 0;
}

}  // namespace

uint64_t FenceKeyMap::ValueOf(const Digit& digit, const ByteOrder* orders, uint8_t cls, uint64_t value) const {
  if (!digit.is_bytes || cls != kValue) return value;
  const ByteOrder& order = orders[digit.column];
  uint64_t head = 0;
  if (!order.bytewise()) {
    if (order.head == nullptr) return 0;
    head = order.head(order.state, ViewOf(value));
  } else {
    const ByteView key = order.KeyOf(ViewOf(value)), common = {common_, common_size_};
    const int start = CompareBytes({key.data, key.size < common.size ? key.size : common.size}, common);
    if (start == 0)
      head = HeadOf({key.data + common.size, key.size - common.size});
    else if (start > 0)
      head = ~uint64_t{0};
  }
  return order.descending ? ~head : head;
}

bool FenceKeyMap::AddDigit(const Digit& digit, uint8_t cls, uint64_t value, uint64_t* prefix) {
  const uint64_t offset = value - digit.least;
  uint64_t code;
  bool exact = true;
  if (cls == kValue && value >= digit.least && offset <= digit.span) {
    code = (offset >> digit.dropped) + digit.first_value();
  } else if (cls == kMinusInfinity) {
    code = 0;
  } else if (cls == kNullFirst) {
    code = digit.null_first ? 1 : 0;
    exact = digit.null_first;
  } else if (cls == kNullLast) {
    code = digit.last_value() + (digit.null_last ? 1 : 0);
    exact = digit.null_last;
  } else {
    code = value < digit.least ? digit.first_value() - 1 : digit.last_value();
    exact = false;
  }
  *prefix |= code << digit.bits_below;
  if (!exact) *prefix |= Ones(digit.bits_below);
  return exact;
}

uint64_t FenceKeyMap::Prefix(const Key& key, const ByteOrder* order) const {
  uint64_t prefix = 0;
  for (uint32_t d = 0; d < digits_; d++) {
    const Digit& digit = digit_[d];
    if (digit.column == kTidColumn
            ? !AddDigit(digit, TidClass(key.tid), key.tid, &prefix)
            : !AddDigit(digit, key.cls[digit.column],
                        ValueOf(digit, order, key.cls[digit.column], key.ordinal[digit.column]), &prefix))
      break;
  }
  return prefix;
}

uint64_t FenceKeyMap::PrefixOf(const Entries& fences, uint32_t i) const {
  uint64_t prefix = 0;
  for (uint32_t d = 0; d < digits_; d++) {
    const Digit& digit = digit_[d];
    if (digit.column == kTidColumn)
      AddDigit(digit, TidClass(fences.tid[i]), fences.tid[i], &prefix);
    else
      AddDigit(digit, static_cast<uint8_t>(fences.cls[digit.column][i]),
               ValueOf(digit, fences.order, static_cast<uint8_t>(fences.cls[digit.column][i]),
                       fences.value[digit.column][i]),
               &prefix);
  }
  return prefix;
}

// Sets what the keys of a bytes column have in common.
void FenceKeyMap::FindCommon(const Entries& fences, int column) {
  common_size_ = 0;
  bool first = true;
  for (uint32_t i = 0; i < fences.count; i++) {
    if (fences.cls[column][i] != kValue) continue;
    const ByteView key = fences.order[column].KeyOf(ViewOf(fences.value[column][i]));
    if (first) {
      common_size_ = key.size < kMaxCommon ? key.size : kMaxCommon;
      std::memcpy(common_, key.data, common_size_);
      first = false;
    } else {
      common_size_ = CommonBytes({common_, common_size_}, key);
    }
  }
}

bool FenceKeyMap::AppendDigit(const Entries& fences, int column) {
  const bool is_tid = column == fences.key_columns;
  if (digits_ == kMaxDigits || column >= kTidColumn) return false;
  int room = kPrefixBits;
  if (digits_ > 0) {
    // Behind one that lost bits another would be out of order.
    const Digit& last = digit_[digits_ - 1];
    if (last.dropped > 0 || last.bits_below == 0 || last.is_bytes) return false;
    room = last.bits_below;
  }
  Digit digit = {};
  digit.column = is_tid ? kTidColumn : static_cast<uint8_t>(column);
  digit.least = ~uint64_t{0};
  if (!is_tid && fences.is_bytes(column)) {
    digit.is_bytes = true;
    if (fences.order[column].bytewise()) FindCommon(fences, column);
  }
  uint64_t greatest = 0;
  for (uint32_t i = 0; i < fences.count; i++) {
    const uint8_t cls = is_tid ? TidClass(fences.tid[i]) : static_cast<uint8_t>(fences.cls[column][i]);
    const uint64_t value = is_tid ? fences.tid[i] : ValueOf(digit, fences.order, cls, fences.value[column][i]);
    if (cls == kNullFirst) digit.null_first = true;
    if (cls == kNullLast) digit.null_last = true;
    if (cls != kValue) continue;
    if (value < digit.least) digit.least = value;
    if (value > greatest) greatest = value;
  }
  if (greatest < digit.least) greatest = digit.least;  // no value at all
  digit.span = greatest - digit.least;
  const auto width = [&] {
    return BitWidth(static_cast<u128>(digit.span >> digit.dropped) + digit.first_value() + (digit.null_last ? 1 : 0));
  };
  while (width() > room) {
    if (digit.dropped == 63) return false;
    digit.dropped++;
  }
  // The digits before leave as many bits free as there is room; this one takes the upper of them.
  digit.bits_below = static_cast<uint8_t>(room - width());
  digit_[digits_++] = digit;
  return true;
}

void FenceKeyMap::Fit(const Entries& fences, uint64_t* out) {
  digits_ = 0;
  common_size_ = 0;
  for (int column = 0; column <= fences.key_columns; column++) {
    if (!AppendDigit(fences, column)) break;
    // A further digit tells fences apart that are equal so far, or one from a bound that
    // says less than the fence.
    bool more = false;
    for (uint32_t i = 0; i < fences.count; i++) {
      out[i] = PrefixOf(fences, i);
      more |= i > 0 && out[i] == out[i - 1];
      if (column < fences.key_columns)
        more |=
            (column + 1 < fences.key_columns ? fences.cls[column + 1][i] : TidClass(fences.tid[i])) != kMinusInfinity;
    }
    if (!more) break;
  }
  needs_fences_ = digit_[digits_ - 1].is_bytes;
  for (uint32_t i = 1; i < fences.count; i++) needs_fences_ |= out[i] == out[i - 1];
}

bool FenceKeyMap::RankOf(const Bound& bound, Direction direction, const ByteOrder* order, uint64_t* rank) const {
  uint64_t prefix = 0;
  bool between = false;  // the bound lies between what the digits can say
  uint32_t d = 0;
  for (; d < digits_; d++) {
    const Digit& digit = digit_[d];
    const bool is_tid = digit.column == kTidColumn;
    if (is_tid ? !bound.with_tid : digit.column >= bound.columns) {
      // Before or after all that agrees so far.
      if (bound.tail == Bound::kAfter) prefix |= Ones(d == 0 ? kPrefixBits : digit_[d - 1].bits_below);
      break;
    }
    between = is_tid ? !AddDigit(digit, TidClass(bound.key.tid), bound.key.tid, &prefix)
                     : !AddDigit(digit, bound.key.cls[digit.column],
                                 ValueOf(digit, order, bound.key.cls[digit.column], bound.key.ordinal[digit.column]),
                                 &prefix);
    if (between) break;
  }
  // Backward, a page that begins at the bound is one too far.
  if (direction == Direction::kBackward && bound.tail == Bound::kBefore && !between && !SaysMore(bound, d)) {
    if (prefix == 0) return false;
    prefix--;
  }
  *rank = prefix;
  return true;
}

}  // namespace omendb::core
