// Hints that entries are dead to everybody, so that scans need not ask the heap
// about them again (kill_prior_tuple), as nbtree's LP_DEAD.
//
// They lie in the page's hole, beginning at MAXALIGN(pd_lower), one bit an entry:
// base entries by their position, then delta entries by their slot.
//
//   word w, 8 bytes:   bits 32w ... 32w+31 (4) | CRC-32C of page_crc, w, bits (4)
//
// What stands in the hole is not logged, is zeroed by whoever changes the page, and
// is outside of the page's checksums.  So each word carries a checksum that ties it
// to this state of the page, and a word that does not verify says nothing: the worst
// that damage, a torn write or a race between two setters can do is to lose hints.
// Pages that have hints have PD_HAS_FREE_LINES in pd_flags (on a page of ours it means
// nothing else), so that readers of other pages need not look into the hole.
//
// Only VACUUM removes the entries.
#ifndef OMENDB_TREE_KILLED_H
#define OMENDB_TREE_KILLED_H

#include "tree/page.h"

namespace omendb::tree {

// REQUIRES: the page is locked, in any mode, and stays so while this is in use.
class KilledHints {
 public:
  // REQUIRES: MayHaveKilled().
  explicit KilledHints(Page page);

  bool IsKilled(uint32 position) {
    const uint32 word = position / kBits;
    if (word >= words_) return false;
    if (word != cached_word_) {
      cached_word_ = word;
      cached_bits_ = BitsOf(word);
    }
    return (cached_bits_ >> (position % kBits) & 1) != 0;
  }

  // Adds a hint; false if the hole has no room for it.  The caller marks the buffer
  // dirty, as for any hint.
  bool Add(uint32 position);

  // The bits of all words, to Put() them back after a change that moved no entry.
  // `bits` has room for kMaxWords.
  static constexpr uint32 kBits = 32;
  static constexpr uint32 kMaxWords = (core::kMaxEntries + kMaxDelta) / kBits + 1;
  uint32 Save(uint32* bits) const;
  static void Put(Page page, const uint32* bits, uint32 words);

 private:
  uint32 BitsOf(uint32 word) const;
  void Write(uint32 word, uint32 bits);

  Page page_;
  uint64* at_;
  uint32 words_;
  uint32 page_crc_;
  uint32 cached_word_;
  uint32 cached_bits_;
};

inline bool MayHaveKilled(Page page) { return (reinterpret_cast<PageHeader>(page)->pd_flags & PD_HAS_FREE_LINES) != 0; }

}  // namespace omendb::tree

#endif  // OMENDB_TREE_KILLED_H
