// Finding leaves, and reading entries out of them.
#ifndef OMENDB_TREE_SEARCH_H
#define OMENDB_TREE_SEARCH_H

#include <type_traits>

#include "tree/page.h"

namespace omendb::tree {

// Descends from the root to the page of `level` in which a search in this
// direction begins: forward, the one with low <= bound < high; backward, the one
// with low < bound <= high.  Returns it pinned and locked (lock_mode).  No lock
// is held on entry to or exit from any other page.  InvalidBuffer if the tree is
// not that high (only for level > 0).
Buffer Descend(const Index& index, const core::Bound& bound, core::Direction direction, uint32 level, int lock_mode);

// Whether a locked page is a live node of this level that a search for the bound
// may begin in: the test that makes any guess at a block number safe.
bool IsLandingFor(const Index& index, Page page, const core::Bound& bound, core::Direction direction, uint32 level);

// Merges base entries [base_begin, base_end) and delta entries [delta_begin,
// delta_end) of a page, in key order, to out[0...].  Returns their number.
// `scratch` has room for kMaxDelta entries of the same shape.  Values of bytes columns are
// copied to out->bytes, which has room for MergedValueBytes.
uint32 MergeEntries(const NodePage& page, uint32 base_begin, uint32 base_end, uint32 delta_begin, uint32 delta_end,
                    core::Entries* scratch, core::Entries* out);

// What the values of bytes columns of all entries of a page take.
size_t MergedValueBytes(const NodePage& page);

// Which part of a page lies between two bounds, in base and delta positions.
struct PageRange {
  uint32 base_begin, base_end;
  uint32 delta_begin, delta_end;
  uint32 size() const { return (base_end - base_begin) + (delta_end - delta_begin); }
};
PageRange FindRange(const NodePage& page, const core::Bound& low, const core::Bound& high);

// Entries read from one leaf, in arrays of their own.
struct Chunk {
  core::Entries entries;
  void* memory;
  uint32 capacity;
  uint8_t* values;  // of bytes columns
  size_t values_capacity;
  Buffer pin;  // on the leaf, or InvalidBuffer
  // What the entries were read from, to find them again: they are where they were if
  // the LSN is the same.
  BlockNumber block;
  XLogRecPtr lsn;
  PageRange range;
};

// How a scan reads leaves.
struct ReadMode {
  Snapshot snapshot;
  // Bit c: the caller wants value column c of the entries.
  uint64 columns;
  // Leave the leaf pinned while its entries are in use, as nbtree's README requires of
  // index-only scans and of snapshots that are not MVCC.
  bool keep_pin;
  // Leave out entries that are known to be dead to everybody.
  bool skip_killed;
};

// A position in a scan and the entries read there.  The entries lie in arrays of
// the caller's memory context and are valid until the next read.
class LeafReader {
 public:
  // Once, before all else.  Its arrays live in `context`.
  void Init(const Index& index, MemoryContext context);
  void Free();
  // Before each scan: lets go of the pins.
  void Rewind(const ReadMode& mode);
  void DropPin();

  // Reads the first entries above `from` and below `to`, in key order, at most a
  // chunk of them; sets `next` to where to go on and `done` if nothing is left.
  // Returns how many were read; that may be 0 without being done.  In a serializable
  // transaction, takes a predicate lock on the leaf.
  uint32 ReadForward(const core::Bound& from, const core::Bound& to);
  // The same from the other end: the last entries below `from` and above `to`.
  uint32 ReadBackward(const core::Bound& from, const core::Bound& to);

  const core::Entries& entries() const { return chunk_.entries; }
  core::Entries& entries() { return chunk_.entries; }
  bool done() const { return done_; }
  // The leaf that they were read from, and its LSN then.
  BlockNumber leaf() const { return chunk_.block; }
  XLogRecPtr leaf_lsn() const { return chunk_.lsn; }
  const Index& index() const { return index_; }
  Relation relation() const { return index_.rel; }
  const core::Bound& next() const { return next_; }

  // Where `next` probably is, and to look there first.
  BlockNumber hint() const { return hint_; }
  void SetHint(BlockNumber block);

  // Sets the entries aside, pin included, and takes up those that were set aside before.
  void SwapAside();
  void DropAside();

  // Hints that entries of the chunk, by TID, are dead to everybody, unless the leaf
  // has changed since.
  void Kill(core::Tid* tids, uint32 count);

 private:
  Buffer LockLeaf(const core::Bound& bound, core::Direction direction);
  Page Arrive(const core::Bound& bound, core::Direction direction, Buffer* buffer);
  void Leave(Buffer buffer, Page page, const PageRange& range, core::Direction direction);
  void Reserve(uint32 capacity);
  void ReserveValues(const NodePage& page);
  // Decodes the first (or last) chunk of *range, and cuts it to that; returns whether
  // that was all.
  bool Take(const NodePage& page, PageRange* range, core::Direction direction);
  void GrowChunk();
  uint64 KeyColumnMask() const { return index_.shape.KeyBits(); }

  // Values of bytes columns of keys that outlive the lock of the page they are from.
  struct KeyMemory {
    core::KeyBytes next, hint_low, hint_high;
  };
  void OwnKeys();

  Index index_;
  MemoryContext context_;
  ReadMode mode_;

  Chunk chunk_;
  Chunk aside_;
  core::Entries scratch_;  // the delta's share of a merge
  void* scratch_memory_;
  uint32 chunk_size_;  // entries to read at most next time; grows while a scan goes on
  core::Bound next_;
  bool done_;

  // The leaf read last: where it was, and its fences then.  A guess only.
  BlockNumber hint_;
  Buffer hint_buffer_;  // or invalid
  bool hint_has_high_;
  core::Key hint_low_, hint_high_;
  KeyMemory* key_memory_;  // only if there are bytes columns
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<LeafReader>);

// The same hints as LeafReader::Kill, for entries that were read of a leaf when it had this LSN.
void KillEntries(const Index& index, BlockNumber leaf, XLogRecPtr lsn, core::Tid* tids, uint32 count);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_SEARCH_H
