// Changing the tree.  Every function is one or more atomic actions; after each,
// the tree is one that every reader and writer can use, and a crash between two
// leaves at worst an incomplete split, which the next writer that comes by completes.
//
// Lock order: on one level from left to right, and from a level to the next above.
#ifndef OMENDB_TREE_MODIFY_H
#define OMENDB_TREE_MODIFY_H

#include "tree/page.h"
#include "tree/rows.h"

extern "C" {
#include "access/genam.h"
}

namespace omendb::tree {

// All entries of a page, base and delta merged, in palloc'd memory, with room for more.
struct LoadedEntries {
  core::Entries entries;
  core::Entries scratch;
  void* memory;
};
void LoadEntries(const NodePage& page, const Shape& shape, LoadedEntries* loaded, uint32 room = 0);
// The base's only.
void LoadBase(const NodePage& page, const Shape& shape, LoadedEntries* loaded);
void FreeEntries(LoadedEntries* loaded);

// Inserts one entry.  `unchanged`: of a new version of a row whose columns in the index
// are what they were.
void Insert(const Index& index, const Entry& entry, bool unchanged);

// The same in two steps, for a leaf that the entry belongs to, locked exclusively.  The first
// is for one whose split is complete: it returns false, and keeps the lock, if the leaf is
// full; otherwise lock and pin are gone.  `bottom_up`: whether it is worth asking the table
// for dead rows.  The second completes the leaf's split, or divides it; lock and pin are gone.
bool InsertIntoPage(const Index& index, Buffer buffer, const Entry& entry, bool bottom_up);
void MakeRoom(const Index& index, Buffer buffer, const core::Bound& place);

// What InsertUnique found of the key of a new entry.
enum class Uniqueness : uint8 {
  kUnique,     // no other row has it
  kPossibly,   // UNIQUE_CHECK_PARTIAL: another row has it, or may come to have it
  kDuplicate,  // another row has it; nothing was inserted
  kNotFound,   // UNIQUE_CHECK_EXISTING: the entry is not there
};

// Inserts an entry into a unique index, if the rows of the table permit it, and waits for
// transactions on which that depends.  UNIQUE_CHECK_EXISTING: only looks whether they do.
Uniqueness InsertUnique(const Index& index, const Entry& entry, Relation heap, IndexUniqueCheck check, bool unchanged);

// Inserts sorted rows: each leaf that gets some is locked and written once, or once more
// for each time that it splits.
void InsertRows(const Index& index, const Rows& rows, bool unchanged);

// Removes entries of dead rows from a leaf that is locked exclusively: those that scans
// have marked, or, bottom-up, those that the table finds among versions of the same keys.
// Returns false, and changes nothing, if there are none, or generic WAL is all there is.
bool RemoveDeadEntries(const Index& index, Buffer buffer, bool bottom_up);
// Of loaded entries, those at these positions, which are sorted.
void RemoveEntries(core::Entries* entries, const uint16* positions, uint32 count);

// Makes room in a page that is locked exclusively, by moving its delta into its
// base.  Returns false, and changes nothing, if that would not give room for kMinDelta entries.
bool MergeDelta(const Index& index, Buffer buffer);

// Splits a page that is locked exclusively; its lock and pin are gone afterwards.
// `appending`: new entries come at the right end, so leave the left page full.
// REQUIRES: at least two entries; no incomplete split.
void SplitPage(const Index& index, Buffer buffer, bool appending);
// The same with more entries, sorted, that belong to the page: they are in the halves.
// Returns false, and changes nothing and keeps the lock, if a half would not fit a page.
bool SplitPageWith(const Index& index, Buffer buffer, const core::Entries& more);

// Makes room in a leaf, locked exclusively, together with its right sibling, which gets
// some of its entries, or both become three pages.  `more`, sorted, or null, are entries
// that belong to the leaf: they come in, too.  Returns false, and changes nothing and keeps
// the lock, if that cannot be; otherwise lock and pin are gone.
bool ShareWithRight(const Index& index, Buffer buffer, const core::Entries* more);

// Completes the split of a page that is locked exclusively; lock and pin are gone afterwards.
void FinishSplit(const Index& index, Buffer buffer);

// Unlinks a page that has no entries (a leaf) or few (an inner node, which gives
// them to a sibling).  Best effort: returns false if a neighbour is in the way,
// and then another VACUUM will try again.  Called by VACUUM only, without locks.
bool UnlinkPage(const Index& index, BlockNumber block, uint32 level);

// Lets the root take the place of its only child, again and again.
void CollapseRoot(const Index& index);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_MODIFY_H
