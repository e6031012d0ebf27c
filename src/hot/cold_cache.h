// Leaves that were read out of segments (tree/segment.h), decompressed and verified, for all processes: in
// PostgreSQL's shared memory if the library is in shared_preload_libraries, and else nowhere.
//
//   +----------------------------+
//   | Set: 8 Ways                |   which leaf, and when it was last used
//   | ...                        |
//   +----------------------------+
//   | 8 pages of 8 KB for each   |
//   | ...                        |
//   +----------------------------+
//
// A leaf has its place in one set, where it takes the way that was not used for longest.  A leaf in a segment never
// changes, and no segment's number is used twice, so nothing is ever invalidated.  Sets share a few locks; while one
// is held, a page is copied and nothing else happens.
#ifndef OMENDB_HOT_COLD_CACHE_H
#define OMENDB_HOT_COLD_CACHE_H

#include "pg/postgres.h"

namespace omendb::hot {

// Defines omendb.cold_cache_size and, while the server starts, asks for the shared memory.  From _PG_init.
void DefineColdCache();

// Copies a leaf to `page`; false if it is not there.
bool FetchColdLeaf(uint64 segment, uint32 slot, char* page);
void StoreColdLeaf(uint64 segment, uint32 slot, const char* page);

}  // namespace omendb::hot

#endif  // OMENDB_HOT_COLD_CACHE_H
