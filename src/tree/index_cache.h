// What a backend remembers of an index, in its relation cache entry: gone whenever
// PostgreSQL invalidates that, and with it all pointers into it.
#ifndef OMENDB_TREE_INDEX_CACHE_H
#define OMENDB_TREE_INDEX_CACHE_H

#include "hot/directory.h"

#include "pg/postgres.h"

extern "C" {
#include "utils/rel.h"
}

namespace omendb::tree {

// Which blocks this backend has verified (a page is verified once a backend, not at
// every visit), and its place in the hot index.
struct IndexCache {
  hot::Handle route;
  uint32 words;
  uint64 verified[FLEXIBLE_ARRAY_MEMBER];
};

inline IndexCache* CacheOf(Relation rel) { return static_cast<IndexCache*>(rel->rd_amcache); }

inline bool IsVerified(Relation rel, BlockNumber block) {
  const IndexCache* cache = CacheOf(rel);
  return cache != nullptr && block / 64 < cache->words && (cache->verified[block / 64] >> (block % 64) & 1) != 0;
}

void RememberVerified(Relation rel, BlockNumber block);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_INDEX_CACHE_H
