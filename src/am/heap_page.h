// The table page that an index scan's caller reads next.
//
// The caller, heapam, looks its buffer up in PostgreSQL's buffer table and waits for
// the memory of one thing after the other: table, header, line pointer, row.  The hot
// index may know the buffer (hot/heap_buffers.h).  Then all of these are fetched at
// once, and the page is pinned where heapam keeps the page that it read last, so that
// it finds itself on that page already.
#ifndef OMENDB_AM_HEAP_PAGE_H
#define OMENDB_AM_HEAP_PAGE_H

#include "pg/postgres.h"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
}

namespace omendb::am {

class HeapPages {
 public:
  void Init() { row_bytes_ = 0; }
  // Once a rescan.
  void Begin(IndexScanDesc scan);
  // The scan's caller is about to fetch the row at scan->xs_heaptid.
  void Expect(IndexScanDesc scan);
  // The caller has fetched what it wanted of the entry returned last.
  void Learn(IndexScanDesc scan);

 private:
  bool used_;
  BlockNumber expected_;  // that Learn needs to hear of; or InvalidBlockNumber
  OffsetNumber offset_;
  // Bytes that a row takes on the page read last, if all are as long: where to look for the next.
  uint32 row_bytes_;
};

}  // namespace omendb::am

#endif  // OMENDB_AM_HEAP_PAGE_H
