// A page of the index: a node's base (core/node.h), its delta, and links.
//
//   +---------------------------------------------------------------+
//   | PageHeaderData (24)                                            |
//   +---------------------------------------------------------------+ 24
//   | node image: header, columns, fences, packed words              |
//   +---------------------------------------------------------------+
//   | delta order: one byte an entry, slot numbers in key order      |
//   | delta offsets: two bytes a slot, if there are bytes columns    |
//   +---------------------------------------------------------------+ pd_lower
//   | hole                                                           |
//   +---------------------------------------------------------------+ pd_upper
//   | delta entries: slot n-1 ... slot 1, slot 0                     |
//   +---------------------------------------------------------------+ pd_special
//   | PageSpecial (24)                                               |
//   +---------------------------------------------------------------+
//
// The delta holds what came since the base was encoded.  A delta entry is
//
//   value columns (8 each) | TID block (4), offset (2) | classes (1 each)
//                                            | child (4), in an inner node only
//
// unaligned.  Where there are bytes columns, their values (core/bytes.h) follow, and the
// 8 bytes of the column say where, from the entry's start; then entries have any size, and
// the offsets say where on the page each slot's begins.  A base entry and a delta entry are
// equals: readers merge the two.
//
// Block 0 is the metapage.  Block 1 is the root, whatever its level: a root that
// splits moves its entries to two new pages, so no search reads the metapage.
#ifndef OMENDB_TREE_PAGE_H
#define OMENDB_TREE_PAGE_H

#include "core/node_writer.h"
#include "core/prefetch.h"

#include "pg/postgres.h"
#include "pg/test_build.h"

extern "C" {
#include "access/transam.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"
}

namespace omendb::tree {

inline constexpr BlockNumber kMetaBlock = 0;
inline constexpr BlockNumber kRootBlock = 1;

inline constexpr uint32 kMagic = 0x6F6D656E;  // "omen"
inline constexpr uint8 kFormatVersion = 2;
inline constexpr uint16 kPageId = 0x0DB1;

// Entries of a delta: slot numbers are bytes, and every reader searches it.
inline constexpr int kMaxDelta = 64;
// A page is split rather than rewritten when it would have room for fewer.
inline constexpr int kMinDelta = 8;

// The same as far as the test build does not set smaller limits (pg/test_build.h).
inline uint32 MaxPageEntries() { return pg::MaxPageEntries(core::kMaxEntries); }
inline uint32 MaxDeltaEntries() { return pg::MaxDeltaEntries(kMaxDelta); }

enum PageFlags : uint16 {
  kMetaPage = 1 << 0,
  kDeletedPage = 1 << 1,      // unlinked; the body is a DeletedBody
  kIncompleteSplit = 1 << 2,  // the right sibling has no downlink yet
  kColdPage = 1 << 3,         // its entries are leaves in segments (tree/cold_page.h)
  kSegmentPage = 1 << 4,      // a block of a segment (tree/segment.h)
};
// Of pages that are no nodes of the tree.
inline constexpr uint16 kNoNode = kMetaPage | kDeletedPage | kSegmentPage;

// Special space, 24 bytes.  The page id comes last, where tools look for it.
struct PageSpecial {
  BlockNumber left;
  BlockNumber right;
  uint32 page_crc;  // CRC-32C of all but the node image; see SealPage
  uint32 base_crc;  // CRC-32C of the node image
  uint16 delta_count;
  uint16 flags;
  uint8 version;
  uint8 reserved;
  uint16 page_id;
};
static_assert(sizeof(PageSpecial) == 24);

// The body of the metapage.
struct MetaBody {
  uint32 magic;
  uint32 version;
  uint32 key_columns;
  uint32 value_columns;
  uint32 deleted_pages;  // unlinked and not reused when VACUUM last looked
  uint32 segments;       // one of the states below
  uint64 bytes_columns;  // bit c: value column c is a bytes column
  uint64 offloaded;      // the end of the WAL when leaves were last offloaded; 0: never

  // Whether there are blocks of segments (tree/segment.h), and VACUUM may find some to free.  It looks while it
  // says so (kBeingChecked), and whoever thaws a leaf meanwhile says kMayBeUnused again.
  enum : uint32 { kNoSegments, kInUse, kMayBeUnused, kBeingChecked };
};
static_assert(sizeof(MetaBody) == 40);

// The body of a deleted page: no scan that began before this can still arrive.
struct DeletedBody {
  FullTransactionId safe_xid;
};
static_assert(sizeof(DeletedBody) == 8);
// Where there is none that could do harm.
inline const FullTransactionId kNoTransaction = FullTransactionIdFromU64(FirstNormalTransactionId);

using core::Shape;

// An index opened for the tree.
struct Index {
  Relation rel;
  Shape shape;
};

// One entry, unpacked.  `child` counts in inner nodes only.
struct Entry {
  core::Tid tid;
  uint64 value[core::kMaxValueColumns];
  uint8 cls[core::kMaxValueColumns];
  BlockNumber child;
};

void EntryKey(const Entry& entry, const Shape& shape, core::Key* key);

inline PageSpecial* SpecialOf(Page page) { return reinterpret_cast<PageSpecial*>(PageGetSpecialPointer(page)); }

// A read view of a page that holds a node.
class NodePage {
 public:
  NodePage(Page page, const Shape& shape)
      : page_(page), special_(SpecialOf(page)), shape_(shape), node_(Body(), shape.order) {}

  const core::Node& node() const { return node_; }
  const PageSpecial& special() const { return *special_; }
  BlockNumber left() const { return special_->left; }
  BlockNumber right() const { return special_->right; }
  uint32 level() const { return node_.level(); }
  bool inner() const { return node_.inner(); }
  bool incomplete_split() const { return (special_->flags & kIncompleteSplit) != 0; }
  uint32 delta_count() const { return special_->delta_count; }
  uint32 entry_count() const { return node_.count() + delta_count(); }

  int value_columns() const { return inner() ? shape_.key_columns : shape_.value_columns; }
  // Of a delta entry, but for values of bytes columns.
  size_t delta_stride() const { return DeltaStride(shape_, inner()); }
  static size_t DeltaStride(const Shape& shape, bool inner) {
    const size_t values = static_cast<size_t>(inner ? shape.key_columns : shape.value_columns);
    return 9 * values + 6 + (inner ? 4 : 0);
  }
  // What the delta says of an entry's place, besides the entry.
  static size_t DeltaPlace(const Shape& shape, bool inner) {
    return (inner ? shape.Inner() : shape).bytes_columns != 0 ? 3 : 1;
  }
  // What the delta takes of the page.
  size_t delta_bytes() const;
  // Whether an entry of so many bytes (EncodedDeltaBytes) should be appended to the delta.
  bool HasDeltaRoom(size_t bytes) const;
  // Whether it can be: the entries of another page's delta may be more than a session whose
  // test build has small ones would append.
  bool FitsDelta(size_t bytes) const;

  // Delta entries by their rank in key order.
  uint32 DeltaSlotAt(uint32_t rank) const { return Body()[node_.header().size + rank]; }
  core::Tid DeltaTidAt(uint32_t rank) const;
  // Values of bytes columns stay on the page.
  void DeltaKeyAt(uint32_t rank, core::Key* key) const;
  void DeltaEntryAt(uint32_t rank, Entry* entry) const;
  BlockNumber DeltaChildAt(uint32_t rank) const;
  // The rank of the first delta entry above the bound.
  uint32_t DeltaLowerBound(const core::Bound& bound) const;

  // Whether the delta's entries fill the end of the page, and have their values inside.
  bool DeltaIsSound() const;

  // The child to descend to, base and delta together.
  BlockNumber ChildFor(const core::Bound& bound, core::Direction direction) const;

 private:
  const uint8_t* Body() const { return reinterpret_cast<const uint8_t*>(page_) + SizeOfPageHeaderData; }
  const uint8_t* DeltaAt(uint32_t rank) const {
    const uint32 slot = DeltaSlotAt(rank);
    if (unlikely(node_.header().bytes_columns != 0))
      return reinterpret_cast<const uint8_t*>(page_) + DeltaOffsetAt(slot);
    return reinterpret_cast<const uint8_t*>(special_) - (slot + 1) * delta_stride();
  }
  uint16 DeltaOffsetAt(uint32 slot) const {
    uint16 offset;
    memcpy(&offset, Body() + node_.header().size + delta_count() + slot * sizeof offset, sizeof offset);
    return offset;
  }

  Page page_;
  const PageSpecial* special_;
  const Shape& shape_;
  core::Node node_;
};

static_assert(SizeOfPageHeaderData == core::kImageOffset);

// Bytes that node image, delta order and delta share.
inline constexpr size_t kPageCapacity = BLCKSZ - SizeOfPageHeaderData - sizeof(PageSpecial);
// What a node image may take, so that more entries have room: kMinDelta of them,
// or, where entries are wide, as many as a twentieth of the page holds, but one at least.
inline size_t MaxImageBytes(const Shape& shape, bool inner) {
  constexpr size_t kUsualValue = 32;  // of a bytes column
  const size_t one =
      NodePage::DeltaStride(shape, inner) + NodePage::DeltaPlace(shape, inner) +
      kUsualValue * static_cast<size_t>(__builtin_popcountll((inner ? shape.Inner() : shape).bytes_columns));
  return kPageCapacity - Max(one, Min(kMinDelta * one, kPageCapacity / 20));
}

// --- Writing page images.  `page` is a generic WAL image, or private memory. ---

// An empty page with links and flags.
void InitPage(Page page, BlockNumber left, BlockNumber right, uint16 flags);
// Puts a node image on an initialized page; the delta becomes empty.
void PutNode(Page page, const core::Entries& entries, const core::NodePlan& plan, uint32 level, const core::Key& low,
             const core::Key* high);
// The same for a page that has a node, of which the entries before `from` remain as they
// are (core::PlanTail).
void PutTail(Page page, const core::Entries& tail, uint32 from, const core::NodePlan& plan);
// REQUIRES: FitsDelta().
void AppendDelta(Page page, const Shape& shape, const Entry& entry);
// The same in steps: encoded, which takes so many bytes; put at its rank, which is where its
// key belongs.  (Only the last one happens in a critical section and in replay, where nothing
// may compare values that a function compares.)
size_t EncodedDeltaBytes(const Shape& shape, bool inner, const Entry& entry);
void EncodeDelta(const Shape& shape, bool inner, const Entry& entry, uint8_t* bytes);
uint32_t DeltaRankOf(const NodePage& page, const Shape& shape, const Entry& entry);
// Of an encoded entry.  REQUIRES: no bytes columns.
uint32_t DeltaRankOfEncoded(const NodePage& page, const Shape& shape, const uint8_t* bytes);
void AppendEncodedDelta(Page page, const Shape& shape, const uint8_t* bytes, size_t size, uint32_t rank);
void InitMetaPage(Page page, const Shape& shape);
void InitDeletedPage(Page page, BlockNumber left, BlockNumber right, FullTransactionId safe_xid);
// Computes the page's checksums: the last thing done to an image.  The base's
// checksum is kept from PutNode unless the image was written otherwise.  What hints
// there were (tree/killed.h) are gone.
void SealPage(Page page, BlockNumber block);

inline MetaBody* MetaBodyOf(Page page) { return reinterpret_cast<MetaBody*>(PageGetContents(page)); }
inline DeletedBody* DeletedBodyOf(Page page) { return reinterpret_cast<DeletedBody*>(PageGetContents(page)); }

// --- Reading pages. ---

// Reads, pins and locks a block, and returns only if it is a sound page of this
// index: ERRCODE_INDEX_CORRUPTED otherwise, also where the file ends before it.
// The checksums are verified the first time this backend meets the block.
Buffer GetPage(Relation rel, const Shape& shape, BlockNumber block, int lock_mode);
// What every visit of a page reads: headers and fences, and the special space.
inline void PrefetchPage(Buffer buffer) {
  const char* page = static_cast<const char*>(BufferGetPage(buffer));
  core::Prefetch(page);
  core::Prefetch(page + 64);
  core::Prefetch(page + 128);
  core::Prefetch(page + BLCKSZ - sizeof(PageSpecial));
}
// The same of a page that this backend has read before, in the buffer where it was then.
Buffer GetPageAgain(Relation rel, const Shape& shape, BlockNumber block, Buffer recent, int lock_mode);
// The same where other pages are locked meanwhile.  A damaged link may lead to one
// of these, for whose lock this backend would wait for ever: that is an error, too.
Buffer GetFurtherPage(Relation rel, const Shape& shape, BlockNumber block, int lock_mode);
// Only reads and pins the block, if the file has it; LockPage does the rest.
Buffer PinPage(Relation rel, BlockNumber block, BufferAccessStrategy strategy);
void LockPage(Relation rel, const Shape& shape, Buffer buffer, int lock_mode);
// Verifies a page whatever was verified before; `problem` gets what is wrong.
bool PageIsSound(Page page, const Shape& shape, BlockNumber block, const char** problem);

inline void ReleasePage(Buffer buffer) { UnlockReleaseBuffer(buffer); }
inline bool IsDeleted(Page page) { return (SpecialOf(page)->flags & kDeletedPage) != 0; }
inline bool IsNode(Page page) { return (SpecialOf(page)->flags & kNoNode) == 0; }
inline bool IsCold(Page page) { return (SpecialOf(page)->flags & kColdPage) != 0; }
inline bool IsSegment(Page page) { return (SpecialOf(page)->flags & kSegmentPage) != 0; }

// A page for a new node, locked exclusively: a recycled one or a new block.
Buffer AllocatePage(const Index& index);
// Whether a deleted or never used page may be given a new life.
bool IsRecyclable(Page page);

// Raises what PageIsSound found.
[[noreturn]] void ReportUnsound(Relation rel, Page page, BlockNumber block, const char* problem);
[[noreturn]] void ReportCorruption(Relation rel, BlockNumber block, const char* problem);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_PAGE_H
