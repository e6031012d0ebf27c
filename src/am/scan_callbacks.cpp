#include <new>

#include "am/insert_buffer.h"
#include "am/scan.h"

#include "am/am.h"
#include "am/heap_page.h"

extern "C" {
#include "access/relscan.h"
}

namespace omendb::am {

using core::Direction;

namespace {

// What hangs on an IndexScanDesc.
struct ScanState {
  Scan scan;
  HeapPages heap_pages;
};

ScanState& StateOf(IndexScanDesc scan) { return *static_cast<ScanState*>(scan->opaque); }

}  // namespace

IndexScanDesc BeginScan(Relation index, int keys, int orderbys) {
  IndexScanDesc scan = RelationGetIndexScan(index, keys, orderbys);
  scan->opaque = new (palloc(sizeof(ScanState))) ScanState{Scan(index, CurrentMemoryContext), HeapPages()};
  StateOf(scan).heap_pages.Init();
  scan->xs_itupdesc = RelationGetDescr(index);
  return scan;
}

void Rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey, int) {
  FlushInserts(scan->indexRelation);
  if (keys != nullptr && nkeys > 0) memmove(scan->keyData, keys, static_cast<Size>(nkeys) * sizeof(ScanKeyData));
  ScanState& state = StateOf(scan);
  ScanRequest request;
  request.keys = scan->keyData;
  request.key_count = scan->numberOfKeys;
  request.snapshot = scan->xs_snapshot;
  request.index_only = scan->xs_want_itup;
  request.columns = scan->xs_want_itup ? ~UINT64CONST(0) : 0;
  request.form_tuples = scan->xs_want_itup;
  request.skip_killed = scan->ignore_killed_tuples;
  state.scan.Rescan(request, ParallelPosition::Of(scan));
  state.heap_pages.Begin(scan);
}

bool GetTuple(IndexScanDesc desc, ScanDirection direction) {
  ScanState& state = StateOf(desc);
  Scan& scan = state.scan;
  // Conditions are exact.
  desc->xs_recheck = false;
  state.heap_pages.Learn(desc);
  if (desc->kill_prior_tuple) scan.KillCurrent();
  if (!scan.Advance(ScanDirectionIsBackward(direction) ? Direction::kBackward : Direction::kForward)) return false;
  core::Tid tid = scan.entries().tid[scan.position()];
  ItemPointerSet(&desc->xs_heaptid, static_cast<BlockNumber>(core::TidBlock(tid)),
                 static_cast<OffsetNumber>(core::TidOffset(tid)));
  if (desc->xs_want_itup) desc->xs_itup = scan.Tuple();
  state.heap_pages.Expect(desc);
  return true;
}

int64 GetBitmap(IndexScanDesc desc, TIDBitmap* bitmap) {
  Scan& scan = StateOf(desc).scan;
  int64 total = 0;
  while (scan.AdvanceChunk(Direction::kForward)) {
    const core::Entries& entries = scan.entries();
    ItemPointerData tids[64];
    for (uint32 i = 0; i < entries.count;) {
      int n = 0;
      for (; n < static_cast<int>(lengthof(tids)) && i < entries.count; n++, i++)
        ItemPointerSet(&tids[n], static_cast<BlockNumber>(core::TidBlock(entries.tid[i])),
                       static_cast<OffsetNumber>(core::TidOffset(entries.tid[i])));
      tbm_add_tuples(bitmap, tids, n, false);
    }
    total += entries.count;
  }
  return total;
}

void MarkPosition(IndexScanDesc scan) { StateOf(scan).scan.MarkPosition(); }

void RestorePosition(IndexScanDesc scan) { StateOf(scan).scan.RestorePosition(); }

Size EstimateParallelScan() { return sizeof(ParallelPosition); }

void InitParallelScan(void* target) { static_cast<ParallelPosition*>(target)->Init(); }

void RestartParallelScan(IndexScanDesc scan) { ParallelPosition::Of(scan)->Reset(); }

void EndScan(IndexScanDesc scan) {
  StateOf(scan).scan.Free();
  pfree(scan->opaque);
}

}  // namespace omendb::am
