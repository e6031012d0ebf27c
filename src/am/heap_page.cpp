#include "am/heap_page.h"

#include "hot/heap_buffers.h"
#include "hot/region.h"
#include "pg/compat.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
}

namespace omendb::am {

namespace {

IndexFetchHeapData* FetchOf(IndexScanDesc scan) { return reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch); }

// What a fetch reads of a page: its header, the line pointer, and the row, whose place is a guess.
void PrefetchRow(Buffer buffer, OffsetNumber offset, uint32 row_bytes) {
  pg::PrefetchBufferHeader(buffer);
  const char* page = static_cast<const char*>(BufferGetPage(buffer));
  core::Prefetch(page);
  core::Prefetch(page + SizeOfPageHeaderData + (offset - 1) * sizeof(ItemIdData));
  const uint32 from_end = row_bytes * offset;
  if (from_end > 0 && from_end < BLCKSZ) core::Prefetch(page + BLCKSZ - from_end);
}

}  // namespace

void HeapPages::Begin(IndexScanDesc scan) {
  // An index-only scan may not need the row.
  used_ = hot::enable_hot_index && scan->xs_heapfetch != nullptr && !scan->xs_want_itup &&
          !RelationUsesLocalBuffers(scan->heapRelation) && scan->heapRelation->rd_tableam == GetHeapamTableAmRoutine();
  expected_ = InvalidBlockNumber;
}

void HeapPages::Expect(IndexScanDesc scan) {
  if (!used_) return;
  expected_ = InvalidBlockNumber;
  IndexFetchHeapData* fetch = FetchOf(scan);
  const Relation heap = scan->heapRelation;
  const BlockNumber block = ItemPointerGetBlockNumber(&scan->xs_heaptid);
  if (BufferIsValid(fetch->xs_cbuf) && BufferGetBlockNumber(fetch->xs_cbuf) == block) return;
  const Buffer buffer = hot::RecentHeapBuffer(pg::FileNodeOf(heap), block);
  if (BufferIsValid(buffer)) {
    PrefetchRow(buffer, ItemPointerGetOffsetNumber(&scan->xs_heaptid), row_bytes_);
    if (pg::PinRecentBuffer(heap, block, buffer)) {
      if (BufferIsValid(fetch->xs_cbuf)) ReleaseBuffer(fetch->xs_cbuf);
      fetch->xs_cbuf = buffer;
      // heapam does so when it comes to another page.
      heap_page_prune_opt(heap, buffer);
      return;
    }
  }
  expected_ = block;
  offset_ = ItemPointerGetOffsetNumber(&scan->xs_heaptid);
}

void HeapPages::Learn(IndexScanDesc scan) {
  if (likely(!used_ || expected_ == InvalidBlockNumber)) return;
  const Buffer buffer = FetchOf(scan)->xs_cbuf;
  if (BufferIsValid(buffer) && BufferGetBlockNumber(buffer) == expected_) {
    hot::RememberHeapBuffer(pg::FileNodeOf(scan->heapRelation), expected_, buffer);
    // A hint, so that no lock is needed.
    const ItemIdData* line_pointer = PageGetItemId(BufferGetPage(buffer), offset_);
    row_bytes_ = line_pointer->lp_off > 0 ? (BLCKSZ - line_pointer->lp_off) / offset_ : 0;
  }
  expected_ = InvalidBlockNumber;
}

}  // namespace omendb::am
