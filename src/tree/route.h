// What the tree asks of the hot index, and how it is built: a search may begin at
// the page that it names, if that page's own fences agree.
#ifndef OMENDB_TREE_ROUTE_H
#define OMENDB_TREE_ROUTE_H

#include "hot/directory.h"
#include "tree/page.h"

namespace omendb::tree {

// Looks the bound up.  Builds the index's table first, if that is due.  False if there is
// nothing to go by: the search begins at the root.  No page is locked.
bool FindRoute(const Index& index, const core::Bound& bound, core::Direction direction, hot::Guess* guess);

// Whether searches may ask the hot index.
bool HasRoutes(const Index& index);
// Fetches into the cache what a search will read of its leaf, or asks the disk for the leaf
// if it is in no known buffer.
void PrefetchGuess(const Index& index, const hot::Guess& guess);
// Fetches into the cache what a search for the bound will read of its leaf, if that is known.
void PrefetchLeaf(const Index& index, const core::Bound& bound, core::Direction direction);

// Reads, pins and locks the page of a guess; InvalidBuffer if it is not there, or not
// sound, which who comes from the root will find out.
Buffer GetGuessedPage(const Index& index, const hot::Guess& guess, int lock_mode);

// Says where the words of a leaf are that was found as guessed.
void RememberLayout(const hot::Guess& guess, const NodePage& page);
// Says what became of a guess, and in which leaf, locked, the search ended.
void EndRoute(const Index& index, const hot::Guess& guess, Buffer leaf, hot::Outcome outcome);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_ROUTE_H
