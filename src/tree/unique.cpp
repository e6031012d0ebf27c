// Inserting into a unique index: no two live rows may have the same key.
//
// src/README, "Unique indexes", argues why two sessions cannot both find that a key is free.
#include <type_traits>

#include "tree/modify.h"

#include "tree/cold_move.h"
#include "tree/killed.h"
#include "tree/search.h"

extern "C" {
#include "access/tableam.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/snapmgr.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;
using core::Tid;

namespace {

ItemPointerData TidToItemPointer(Tid tid) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, static_cast<BlockNumber>(core::TidBlock(tid)),
                 static_cast<OffsetNumber>(core::TidOffset(tid)));
  return pointer;
}

// From a leaf that is locked to its right sibling, if a part of what lies below the bound is
// there.  The leaf stays locked: so the link is true, and the sibling is no deleted page.
Buffer StepRight(const Index& index, Buffer buffer, const Bound& bound, int lock_mode) {
  const NodePage page(BufferGetPage(buffer), index.shape);
  if (!page.node().BoundIsRight(bound, Direction::kBackward)) return InvalidBuffer;
  Key fence;
  Bound begin;
  page.node().HighFence(&fence);
  core::SetBoundBefore(&begin, fence, index.shape.key_columns);
  const BlockNumber right = page.right();
  const Buffer next = GetFurtherPage(index.rel, index.shape, right, lock_mode);
  if (!IsLandingFor(index, BufferGetPage(next), begin, Direction::kForward, 0))
    ReportCorruption(index.rel, right, "it does not begin where its left sibling ends");
  return next;
}

// A leaf in a segment that has to be thawed before a search can go on: where it begins.
struct ColdPlace {
  Bound bound;
  core::KeyBytes memory;

  // REQUIRES: a cold page is locked.
  void Set(const Index& index, Buffer buffer) {
    Key low;
    NodePage(BufferGetPage(buffer), index.shape).node().LowFence(&low);
    core::SetBoundBefore(&bound, low, index.shape.key_columns);
    core::OwnBound(&bound, index.shape, &memory);
  }
};

// Looks for rows that have a key, and what they mean for one that is to have it, too.
class KeySearch {
 public:
  KeySearch(const Index& index, const Entry& entry, Relation heap, IndexUniqueCheck check)
      : index_(index), heap_(heap), own_(entry.tid), check_(check) {
    EntryKey(entry, index.shape, &first_.key);
    first_.columns = index.shape.key_columns;
    first_.with_tid = false;
    first_.tail = Bound::kBefore;
    last_ = first_;
    last_.tail = Bound::kAfter;
  }

  // Just before all entries with the key.
  const Bound& first() const { return first_; }

  enum class Found : uint8 {
    kNothing,   // no row has the key
    kConflict,  // one has
    kWait,      // that depends on a transaction that has not ended
    kCold,      // a part of them is in a segment
  };
  // REQUIRES: the leaf where the key's entries begin is locked exclusively; it stays so.
  Found Search(Buffer begin) {
    has_entries_ = found_own_ = gone_ = false;
    Buffer buffer = begin;
    for (;;) {
      const Found found = SearchLeaf(buffer);
      const bool go_on = found == Found::kNothing && !gone_;
      const Buffer next = go_on ? StepRight(index_, buffer, last_, BUFFER_LOCK_SHARE) : InvalidBuffer;
      if (buffer != begin) ReleasePage(buffer);
      if (!BufferIsValid(next)) return found;
      if (IsCold(BufferGetPage(next))) {
        cold_.Set(index_, next);
        ReleasePage(next);
        return Found::kCold;
      }
      buffer = next;
    }
  }

  // After kCold.
  const Bound& cold() const { return cold_.bound; }

  // After kWait, with no page locked: waits for that transaction, or for the end of its
  // speculative insertion.
  void Wait() const {
    ItemPointerData own = TidToItemPointer(own_);
    if (speculative_token_ != 0)
      SpeculativeInsertionWait(transaction_, speculative_token_);
    else
      XactLockTableWait(transaction_, index_.rel, &own, XLTW_InsertIndex);
  }

  // Whether there were entries with the key, of dead rows, too; whether one was the row's own.
  bool has_entries() const { return has_entries_; }
  bool found_own() const { return found_own_; }

 private:
  Found SearchLeaf(Buffer buffer) {
    const Page raw = BufferGetPage(buffer);
    const NodePage page(raw, index_.shape);
    const PageRange range = FindRange(page, first_, last_);
    has_entries_ |= range.size() > 0;
    Found found = Found::kNothing;
    for (uint32 i = range.base_begin; i < range.base_end && found == Found::kNothing && !gone_; i++)
      found = SearchRow(buffer, page.node().TidAt(i), i);
    for (uint32 rank = range.delta_begin; rank < range.delta_end && found == Found::kNothing && !gone_; rank++)
      found = SearchRow(buffer, page.DeltaTidAt(rank), page.node().count() + page.DeltaSlotAt(rank));
    return found;
  }

  Found SearchRow(Buffer buffer, Tid tid, uint32 position) {
    const Page page = BufferGetPage(buffer);
    if (MayHaveKilled(page) && KilledHints(page).IsKilled(position)) return Found::kNothing;
    if (check_ == UNIQUE_CHECK_EXISTING && tid == own_) {
      found_own_ = true;
      return Found::kNothing;
    }
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ItemPointerData row = TidToItemPointer(tid);
    bool all_dead = false;
    if (!table_index_fetch_tuple_check(heap_, &row, &dirty, &all_dead)) {
      if (all_dead && KilledHints(page).Add(position)) MarkBufferDirtyHint(buffer, true);
      return Found::kNothing;
    }
    // Whoever asks for no more than a first look will ask again.
    if (check_ == UNIQUE_CHECK_PARTIAL) return Found::kConflict;
    transaction_ = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
    speculative_token_ = dirty.speculativeToken;
    if (TransactionIdIsValid(transaction_)) return Found::kWait;
    // CREATE INDEX CONCURRENTLY may insert an entry for a row that is dead by now, whose
    // successor this is.
    ItemPointerData own = TidToItemPointer(own_);
    if (table_index_fetch_tuple_check(heap_, &own, SnapshotSelf, nullptr)) return Found::kConflict;
    gone_ = true;
    return Found::kNothing;
  }

  Index index_;
  Relation heap_;
  Tid own_;
  IndexUniqueCheck check_;
  Bound first_, last_;
  ColdPlace cold_;
  TransactionId transaction_ = InvalidTransactionId;
  uint32 speculative_token_ = 0;
  bool has_entries_ = false, found_own_ = false;
  bool gone_ = false;  // the row itself is dead
};

// It lives in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<KeySearch>);

// From the leaf where a key's entries begin to the one that an entry with it belongs to, which
// is locked exclusively, too.  InvalidBuffer if it is in a segment, where *cold says.
Buffer FindPlace(const Index& index, Buffer begin, const Bound& place, ColdPlace* cold) {
  Buffer buffer = begin;
  while (NodePage(BufferGetPage(buffer), index.shape).node().BoundIsRight(place, Direction::kForward)) {
    Bound end = place;
    end.tail = Bound::kAfter;
    const Buffer next = StepRight(index, buffer, end, BUFFER_LOCK_EXCLUSIVE);
    if (buffer != begin) ReleasePage(buffer);
    buffer = next;
    if (IsCold(BufferGetPage(buffer))) {
      cold->Set(index, buffer);
      ReleasePage(buffer);
      return InvalidBuffer;
    }
  }
  return buffer;
}

}  // namespace

Uniqueness InsertUnique(const Index& index, const Entry& entry, Relation heap, IndexUniqueCheck check, bool unchanged) {
  KeySearch search(index, entry, heap, check);
  Key key;
  Bound place;
  EntryKey(entry, index.shape, &key);
  core::SetBoundBefore(&place, key, index.shape.key_columns);
  for (;;) {
    const Buffer begin = LockLeafForWrite(index, search.first());
    if (NodePage(BufferGetPage(begin), index.shape).incomplete_split()) {
      FinishSplit(index, begin);
      continue;
    }
    const KeySearch::Found found = search.Search(begin);
    if (found == KeySearch::Found::kCold) {
      ReleasePage(begin);
      ThawLeaf(index, search.cold());
      continue;
    }
    if (found == KeySearch::Found::kWait) {
      ReleasePage(begin);
      search.Wait();
      continue;
    }
    if (found == KeySearch::Found::kConflict && check != UNIQUE_CHECK_PARTIAL) {
      // Nothing is written; but a reader that has looked for the key here may have to be
      // told so before it is told that the key is not unique.
      CheckForSerializableConflictIn(index.rel, nullptr, BufferGetBlockNumber(begin));
      ReleasePage(begin);
      return Uniqueness::kDuplicate;
    }
    if (check == UNIQUE_CHECK_EXISTING) {
      ReleasePage(begin);
      return search.found_own() ? Uniqueness::kUnique : Uniqueness::kNotFound;
    }

    ColdPlace cold;
    const Buffer buffer = FindPlace(index, begin, place, &cold);
    if (!BufferIsValid(buffer)) {
      ReleasePage(begin);
      ThawLeaf(index, cold.bound);
      continue;
    }
    const bool done = !NodePage(BufferGetPage(buffer), index.shape).incomplete_split() &&
                      InsertIntoPage(index, buffer, entry, unchanged || search.has_entries());
    // Others may look for the key from here on: they find its entry.  Or the search is done again.
    if (buffer != begin) ReleasePage(begin);
    if (done) return found == KeySearch::Found::kConflict ? Uniqueness::kPossibly : Uniqueness::kUnique;
    MakeRoom(index, buffer, place);
  }
}

}  // namespace omendb::tree
