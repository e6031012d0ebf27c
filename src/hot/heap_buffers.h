// In which buffer a page of a table was last seen: a direct-mapped array.
//
//   entry (relation, block) % size:   high half of a hash of both | buffer
//
// Neighbouring blocks are neighbours in the array.  Two pages may want the same entry;
// the later one gets it.  Whoever asks must make sure that the page is still in that
// buffer (ReadRecentBuffer does).
#ifndef OMENDB_HOT_HEAP_BUFFERS_H
#define OMENDB_HOT_HEAP_BUFFERS_H

#include "pg/compat.h"

extern "C" {
#include "storage/block.h"
#include "storage/buf.h"
}

namespace omendb::hot {

// The buffer, or InvalidBuffer.  Not of temporary tables, whose buffers are local.
Buffer RecentHeapBuffer(const pg::FileNode& node, BlockNumber block);
void RememberHeapBuffer(const pg::FileNode& node, BlockNumber block, Buffer buffer);

}  // namespace omendb::hot

#endif  // OMENDB_HOT_HEAP_BUFFERS_H
