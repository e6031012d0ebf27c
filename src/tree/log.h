// Atomic changes of pages, and what is written of them to the WAL.
//
// Where omendb is in shared_preload_libraries it has a resource manager of its own, whose
// records say what a change was: "these entries were appended", "this leaf was encoded
// anew with these in addition".  Elsewhere it is generic WAL, which finds out which bytes
// changed.  The pages are the same, bit for bit.
//
// A record of ours is
//
//   main data   one PageOp a block
//   block data  kImage   nothing: the page's full image comes with the block
//               kPatch   fragments: offset (2), length (2), bytes
//               kAppend  delta entries, encoded as on the page (tree/page.h); where there are
//                        bytes columns, behind an AppendedHeader each
//               kRecode  RecodeHeader | head of the new node image | removed positions
//                        (2 each) | node image of `more`
//
// and its info is the Action.  The main data may end in a transaction id: entries are gone
// that only snapshots up to it can see.  All of it is physical: replay computes no model.  A recoded
// page is decoded, merged with what was added, and packed as the new head says; and if the
// result has another checksum than the record, replay stops.  (Pages with bytes columns are
// not recoded but logged whole: to encode these anew takes a comparison of their values.)
#ifndef OMENDB_TREE_LOG_H
#define OMENDB_TREE_LOG_H

#include "tree/page.h"

extern "C" {
#include "access/generic_xlog.h"
#include "access/rmgr.h"
}

namespace omendb::tree {

// What a change is for: the info of its record.
enum class Action : uint8 {
  kAppend = 0x00,     // entries to a delta
  kMerge = 0x10,      // entries into a base
  kSplit = 0x20,      // a page in two; the downlink is missing
  kSplitRoot = 0x30,  // the tree becomes higher
  kDownlink = 0x40,   // completes a split
  kShare = 0x50,      // a leaf and its sibling are divided anew
  kClean = 0x60,      // dead entries go
  kUnlink = 0x70,     // a page leaves the tree
  kCollapse = 0x80,   // the tree becomes lower
  kCount = 0x90,      // of deleted pages, in the metapage
  kSegment = 0xA0,    // blocks of a segment
  kFreeze = 0xB0,     // a leaf becomes a cold page
  kAbsorb = 0xC0,     // a cold page gets its right sibling's leaves
  kThaw = 0xD0,       // a cold page becomes a leaf
  kFree = 0xE0,       // blocks of a segment that nothing leads to
  kRedirect = 0xF0,   // leaves of a cold page are in another segment
};

enum class PageOp : uint8 { kImage, kPatch, kAppend, kRecode };

// Which entries a page has after a change: those in [keep_begin, keep_end) of the ones it
// had, base and delta merged, without the removed ones (positions from keep_begin), and more.
struct Recode {
  uint32 keep_begin, keep_end;
  const uint16* removed;  // positions, sorted; or null
  uint32 removed_count;
  const core::Entries* more;  // sorted; or null
};

class Change {
 public:
  static constexpr int kMaxPages = 4;

  // One at a time.  An error between Begin and Finish leaves all pages as they were.
  void Begin(const Index& index, Action action);
  // Whether records can say what Conflict does: not in generic WAL.
  static bool CanSayConflict(Relation rel);
  // On a standby, replay first cancels the queries whose snapshots see the transaction.
  void Conflict(TransactionId horizon) { horizon_ = horizon; }
  // Registers a page that is locked exclusively, and returns a copy to be changed:
  // most of it, or a few bytes.
  Page Rewrite(Buffer buffer) { return Register(buffer, PageOp::kImage); }
  Page Patch(Buffer buffer) { return Register(buffer, PageOp::kPatch); }
  // The copy gets a node (PutNode) whose entries are as `recode` says, or a new page's.
  Page RewriteAs(Buffer buffer, const Recode& recode);
  // Registers a page of which nothing changes but that entries come to its delta, in their
  // order, for which it has room.
  void BeginAppend(Buffer buffer);
  void Append(const Entry& entry);
  // Writes pages and WAL.  Every copy was sealed.
  void Finish();

 private:
  struct Part {
    Buffer buffer;
    PageOp op;
    uint32 bytes;    // of block data
    uint32 entries;  // appended
  };

  Page Register(Buffer buffer, PageOp op);
  void Apply(int i) const;

  Index index_;
  Action action_;
  int parts_;
  Part part_[kMaxPages];
  TransactionId horizon_;
  GenericXLogState* generic_;  // null where our own resource manager writes, or nobody
};

// Registers the resource manager, and the setting that says its number.  REQUIRES: the
// library is being preloaded.
void RegisterResourceManager();

// redo.cpp
extern const RmgrData kResourceManager;

// For both: how block data are applied to a page, which is sealed then.
void ApplyAppended(Page page, BlockNumber block, const char* data, Size bytes);
void ApplyRecoded(Page page, BlockNumber block, const char* data, Size bytes);

#pragma pack(push, 1)
// Of an entry appended to a delta: the rank that it has then.
struct AppendedHeader {
  uint8 rank;
  uint16 size;
};
#pragma pack(pop)
static_assert(sizeof(AppendedHeader) == 3);

struct RecodeHeader {
  PageSpecial special;  // of the new page, checksums included
  uint16 keep_begin, keep_end;
  uint16 head_bytes;
  uint16 removed_count;
  uint16 more_bytes;  // 0: none
  uint16 reserved;
};
static_assert(sizeof(RecodeHeader) == 36);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_LOG_H
