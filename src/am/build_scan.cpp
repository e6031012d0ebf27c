#include "am/build_scan.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
}

namespace omendb::am {

namespace {

// Pages that are given to heapam at once, at most.
constexpr BlockNumber kMostGiven = 1024;

// Whether rows need no more than to be taken apart.  A concurrent build has a snapshot to
// look at them with, which heapam does.
bool IsPlain(Relation heap, const IndexInfo* index_info) {
  if (heap->rd_tableam != GetHeapamTableAmRoutine() || index_info->ii_Concurrent || IsBootstrapProcessingMode())
    return false;
  if (index_info->ii_Predicate != NIL) return false;
  for (int a = 0; a < index_info->ii_NumIndexAttrs; a++)
    if (index_info->ii_IndexAttrNumbers[a] <= 0) return false;  // an expression, or a system column
  return true;
}

// The rows of one page, found while it was locked.
struct LiveRows {
  int count;
  OffsetNumber offset[MaxHeapTuplesPerPage];
  OffsetNumber root[MaxHeapTuplesPerPage];  // what the index calls it: the first of its HOT chain
};

// Whether all rows of a page are live, by the very test that heapam makes: such a row is in
// the index, whatever the oldest snapshot is.  REQUIRES: the page is locked.
bool FindLiveRows(Relation heap, Buffer buffer, LiveRows* rows) {
  const Page page = BufferGetPage(buffer);
  const BlockNumber block = BufferGetBlockNumber(buffer);
  const OffsetNumber last = PageGetMaxOffsetNumber(page);
  bool roots_differ = false;
  rows->count = 0;
  for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++) {
    const ItemId item = PageGetItemId(page, offset);
    if (!ItemIdIsNormal(item)) continue;
    const HeapTupleHeader header = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    // The usual answer of HeapTupleSatisfiesVacuumHorizon, without the call.
    if (unlikely(!HeapTupleHeaderXminCommitted(header) || (header->t_infomask & HEAP_XMAX_INVALID) == 0)) {
      HeapTupleData tuple;
      TransactionId dead_after;
      tuple.t_data = header;
      tuple.t_len = ItemIdGetLength(item);
      tuple.t_tableOid = RelationGetRelid(heap);
      ItemPointerSet(&tuple.t_self, block, offset);
      if (HeapTupleSatisfiesVacuumHorizon(&tuple, buffer, &dead_after) != HEAPTUPLE_LIVE) return false;
    }
    roots_differ |= HeapTupleHeaderIsHeapOnly(header);
    rows->offset[rows->count] = rows->root[rows->count] = offset;
    rows->count++;
  }
  if (roots_differ) {
    OffsetNumber root[MaxHeapTuplesPerPage];
    heap_get_root_tuples(page, root);
    for (int i = 0; i < rows->count; i++) {
      rows->root[i] = root[rows->offset[i] - 1];
      // heapam reports it.
      if (!OffsetNumberIsValid(rows->root[i])) return false;
    }
  }
  return true;
}

// The scan of one process.
class BuildScan {
 public:
  BuildScan(Relation heap, Relation index, IndexInfo* index_info, IndexBuildCallback callback, void* opaque)
      : heap_(heap), index_(index), index_info_(index_info), callback_(callback), opaque_(opaque) {}

  double Run(ParallelBlockTableScanDesc share, bool progress) {
    ParallelBlockTableScanWorkerData own_share;
    const BlockNumber blocks = share->phs_nblocks;
    if (blocks > static_cast<BlockNumber>(NBuffers / 4) && !RelationUsesLocalBuffers(heap_))
      strategy_ = GetAccessStrategy(BAS_BULKREAD);
    pgstat_count_heap_scan(heap_);
    table_block_parallelscan_startblock_init(heap_, &own_share, share);
    if (progress) pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_TOTAL, blocks);
    for (;;) {
      const BlockNumber block = table_block_parallelscan_nextpage(heap_, &own_share, share);
      if (block == InvalidBlockNumber) break;
      CHECK_FOR_INTERRUPTS();
      if (progress) {
        const BlockNumber start = share->phs_startblock;
        pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE,
                                     block >= start ? block - start : block + blocks - start);
      }
      ReadBlock(block);
    }
    GiveBlocks();
    if (progress) pgstat_progress_update_param(PROGRESS_SCAN_BLOCKS_DONE, blocks);
    if (strategy_ != nullptr) FreeAccessStrategy(strategy_);
    return rows_;
  }

 private:
  void ReadBlock(BlockNumber block) {
    if (given_ > 0) {
      if (block == first_given_ + given_ && given_ < to_give_) {
        given_++;
        return;
      }
      GiveBlocks();
    }
    const Buffer buffer = ReadBufferExtended(heap_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
    LiveRows rows;
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const bool live = FindLiveRows(heap_, buffer, &rows);
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    // The pin keeps rows where they are.
    if (live) ReadRows(buffer, rows);
    ReleaseBuffer(buffer);
    if (live) {
      to_give_ = Max(to_give_ / 2, 1);
      return;
    }
    // The pages behind are likely to be of this kind, too: a scan of them costs something to begin.
    first_given_ = block;
    given_ = 1;
    to_give_ = Min(2 * to_give_, kMostGiven);
  }

  void ReadRows(Buffer buffer, const LiveRows& rows) {
    const Page page = BufferGetPage(buffer);
    const BlockNumber block = BufferGetBlockNumber(buffer);
    const TupleDesc desc = RelationGetDescr(heap_);
    const int attributes = index_info_->ii_NumIndexAttrs;
    HeapTupleData tuple;
    tuple.t_tableOid = RelationGetRelid(heap_);
    for (int i = 0; i < rows.count; i++) {
      const ItemId item = PageGetItemId(page, rows.offset[i]);
      tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
      tuple.t_len = ItemIdGetLength(item);
      ItemPointerSet(&tuple.t_self, block, rows.offset[i]);
      Datum values[INDEX_MAX_KEYS];
      bool isnull[INDEX_MAX_KEYS];
      for (int a = 0; a < attributes; a++)
        values[a] = heap_getattr(&tuple, index_info_->ii_IndexAttrNumbers[a], desc, &isnull[a]);
      ItemPointerData tid;
      ItemPointerSet(&tid, block, rows.root[i]);
      pgstat_count_heap_getnext(heap_);
      callback_(index_, &tid, values, isnull, true, opaque_);
    }
    rows_ += rows.count;
  }

  // Has heapam scan the blocks that wait for it.
  void GiveBlocks() {
    if (given_ == 0) return;
    rows_ += table_index_build_range_scan(heap_, index_, index_info_, false, false, false, first_given_, given_,
                                          callback_, opaque_, nullptr);
    given_ = 0;
  }

  Relation heap_, index_;
  IndexInfo* index_info_;
  IndexBuildCallback callback_;
  void* opaque_;
  BufferAccessStrategy strategy_ = nullptr;
  double rows_ = 0;
  // Blocks for heapam: [first_given_, first_given_ + given_), and how many to collect.
  BlockNumber first_given_ = InvalidBlockNumber, given_ = 0, to_give_ = 1;
};

}  // namespace

double ScanForBuild(Relation heap, Relation index, IndexInfo* index_info, bool progress, IndexBuildCallback callback,
                    void* opaque, ParallelTableScanDesc share) {
  if (!IsPlain(heap, index_info)) {
    return table_index_build_scan(heap, index, index_info, true, progress, callback, opaque,
                                  share != nullptr ? table_beginscan_parallel(heap, share) : nullptr);
  }
  // Alone it is the only one that takes blocks.
  ParallelTableScanDesc own = nullptr;
  if (share == nullptr) {
    own = static_cast<ParallelTableScanDesc>(palloc(table_parallelscan_estimate(heap, SnapshotAny)));
    table_parallelscan_initialize(heap, own, SnapshotAny);
  }
  BuildScan scan(heap, index, index_info, callback, opaque);
  const double rows = scan.Run(reinterpret_cast<ParallelBlockTableScanDesc>(share != nullptr ? share : own), progress);
  if (own != nullptr) pfree(own);
  return rows;
}

}  // namespace omendb::am
