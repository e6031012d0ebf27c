#include "core/stored_fences.h"

namespace omendb::core {

namespace {

size_t StoredFenceBytes(const Entries& fences, uint32_t i) {
  size_t bytes = 0;
  for (int c = 0; c < fences.key_columns; c++) {
    bytes++;
    if (fences.cls[c][i] == kMinusInfinity) return bytes;
    if (fences.cls[c][i] != kValue) continue;
    bytes += fences.is_bytes(c) ? StoredBytes(fences.value[c][i]) : sizeof(uint64_t);
  }
  return bytes + sizeof(Tid);
}

uint8_t* WriteStoredFence(const Entries& fences, uint32_t i, uint8_t* out) {
  for (int c = 0; c < fences.key_columns; c++) {
    const uint64_t value = fences.value[c][i];
    *out++ = static_cast<uint8_t>(fences.cls[c][i]);
    if (fences.cls[c][i] == kMinusInfinity) return out;
    if (fences.cls[c][i] != kValue) continue;
    if (fences.is_bytes(c)) {
      out = StoreBytes(ViewOf(value), out);
    } else {
      std::memcpy(out, &value, sizeof value);
      out += sizeof value;
    }
  }
  std::memcpy(out, &fences.tid[i], sizeof(Tid));
  return out + sizeof(Tid);
}

// Values of bytes columns stay in the block.
void ReadStoredFence(const uint8_t* at, const Shape& shape, Key* key) {
  for (int c = 0; c < shape.key_columns; c++) {
    key->cls[c] = *at++;
    key->ordinal[c] = 0;
    if (key->cls[c] == kMinusInfinity) {
      for (int behind = c + 1; behind < shape.key_columns; behind++) {
        key->cls[behind] = kMinusInfinity;
        key->ordinal[behind] = 0;
      }
      key->tid = 0;
      return;
    }
    if (key->cls[c] != kValue) continue;
    if (shape.is_bytes(c)) {
      key->ordinal[c] = WordOf(at);
      at += StoredBytes(key->ordinal[c]);
    } else {
      std::memcpy(&key->ordinal[c], at, sizeof(uint64_t));
      at += sizeof(uint64_t);
    }
  }
  std::memcpy(&key->tid, at, sizeof(Tid));
}

}  // namespace

size_t StoredFencesBytes(const Entries& fences) {
  size_t bytes = sizeof(uint32_t) * fences.count;
  for (uint32_t i = 0; i < fences.count; i++) bytes += StoredFenceBytes(fences, i);
  return (bytes + 7) / 8 * 8;
}

void WriteStoredFences(const Entries& fences, uint8_t* out) {
  uint8_t* at = out + sizeof(uint32_t) * fences.count;
  for (uint32_t i = 0; i < fences.count; i++) {
    const uint32_t offset = static_cast<uint32_t>(at - out);
    std::memcpy(out + sizeof offset * i, &offset, sizeof offset);
    at = WriteStoredFence(fences, i, at);
  }
}

uint32_t FindStoredFence(const uint8_t* block, const uint64_t* keys, uint64_t prefix, uint32_t position,
                         const Bound& bound, Direction direction, const Shape& shape) {
  const auto is_at_or_below = [&](uint32_t i) {
    if (keys[i] < prefix) return true;
    uint32_t offset;
    std::memcpy(&offset, block + sizeof offset * i, sizeof offset);
    Key fence;
    ReadStoredFence(block + offset, shape, &fence);
    const int order = CompareBound(bound, fence, shape);
    return direction == Direction::kForward ? order >= 0 : order > 0;
  };
  // Few have the same prefix, mostly: so from the last one on, with steps that grow.
  uint32_t above = position + 1;  // fences from here on are too high
  for (uint32_t step = 1; above > 0; step *= 2) {
    const uint32_t at = above > step ? above - step : 0;
    if (is_at_or_below(at)) {
      // The answer is in [at, above).
      uint32_t low = at;
      while (above - low > 1) {
        const uint32_t middle = low + (above - low) / 2;
        if (is_at_or_below(middle))
          low = middle;
        else
          above = middle;
      }
      return low;
    }
    above = at;
  }
  return 0;
}

}  // namespace omendb::core
