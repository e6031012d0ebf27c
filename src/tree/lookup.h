// Entries that begin with given values, of many keys at a time.
//
// One by one, a lookup waits for the memory of its leaf: header of the buffer, of the page,
// keys, TIDs.  Many at a time, the waits overlap: the hot index names the leaves of the next
// few keys, and what will be read there is fetched while the current one is searched.
// Nearly every lookup ends in the leaf that was named; the others go the way of a scan
// (LeafReader).
#ifndef OMENDB_TREE_LOOKUP_H
#define OMENDB_TREE_LOOKUP_H

#include <type_traits>

#include "tree/route.h"
#include "tree/search.h"

namespace omendb::tree {

struct LookupMode {
  Snapshot snapshot;
  // How many of the index's key columns a key has.
  int columns;
  // Bit c: the caller wants value column c of the entries.
  uint64 wanted;
  // Of an index-only lookup: the table whose visibility map is asked about each entry.
  // Otherwise null.
  Relation heap;
  // Leave out entries that are known to be dead to everybody.
  bool skip_killed;
  // Read about so many entries of a key and leave the others; 0: read all.
  uint32 most;
};

class Lookup {
 public:
  // Once, before all else.  Its arrays live in `context`, and grow with what it is given.
  void Init(const Index& index, MemoryContext context);
  void Free();
  void Begin(const LookupMode& mode);

  // Takes n keys, mode.columns stored ordinals (or values of bytes columns) each, that stay
  // where they are.
  void Start(const uint64* keys, uint32 n);
  // How many of these were seen to belong to leaves in segments.
  uint32 cold_keys() const { return cold_keys_; }
  // Where each of n keys belongs: the same place for all keys of a leaf.  Looked up in the order of places, those of
  // a leaf in a segment have it read once.
  void FindPlaces(const uint64* keys, uint32 n, uint64* places);
  // Reads the entries of the next keys, at least a part of those of one; false if there is
  // no key left.  No page stays pinned.
  bool Read();

  // What was read last: all entries of keys [first_key(), end_key()), but for those of the
  // first that the last Read had, and, if continues(), of the last that the next will have.
  uint32 first_key() const { return first_key_; }
  uint32 end_key() const { return end_key_; }
  bool continues() const { return continues_; }
  uint32 begin_of(uint32 key) const { return begin_[key - first_key_]; }
  uint32 end_of(uint32 key) const { return begin_[key - first_key_ + 1]; }
  // Whether mode.most left entries of the key.
  bool is_cut(uint32 key) const { return leaf_[key - first_key_].cut; }
  // Hints that entries of the key, by TID, are dead to everybody.
  void Kill(uint32 key, core::Tid* tids, uint32 count) const {
    const Leaf& leaf = leaf_[key - first_key_];
    if (leaf.block != InvalidBlockNumber) KillEntries(index_, leaf.block, leaf.lsn, tids, count);
  }
  const core::Entries& entries() const { return entries_; }
  // Of an index-only lookup: whether the entry's row is visible to everybody.
  bool is_all_visible(uint32 i) const { return all_visible_[i]; }

  // As many keys of a Start as are worth while where leaves are not in segments, and most entries of a Read.
  static constexpr uint32 kManyKeys = 1024;
  static constexpr uint32 kCapacity = 2048;
  // What a key takes of memory.
  static constexpr Size kBytesPerKey = 20;

 private:
  // Keys are read in groups, and the leaves of the next group are fetched meanwhile.
  static constexpr uint32 kGroup = 8;
  // Where leaves are not in memory, those of so many keys more are asked for from the disk.
  static constexpr uint32 kAskAhead = 256;
  // Entries of a key that are read without a LeafReader, and those of a Read: there must
  // be room for what a LeafReader returns.
  static constexpr uint32 kMostDirect = 256;
  static constexpr uint32 kRoom = 512;
  // Until there are more.
  static constexpr uint32 kFewKeys = 16;

  // Pages of the visibility map that are pinned during a Read.
  static constexpr uint32 kMapPages = 8;

  // Where the entries of a key were read, if all at once, and whether that were only the first.
  struct Leaf {
    XLogRecPtr lsn;
    BlockNumber block;
    bool cut;
  };

  struct Ahead {
    hot::Guess guess;
    bool found;
  };

  void Reserve(uint32 keys, uint32 entries);
  void SetKey(uint32 key, core::Bound* bound) const;
  bool GuessOf(uint32 key, hot::Guess* guess);
  void GuessGroup();
  void AskForLeaves();
  bool ReadDirectly(uint32 key);
  void Collect(const NodePage& page, Page raw, const PageRange& range);
  void ReserveValues(size_t bytes);
  void ForgetValues();
  void OwnValues(uint32 begin, const core::Entries& read);
  bool ReadOn(uint32 key);
  void AskVisibilityMap(uint32 first);
  void ReleaseMapPages();

  Index index_;
  MemoryContext context_;
  LookupMode mode_;
  const uint64* keys_;
  uint32 key_count_;
  uint32 guessed_;  // keys whose leaves were asked for
  uint32 hits_;     // that were found there, of a Read
  uint32 cold_keys_;
  bool is_cold_;    // of late, there were leaves that were not in memory
  uint32 asked_;    // keys whose leaves were asked for from the disk
  Ahead ahead_[2 * kGroup];
  core::Bound ahead_low_, low_, high_;

  uint32 first_key_, end_key_;
  bool continues_;
  core::Bound next_;  // where the key that continues goes on
  uint32 key_capacity_;
  uint32 capacity_;
  uint32* begin_;  // per key of the Read
  Leaf* leaf_;
  core::Entries entries_;
  void* memory_;  // of its arrays
  bool* all_visible_;
  uint64 own_columns_;                   // the key columns whose values are those looked up, byte for byte
  MemoryContext values_;                 // of bytes columns of a Read's entries; null if there are none
  uint8_t *values_begin_, *values_end_;  // of its last block
  size_t block_bytes_;                   // that it has
  bool has_blocks_;                      // more than this one
  LeafReader reader_;
  Buffer map_page_[kMapPages];
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<Lookup>);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_LOOKUP_H
