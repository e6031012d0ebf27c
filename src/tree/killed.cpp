#include "tree/killed.h"

extern "C" {
#include "port/pg_crc32c.h"
}

namespace omendb::tree {

namespace {

uint32 CheckOf(uint32 page_crc, uint32 word, uint32 bits) {
  const uint32 covered[] = {page_crc, word, bits};
  pg_crc32c crc;
  INIT_CRC32C(crc);
  COMP_CRC32C(crc, covered, sizeof covered);
  FIN_CRC32C(crc);
  return crc;
}

}  // namespace

KilledHints::KilledHints(Page page) : page_(page), page_crc_(SpecialOf(page)->page_crc), cached_word_(kMaxWords) {
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  const size_t begin = MAXALIGN(header->pd_lower), end = header->pd_upper;
  at_ = reinterpret_cast<uint64*>(page + begin);
  words_ = begin < end ? Min(static_cast<uint32>((end - begin) / sizeof(uint64)), kMaxWords) : 0;
  cached_bits_ = 0;
}

// Words are read and written whole: others may do the same under a share lock.
uint32 KilledHints::BitsOf(uint32 word) const {
  const uint64 value = __atomic_load_n(&at_[word], __ATOMIC_RELAXED);
  const uint32 bits = static_cast<uint32>(value);
  return value >> 32 == CheckOf(page_crc_, word, bits) ? bits : 0;
}

void KilledHints::Write(uint32 word, uint32 bits) {
  const uint64 value = static_cast<uint64>(CheckOf(page_crc_, word, bits)) << 32 | bits;
  __atomic_store_n(&at_[word], value, __ATOMIC_RELAXED);
}

bool KilledHints::Add(uint32 position) {
  const uint32 word = position / kBits;
  if (word >= words_) return false;
  Write(word, BitsOf(word) | UINT32_C(1) << (position % kBits));
  cached_word_ = kMaxWords;
  reinterpret_cast<PageHeader>(page_)->pd_flags |= PD_HAS_FREE_LINES;
  return true;
}

uint32 KilledHints::Save(uint32* bits) const {
  for (uint32 word = 0; word < words_; word++) bits[word] = BitsOf(word);
  return words_;
}

void KilledHints::Put(Page page, const uint32* bits, uint32 words) {
  KilledHints hints(page);
  for (uint32 word = 0; word < Min(words, hints.words_); word++) {
    if (bits[word] == 0) continue;
    hints.Write(word, bits[word]);
    reinterpret_cast<PageHeader>(page)->pd_flags |= PD_HAS_FREE_LINES;
  }
}

}  // namespace omendb::tree
