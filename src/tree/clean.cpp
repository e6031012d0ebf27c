// Removing dead entries from a leaf before it would be split, as nbtree does: those that
// scans have found to be dead, and where updates left many versions of the same keys, those
// that the table says are.
//
// Only VACUUM gives TIDs to other rows, so no pin is waited for.  But a query on a standby
// may still see a row that nobody sees here: the record says up to which transaction they
// are gone, and replay cancels such queries first.  Generic WAL cannot say that.
#include "tree/killed.h"
#include "tree/log.h"
#include "tree/modify.h"
#include "tree/search.h"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
}

namespace omendb::tree {

using core::Entries;
using core::Key;

namespace {

// For each of the page's entries, in key order, whether scans know it to be dead.
void FindKilled(const NodePage& page, Page raw, const Entries& entries, bool* killed) {
  KilledHints hints(raw);
  uint32 base = 0, delta = 0;
  for (uint32 i = 0; i < entries.count; i++) {
    // Which of the two an entry came from, its TID says: a page has each TID once.
    const bool from_delta = delta < page.delta_count() && page.DeltaTidAt(delta) == entries.tid[i];
    killed[i] = hints.IsKilled(from_delta ? page.node().count() + page.DeltaSlotAt(delta++) : base++);
  }
}

// What the table is asked: about the entries that are known to be dead, or about all of
// them, of which those with a key that others have, too, are worth a look.
struct Question {
  TM_IndexDeleteOp op;
  uint16* position;  // of each entry that is asked about

  void Begin(const Index& index, BlockNumber block, uint32 count, bool bottom_up) {
    op.irel = index.rel;
    op.iblknum = block;
    op.bottomup = bottom_up;
    op.bottomupfreespace = bottom_up ? BLCKSZ / 16 : 0;
    op.ndeltids = 0;
    op.deltids = static_cast<TM_IndexDelete*>(palloc(count * sizeof(TM_IndexDelete)));
    op.status = static_cast<TM_IndexStatus*>(palloc(count * sizeof(TM_IndexStatus)));
    position = static_cast<uint16*>(palloc(count * sizeof(uint16)));
  }

  void Add(const Entries& entries, uint32 i, bool known_dead, bool promising, size_t bytes) {
    const int n = op.ndeltids++;
    ItemPointerSet(&op.deltids[n].tid, static_cast<BlockNumber>(core::TidBlock(entries.tid[i])),
                   static_cast<OffsetNumber>(core::TidOffset(entries.tid[i])));
    op.deltids[n].id = static_cast<int16>(n);
    // The offset is for error messages only, and has a limit that our positions have not.
    op.status[n] = {static_cast<OffsetNumber>(Min(i + 1, static_cast<uint32>(MaxOffsetNumber))), known_dead, promising,
                    static_cast<int16>(bytes)};
    position[n] = static_cast<uint16>(i);
  }
};

int ComparePositions(const void* a, const void* b) {
  return static_cast<int>(*static_cast<const uint16*>(a)) - static_cast<int>(*static_cast<const uint16*>(b));
}

// The positions of the entries that can go, sorted; returns how many.  *horizon gets the
// latest transaction that could see one of them.
uint32 Ask(const Index& index, Question* question, uint16* positions, TransactionId* horizon) {
  const Relation heap = table_open(index.rel->rd_index->indrelid, NoLock);
  *horizon = table_index_delete_tuples(heap, &question->op);
  table_close(heap, NoLock);
  uint32 count = 0;
  for (int d = 0; d < question->op.ndeltids; d++) {
    const int16 id = question->op.deltids[d].id;
    if (question->op.status[id].knowndeletable) positions[count++] = question->position[id];
  }
  qsort(positions, count, sizeof(uint16), ComparePositions);
  return count;
}

}  // namespace

void RemoveEntries(Entries* entries, const uint16* positions, uint32 count) {
  uint32 kept = 0, next = 0;
  for (uint32 i = 0; i < entries->count; i++) {
    if (next < count && positions[next] == i) {
      next++;
      continue;
    }
    if (kept != i) core::CopyEntry(entries, kept, *entries, i);
    kept++;
  }
  entries->count = kept;
}

bool RemoveDeadEntries(const Index& index, Buffer buffer, bool bottom_up) {
  const Page raw = BufferGetPage(buffer);
  const NodePage page(raw, index.shape);
  const bool may_have_killed = MayHaveKilled(raw);
  if ((!may_have_killed && !bottom_up) || page.inner() || !Change::CanSayConflict(index.rel)) return false;

  LoadedEntries loaded;
  LoadEntries(page, index.shape, &loaded);
  Entries& entries = loaded.entries;
  bool* killed = static_cast<bool*>(palloc0(entries.count + 1));
  if (may_have_killed) FindKilled(page, raw, entries, killed);
  bool any_killed = false;
  for (uint32 i = 0; i < entries.count; i++) any_killed |= killed[i];

  Question question;
  question.Begin(index, BufferGetBlockNumber(buffer), entries.count + 1, bottom_up && !any_killed);
  const size_t bytes = page.node().header().size / (entries.count + 1) + 1;
  for (uint32 i = 0; i < entries.count; i++) {
    if (any_killed) {
      if (killed[i]) question.Add(entries, i, true, false, 0);
    } else {
      const bool promising = (i > 0 && core::HaveSameKey(entries, i - 1, i)) ||
                             (i + 1 < entries.count && core::HaveSameKey(entries, i, i + 1));
      question.Add(entries, i, false, promising, bytes);
    }
  }
  bool done = false;
  if (question.op.ndeltids > 0 && (any_killed || bottom_up)) {
    uint16* positions = static_cast<uint16*>(palloc((entries.count + 1) * sizeof(uint16)));
    TransactionId horizon;
    const uint32 count = Ask(index, &question, positions, &horizon);
    RemoveEntries(&entries, positions, count);
    core::NodePlan plan;
    if (count > 0 && entries.count <= MaxPageEntries()) {
      core::PlanNode(entries, nullptr, &plan, page.node().fence_value_bytes());
      // A gap may bend a line that was exact.
      done = plan.size <= MaxImageBytes(index.shape, false);
    }
    if (done) {
      Key low, high;
      page.node().LowFence(&low);
      const Key* high_fence = page.node().HighFenceOrNull(&high);
      Change change;
      change.Begin(index, Action::kClean);
      change.Conflict(horizon);
      const Page image = change.RewriteAs(buffer, {0, page.entry_count(), positions, count, nullptr});
      PutNode(image, entries, plan, 0, low, high_fence);
      SealPage(image, BufferGetBlockNumber(buffer));
      change.Finish();
      pg::ReachTestPoint(pg::TestPoint::kLeafCleaned);
    }
    pfree(positions);
  }
  pfree(question.op.deltids);
  pfree(question.op.status);
  pfree(question.position);
  pfree(killed);
  FreeEntries(&loaded);
  return done;
}

}  // namespace omendb::tree
