// Replay of our WAL records, and what is said about them.
#include "tree/log.h"

#include "tree/modify.h"
#include "tree/search.h"

extern "C" {
#include "access/bufmask.h"
#include "access/xlog_internal.h"
#include "access/xlogutils.h"
#include "lib/stringinfo.h"
#include "storage/standby.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

using core::Entries;

namespace {

MemoryContext context;  // of a record's replay

Shape ShapeOf(Page page) {
  const core::Node node(reinterpret_cast<const uint8_t*>(page) + SizeOfPageHeaderData);
  // (Replay compares no values, so it needs no orders.)
  return {node.key_columns(), node.value_columns(), node.header().bytes_columns, nullptr};
}

Entries AllocateEntries(uint32 capacity, const Shape& shape, bool inner) {
  Entries entries;
  const Shape own = inner ? shape.Inner() : shape;
  core::LayOutEntries(&entries, palloc(core::EntriesBytes(Max(capacity, 1), own, inner)), Max(capacity, 1), own, inner);
  return entries;
}

void ApplyPatch(Page page, const char* data, Size bytes) {
  for (const char* end = data + bytes; data < end;) {
    uint16 header[2];
    memcpy(header, data, sizeof header);
    memcpy(page + header[0], data + sizeof header, header[1]);
    data += sizeof header + header[1];
  }
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  memset(page + header->pd_lower, 0, header->pd_upper - header->pd_lower);
}

void ApplyBlock(PageOp op, Page page, BlockNumber block, const char* data, Size bytes) {
  switch (op) {
    case PageOp::kPatch:
      return ApplyPatch(page, data, bytes);
    case PageOp::kAppend:
      return ApplyAppended(page, block, data, bytes);
    case PageOp::kRecode:
      return ApplyRecoded(page, block, data, bytes);
    case PageOp::kImage:
      break;
  }
  elog(PANIC, "omendb: unexpected block operation %d", static_cast<int>(op));
}

// The transaction that the main data end in; invalid if they have none.
TransactionId HorizonOf(XLogReaderState* record) {
  const uint32 parts = static_cast<uint32>(XLogRecMaxBlockId(record) + 1);
  TransactionId horizon = InvalidTransactionId;
  if (XLogRecGetDataLen(record) == parts + sizeof horizon)
    memcpy(&horizon, XLogRecGetData(record) + parts, sizeof horizon);
  return horizon;
}

// Both are in the same order.
pg::TestPoint PointOf(uint8 info) {
  constexpr int kFirst = static_cast<int>(pg::TestPoint::kReplayedAppend);
  static_assert(static_cast<int>(pg::TestPoint::kReplayedRedirect) - kFirst ==
                static_cast<int>(Action::kRedirect) >> 4);
  return static_cast<pg::TestPoint>(kFirst + (info >> 4));
}

extern "C" {

void omendb_redo(XLogReaderState* record) {
  Buffer buffers[Change::kMaxPages];
  const char* ops = XLogRecGetData(record);
  const int parts = XLogRecMaxBlockId(record) + 1;
  const TransactionId horizon = HorizonOf(record);
  const uint32 horizon_bytes = TransactionIdIsValid(horizon) ? sizeof horizon : 0;
  if (parts > Change::kMaxPages || XLogRecGetDataLen(record) != static_cast<uint32>(parts) + horizon_bytes)
    elog(PANIC, "omendb: unexpected record");
  if (InHotStandby && TransactionIdIsValid(horizon)) {
    RelFileNode node;
    XLogRecGetBlockTag(record, 0, &node, nullptr, nullptr);
    ResolveRecoveryConflictWithSnapshot(horizon, node);
  }
  const MemoryContext old_context = MemoryContextSwitchTo(context);
  // All pages are locked before the first is unlocked, as those who read here expect it.
  for (int i = 0; i < parts; i++) {
    const uint8 id = static_cast<uint8>(i);
    if (XLogReadBufferForRedo(record, id, &buffers[i]) != BLK_NEEDS_REDO) continue;
    Size bytes;
    const char* data = XLogRecGetBlockData(record, id, &bytes);
    const Page page = BufferGetPage(buffers[i]);
    ApplyBlock(static_cast<PageOp>(ops[i]), page, BufferGetBlockNumber(buffers[i]), data, bytes);
    PageSetLSN(page, record->EndRecPtr);
    MarkBufferDirty(buffers[i]);
  }
  pg::ReachTestPoint(PointOf(XLogRecGetInfo(record)));
  for (int i = 0; i < parts; i++)
    if (BufferIsValid(buffers[i])) UnlockReleaseBuffer(buffers[i]);
  MemoryContextSwitchTo(old_context);
  MemoryContextReset(context);
}

void omendb_desc(StringInfo out, XLogReaderState* record) {
  if (TransactionIdIsValid(HorizonOf(record))) appendStringInfo(out, "horizon %u; ", HorizonOf(record));
  const char* ops = XLogRecGetData(record);
  const int parts = Min(XLogRecMaxBlockId(record) + 1, static_cast<int>(XLogRecGetDataLen(record)));
  for (int i = 0; i < parts; i++) {
    Size bytes = 0;
    const char* data =
        XLogRecHasBlockRef(record, i) ? XLogRecGetBlockData(record, static_cast<uint8>(i), &bytes) : nullptr;
    if (i > 0) appendStringInfoString(out, "; ");
    switch (static_cast<PageOp>(ops[i])) {
      case PageOp::kImage:
        appendStringInfo(out, "page %d: whole", i);
        break;
      case PageOp::kPatch:
        appendStringInfo(out, "page %d: patch of %zu bytes", i, bytes);
        break;
      case PageOp::kAppend:
        appendStringInfo(out, "page %d: delta entries of %zu bytes", i, bytes);
        break;
      case PageOp::kRecode: {
        RecodeHeader header;
        if (data == nullptr || bytes < sizeof header) {
          appendStringInfo(out, "page %d: recoded", i);
          break;
        }
        memcpy(&header, data, sizeof header);
        appendStringInfo(out, "page %d: recoded, kept %u to %u, removed %u, added %u bytes", i, header.keep_begin,
                         header.keep_end, header.removed_count, header.more_bytes);
        break;
      }
    }
  }
}

const char* omendb_identify(uint8 info) {
  switch (static_cast<Action>(info & ~XLR_INFO_MASK)) {
    case Action::kAppend:
      return "APPEND";
    case Action::kMerge:
      return "MERGE";
    case Action::kSplit:
      return "SPLIT";
    case Action::kSplitRoot:
      return "SPLIT_ROOT";
    case Action::kDownlink:
      return "DOWNLINK";
    case Action::kShare:
      return "SHARE";
    case Action::kClean:
      return "CLEAN";
    case Action::kUnlink:
      return "UNLINK";
    case Action::kCollapse:
      return "COLLAPSE";
    case Action::kCount:
      return "COUNT";
    case Action::kSegment:
      return "SEGMENT";
    case Action::kFreeze:
      return "FREEZE";
    case Action::kAbsorb:
      return "ABSORB";
    case Action::kThaw:
      return "THAW";
    case Action::kFree:
      return "FREE";
    case Action::kRedirect:
      return "REDIRECT";
  }
  return nullptr;
}

void omendb_redo_startup(void) {
  context = AllocSetContextCreate(CurrentMemoryContext, "omendb replay", ALLOCSET_DEFAULT_SIZES);
}

void omendb_redo_cleanup(void) {
  MemoryContextDelete(context);
  context = nullptr;
}

// Not logged are the hints at dead entries, which are bits in the hole and a flag.
void omendb_mask(char* page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  mask_unused_space(page);
}

}  // extern "C"

}  // namespace

const RmgrData kResourceManager = {
    "omendb",    omendb_redo, omendb_desc, omendb_identify, omendb_redo_startup, omendb_redo_cleanup,
    omendb_mask, nullptr};

void ApplyAppended(Page page, BlockNumber block, const char* data, Size bytes) {
  const Shape shape = ShapeOf(page);
  const NodePage view(page, shape);
  const bool with_headers = view.node().header().bytes_columns != 0;
  for (Size at = 0; at < bytes;) {
    AppendedHeader header = {0, static_cast<uint16>(view.delta_stride())};
    if (with_headers) {
      memcpy(&header, data + at, sizeof header);
      at += sizeof header;
    }
    const uint8_t* entry = reinterpret_cast<const uint8_t*>(data + at);
    if (!with_headers) header.rank = static_cast<uint8>(DeltaRankOfEncoded(view, shape, entry));
    AppendEncodedDelta(page, shape, entry, header.size, header.rank);
    at += header.size;
  }
  SealPage(page, block);
}

void ApplyRecoded(Page page, BlockNumber block, const char* data, Size) {
  RecodeHeader header;
  memcpy(&header, data, sizeof header);
  const char* const head = data + sizeof header;
  const Shape shape = ShapeOf(page);
  const NodePage old(page, shape);
  const bool inner = old.inner();

  // What is kept of the page's entries, and what came.
  core::NodeHeader node;
  memcpy(&node, head, sizeof node);
  Entries scratch = AllocateEntries(kMaxDelta, shape, inner);
  Entries all = AllocateEntries(old.entry_count() + node.count, shape, inner);
  all.count = MergeEntries(old, 0, old.node().count(), 0, old.delta_count(), &scratch, &all);
  core::MoveEntries(&all, 0, header.keep_begin, header.keep_end - header.keep_begin);
  all.count = header.keep_end - header.keep_begin;
  const size_t removed_bytes = header.removed_count * sizeof(uint16);
  uint16* removed = static_cast<uint16*>(palloc(removed_bytes + 1));
  memcpy(removed, head + header.head_bytes, removed_bytes);
  RemoveEntries(&all, removed, header.removed_count);
  if (header.more_bytes > 0) {
    // Its packed words begin at a cache line, as on a page.
    char* memory = static_cast<char*>(palloc(header.more_bytes + core::kImageOffset + core::kCacheLine));
    char* image = reinterpret_cast<char*>(TYPEALIGN(core::kCacheLine, memory)) + core::kImageOffset;
    memcpy(image, head + header.head_bytes + removed_bytes, header.more_bytes);
    const core::Node more_node(reinterpret_cast<const uint8_t*>(image));
    Entries more = AllocateEntries(more_node.count(), shape, inner);
    more_node.Decode(0, more_node.count(), ~UINT64CONST(0), &more, 0);
    more.count = more_node.count();
    core::MergeSorted(&all, more);
  }
  if (all.count != node.count)
    elog(PANIC, "omendb: replay of block %u gives %u entries instead of %u", block, all.count, node.count);

  InitPage(page, header.special.left, header.special.right, header.special.flags);
  uint8_t* image = reinterpret_cast<uint8_t*>(page) + SizeOfPageHeaderData;
  memcpy(image, head, header.head_bytes);
  core::PackNode(all, image);
  const PageHeader page_header = reinterpret_cast<PageHeader>(page);
  page_header->pd_lower = static_cast<LocationIndex>(SizeOfPageHeaderData + node.size);
  *SpecialOf(page) = header.special;
  const char* problem;
  if (!PageIsSound(page, shape, block, &problem))
    elog(PANIC, "omendb: replay gives another page %u than the record says: %s", block, problem);
}

}  // namespace omendb::tree
