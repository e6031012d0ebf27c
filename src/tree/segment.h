// Segments: table files of RocksDB (src/cold/api.h) with many cold leaves each, whose bytes lie in
// blocks of the index.
//
// So PostgreSQL's WAL, backup, replication and recovery carry them like any other page.  A segment
// is immutable, and its blocks are a head and as many data blocks as the file needs, in any
// place.  Each is a page with the header and special space of all pages (tree/page.h), flagged
// kSegmentPage, and has between them
//
//   SegmentBody (16)   which segment and which block of it: kHeadBlock, or 0, 1, 2, ...
//   head:  SegmentHead (16) | numbers of the data blocks (4 each)
//   data:  bytes of the file, kDataBytes of them but in the last block
//
// What the file has in a slot is a leaf without its hole:
//
//   StoredLeaf (32) | the page up to pd_lower | the page from pd_upper on
//
// A segment's id is 64 random bits, so no two have the same, here or in a copy of the index that has
// gone its own way.  Nothing lists the segments: a cold page names the head of each that it has
// leaves in, and VACUUM frees the blocks of a segment that no cold page names (RecyclePages).
#ifndef OMENDB_TREE_SEGMENT_H
#define OMENDB_TREE_SEGMENT_H

#include "cold/api.h"
#include "tree/cold_page.h"

extern "C" {
#include "lib/stringinfo.h"
}

namespace omendb::tree {

struct SegmentBody {
  uint64 segment;
  uint32 block;
  uint32 reserved;
};
static_assert(sizeof(SegmentBody) == 16);

inline constexpr uint32 kHeadBlock = 0xFFFFFFFF;

struct SegmentHead {
  uint64 file_bytes;
  uint32 data_blocks;
  uint32 slots;
};
static_assert(sizeof(SegmentHead) == 16);

inline constexpr size_t kDataBytes = kPageCapacity - sizeof(SegmentBody);
inline constexpr uint32 kMaxDataBlocks =
    (kPageCapacity - sizeof(SegmentBody) - sizeof(SegmentHead)) / sizeof(BlockNumber);

inline constexpr uint32 kStoredMagic = 0x6C646F63;  // "cold"

struct StoredLeaf {
  uint32 magic;
  uint32 crc;  // CRC-32C of what follows it
  uint64 segment;
  uint32 slot;
  BlockNumber block;  // where the leaf was: its page's checksum covers that
  uint64 reserved;
};
static_assert(sizeof(StoredLeaf) == 32);

inline SegmentBody* SegmentBodyOf(Page page) { return reinterpret_cast<SegmentBody*>(PageGetContents(page)); }
inline SegmentHead* SegmentHeadOf(Page page) { return reinterpret_cast<SegmentHead*>(SegmentBodyOf(page) + 1); }
inline BlockNumber* DataBlocksOf(Page head) { return reinterpret_cast<BlockNumber*>(SegmentHeadOf(head) + 1); }

// --- Writing. ---

// What a segment is made of.
class SegmentBuilder {
 public:
  static constexpr uint32 kMaxLeaves = 1024;
  // The same, as far as the test build does not set a smaller limit.
  static uint32 MostLeaves() { return pg::MaxSegmentLeaves(kMaxLeaves); }

  // In a memory context of its own, below the current one.
  void Begin(const Index& index);
  // A copy of a leaf's page; returns its slot.  *leaf gets what its cold page is to have,
  // but for the head.  REQUIRES: fewer than kMaxLeaves.
  void Add(Page page, BlockNumber block, ColdLeaf* leaf);
  // Whether a page still has what was added as this slot.  (Its links may be others: their pages come and go.)
  bool IsUnchanged(uint32 slot, Page page) const;
  uint32 count() const { return count_; }
  // Has the library make the file.  Returns whether its blocks and the head are fewer than the leaves.
  bool Compress(cold::Codec codec);
  // Writes its blocks, after Compress; returns the head.  Nothing leads to them yet.
  BlockNumber Write();
  void End();

 private:
  uint32 DataBlocks() const { return static_cast<uint32>((file_bytes_ + kDataBytes - 1) / kDataBytes); }

  Index index_;
  MemoryContext context_;
  uint64 segment_;
  uint32 count_;
  const char* file_;
  size_t file_bytes_;
  cold::Value value_[kMaxLeaves];
};

// What the metapage says of segments (MetaBody::kNoSegments, ...); has it say that some may be unused, or, if there are
// any, that they are being checked.
uint32 SegmentsOf(const Index& index);
void ExpectUnusedSegments(const Index& index);
bool BeginSegmentCheck(const Index& index);

// Frees a block of a segment, unless it is something else by now.  It is locked in share mode before and after.
void FreeSegmentBlock(const Index& index, Buffer buffer, uint64 segment);
// Frees all blocks of a segment that no cold page has leaves in.
void FreeSegment(const Index& index, uint64 segment, BlockNumber head);
// How many leaves were written to a segment.
uint32 SlotsOf(const Index& index, uint64 segment, BlockNumber head);

// --- Reading. ---

// Reads a leaf out of its segment into `page` and checks all that can be checked of it by itself.
// Returns null, and *block gets where the leaf once was; or what is wrong, and with which block: the segment is
// damaged, or it is gone, and the cold page that named it does not name it any more.  No page may be locked.
const char* ReadStoredLeaf(const Index& index, const ColdLeaf& leaf, Page page, BlockNumber* block);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_SEGMENT_H
