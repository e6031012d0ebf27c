// The leaves of a range of keys, from left to right, each as a whole: for who wants totals
// rather than entries.
#ifndef OMENDB_TREE_LEAF_WALK_H
#define OMENDB_TREE_LEAF_WALK_H

#include <type_traits>

#include "hot/directory.h"
#include "tree/search.h"

namespace omendb::tree {

class LeafWalk {
 public:
  // Once, before all else.
  void Init(const Index& index, Snapshot snapshot);

  // Goes to where the first leaf of the entries between the bounds will be.  Whatever
  // happens to the tree before the next call, that call finds it.
  void Begin(const core::Bound& from, const core::Bound& to);
  // Pins and locks (shared) the next leaf; false if there is none, and then no page is
  // locked.  In a serializable transaction, takes a predicate lock on it.  The caller
  // releases it before anything else is done here.
  bool Next();

  // Of the leaf that is locked: the page, and which of its entries are between the bounds.
  Page page() const { return page_; }
  const PageRange& range() const { return range_; }
  // Where the next leaf will begin, to go on there later.  REQUIRES: !done().
  const core::Bound& position() const { return from_; }
  bool done() const { return done_; }

  // Lets go of the lock; the pin holds VACUUM back from the TIDs of the leaf.
  void Unlock() { LockBuffer(buffer_, BUFFER_LOCK_UNLOCK); }
  void ReleasePin();
  // Both.
  void Release();

  // To be called when others may have asked the hot index for something since.
  void ForgetRoute() { routed_ = false; }

 private:
  void Land();
  Buffer RecentBuffer();
  void PrefetchAhead() const;

  Index index_;
  Snapshot snapshot_;
  core::Bound from_, to_;
  core::KeyBytes from_memory_;
  bool done_;
  Buffer buffer_;
  Page page_;  // in the buffer, or a copy (tree/leaf.h)
  PageRange range_;
  BlockNumber next_;  // where `from_` probably is, or invalid

  // The leaf's place in the hot index.
  bool routed_;
  hot::Guess route_;
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<LeafWalk>);

// A key about so many leaves to the right of the bound, to divide a range of keys by; false if
// there are not so many.  It is a fence, but need not be one any more.
bool KeyAhead(const Index& index, const core::Bound& from, uint32 leaves, core::Key* key);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_LEAF_WALK_H
