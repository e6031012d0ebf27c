#include "tree/index_cache.h"

extern "C" {
#include "utils/memutils.h"
}

namespace omendb::tree {

void RememberVerified(Relation rel, BlockNumber block) {
  IndexCache* cache = CacheOf(rel);
  if (cache == nullptr || block / 64 >= cache->words) {
    const uint32 old_words = cache != nullptr ? cache->words : 0;
    const uint32 words = Max(block / 64 + 1, Max(old_words * 2, 16));
    const Size size = offsetof(IndexCache, verified) + words * sizeof(uint64);
    IndexCache* grown =
        static_cast<IndexCache*>(MemoryContextAllocExtended(rel->rd_indexcxt, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    grown->words = words;
    if (cache != nullptr) {
      grown->route = cache->route;
      memcpy(grown->verified, cache->verified, old_words * sizeof(uint64));
      pfree(cache);
    }
    rel->rd_amcache = cache = grown;
  }
  cache->verified[block / 64] |= UINT64CONST(1) << (block % 64);
}

}  // namespace omendb::tree
