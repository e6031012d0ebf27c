// Leaves as they are read, wherever they are: in a buffer, or in a segment.
//
// A search ends at a page of the leaves' level, which it has pinned and locked.  If that is a cold
// page (tree/cold_page.h), the leaf is read out of its segment into memory of this backend,
// while the page is unlocked; then the page is locked again, and if it still has the leaf, the copy is
// what the leaf is as long as the lock is held.  So whatever is said about a leaf's lock and pin,
// a cold page's lock and pin do for all of its leaves: writers, VACUUM and predicate locks need the page.
//
// The copy has links: the cold page itself, where the page has a leaf on that side, or the page's
// own.  So a walk along right-links comes to the page again, and finds the next leaf by its bound.
#ifndef OMENDB_TREE_LEAF_H
#define OMENDB_TREE_LEAF_H

#include "tree/cold_page.h"

namespace omendb::tree {

// The leaf of a cold page in which a search for the bound begins.  REQUIRES: the page is locked in share mode, it
// is the one that the search landed on, and no other page is locked.  Null if it is no longer: then lock and pin are
// gone.  ERRCODE_INDEX_CORRUPTED if the leaf cannot be read from its segment.
Page ReadColdLeaf(const Index& index, Buffer buffer, const core::Bound& bound, core::Direction direction);

// The same for any page of the leaves' level.  What is returned is valid until the lock is released.
inline Page ReadLeaf(const Index& index, Buffer buffer, const core::Bound& bound, core::Direction direction) {
  const Page page = BufferGetPage(buffer);
  return likely(!IsCold(page)) ? page : ReadColdLeaf(index, buffer, bound, direction);
}

// A leaf of a locked cold page, if it is in memory; else null.
Page CachedLeaf(const Index& index, Page cold_page, BlockNumber block, uint32 i);
// Whether a leaf's fences are those that the cold page has for it: whatever a segment holds, it is read as
// no other part of the key range.
bool HasFences(const Index& index, Page leaf, const ColdPage& cold, uint32 i);
// Brings it there.  Returns null, or what is wrong and with which block (ReadStoredLeaf).  No page may be locked.
const char* CacheLeaf(const Index& index, const ColdLeaf& leaf, BlockNumber* block);

// The same page as it was before it was offloaded, with these links.
void WriteLeaf(Page image, Page leaf, BlockNumber left, BlockNumber right);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_LEAF_H
