#include <new>
#include <type_traits>

#include "tree/build.h"

#include "tree/options.h"

#include "pg/compat.h"

extern "C" {
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

using core::Entries;
using core::Key;

namespace {

// Entries that a level collects before it writes pages: what is in the cache while they
// are planned, and more than a full page and the first entry of the next, which makes the
// separator.
constexpr uint32 kLevelCapacity = core::kMaxEntries + core::kMaxEntries / 2;

constexpr uint32 kMaxLevels = 32;

// One level under construction: entries not yet written, and the page before
// them, finished but for its right link.
struct Level {
  Entries pending;
  Key low;  // low fence of the page to come
  core::KeyBytes low_memory;
  uint32 guess;       // entries that the last page took
  BlockNumber block;  // of the page to come
  BlockNumber left;   // of the page before
};

}  // namespace

class TreeBuilder {
 public:
  TreeBuilder(const Index& index, const UniqueBuild* unique)
      : index_(index), unique_(unique), has_last_alive_(false), levels_(0), next_block_(kRootBlock + 1) {
    strategy_ = GetAccessStrategy(BAS_BULKWRITE);
    const Buffer meta = Extend(kMetaBlock);
    InitMetaPage(BufferGetPage(meta), index.shape);
    MarkBufferDirty(meta);
    ReleasePage(meta);
    // The root's block is taken now and written last.
    ReleasePage(Extend(kRootBlock));
    OpenLevel(0);
  }

  bool AddSorted(Sorter* sorter, uint32* added) {
    Entries& pending = level_[0].pending;
    const uint32 before = pending.count;
    const bool more = NextSorted(sorter, kLevelCapacity, &pending);
    *added = pending.count - before;
    if (unique_ != nullptr) CheckUnique(before);
    if (pending.count == kLevelCapacity) WritePages(0, false);
    return more;
  }

  void AddEntry(const Entry& entry) {
    Entries& pending = level_[0].pending;
    const uint32 i = pending.count++;
    for (int c = 0; c < pending.value_columns; c++) {
      pending.cls[c][i] = entry.cls[c];
      pending.value[c][i] = entry.value[c];
      if (entry.cls[c] != core::kValue)
        pending.all_value &= ~(UINT64CONST(1) << c);
      else if (pending.is_bytes(c))
        pending.value[c][i] = CopyValue(entry.value[c]);
    }
    pending.tid[i] = entry.tid;
    if (unique_ != nullptr) CheckUnique(i);
    if (pending.count == kLevelCapacity) WritePages(0, false);
  }

  void Finish() {
    // The top level grows while the ones below it are finished.
    for (uint32 l = 0; l < levels_; l++) {
      WritePages(l, true);
      if (l + 1 == levels_) break;
    }
    pg::ReachTestPoint(pg::TestPoint::kBuildWritten);
    if (RelationNeedsWAL(index_.rel))
      log_newpage_range(index_.rel, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index_.rel), true);
    pg::ReachTestPoint(pg::TestPoint::kBuildLogged);
    FreeAccessStrategy(strategy_);
  }

 private:
  void OpenLevel(uint32 number) {
    if (number >= kMaxLevels) elog(ERROR, "omendb: too many levels");
    Level& level = level_[number];
    const bool inner = number > 0;
    const Shape shape = inner ? index_.shape.Inner() : index_.shape;
    const int values = shape.value_columns;
    core::LayOutEntries(&level.pending,
                        MemoryContextAllocHuge(CurrentMemoryContext, core::EntriesBytes(kLevelCapacity, shape, inner)),
                        kLevelCapacity, shape, inner);
    // What most entries have: as long as that is so it need not be written again.
    for (int c = 0; c < values; c++) {
      for (uint32 i = 0; i < kLevelCapacity; i++) level.pending.cls[c][i] = core::kValue;
      level.pending.all_value |= UINT64CONST(1) << c;
    }
    core::SetMinusInfinity(&level.low, index_.shape.key_columns);
    level.guess = 512;
    level.block = InvalidBlockNumber;
    level.left = InvalidBlockNumber;
    levels_ = number + 1;
  }

  // Sorted, entries with the same key follow each other, perhaps with those of dead rows
  // between them.  Checks the entries that were added, and makes their TIDs what they are.
  void CheckUnique(uint32 added) {
    Entries& pending = level_[0].pending;
    bool here = false;  // the last live row's entry is among those that were added
    uint32 last = 0;
    for (uint32 i = added; i < pending.count; i++) {
      const bool alive = IsAlive(pending.tid[i]);
      pending.tid[i] = UnmarkedTid(pending.tid[i]);
      if (!alive) continue;
      const bool same = here ? core::HaveSameKey(pending, last, i) : has_last_alive_ && HasKeyOfLastAlive(pending, i);
      if (same && !(unique_->nulls_distinct && HasNull(pending, i)))
        unique_->report_duplicate(pending, i, unique_->state);
      here = true;
      last = i;
    }
    if (!here) return;
    has_last_alive_ = true;
    pending.KeyAt(last, &last_alive_);
    core::OwnKey(&last_alive_, index_.shape, &last_alive_memory_);
  }

  bool HasKeyOfLastAlive(const Entries& entries, uint32 i) const {
    Key key;
    entries.KeyAt(i, &key);
    key.tid = last_alive_.tid;
    return core::CompareKeys(key, last_alive_, index_.shape) == 0;
  }

  static bool HasNull(const Entries& entries, uint32 i) {
    for (int c = 0; c < entries.key_columns; c++)
      if (entries.cls[c][i] != core::kValue) return true;
    return false;
  }

  Buffer Extend(BlockNumber expected) {
    const Buffer buffer = ReadBufferExtended(index_.rel, MAIN_FORKNUM, P_NEW, RBM_ZERO_AND_LOCK, strategy_);
    if (BufferGetBlockNumber(buffer) != expected)
      elog(ERROR, "omendb: expected block %u of index \"%s\", got %u", expected, RelationGetRelationName(index_.rel),
           BufferGetBlockNumber(buffer));
    return buffer;
  }

  void AddDownlink(uint32 number, const Key& low, BlockNumber child) {
    Entries& pending = level_[number].pending;
    const uint32 i = pending.count++;
    for (int c = 0; c < pending.value_columns; c++) {
      pending.value[c][i] = low.ordinal[c];
      pending.cls[c][i] = low.cls[c];
      if (low.cls[c] != core::kValue) pending.all_value &= ~(UINT64CONST(1) << c);
      if (pending.is_bytes(c) && low.cls[c] == core::kValue) pending.value[c][i] = CopyValue(low.ordinal[c]);
    }
    pending.tid[i] = low.tid;
    pending.child[i] = child;
    if (pending.count == kLevelCapacity) WritePages(number, false);
  }

  // Values of bytes columns that are pending are copies, until they are written.
  static uint64 CopyValue(uint64 value) {
    uint8_t* copy = static_cast<uint8_t*>(palloc(core::StoredBytes(value)));
    core::StoreBytes(core::ViewOf(value), copy);
    return core::WordOf(copy);
  }
  static void FreeValues(const Entries& entries, uint32 count) {
    for (uint64 left = entries.bytes_columns; left != 0; left &= left - 1) {
      const int c = __builtin_ctzll(left);
      for (uint32 i = 0; i < count; i++)
        if (entries.cls[c][i] == core::kValue) pfree(const_cast<uint8_t*>(core::BytesAt(entries.value[c][i])));
    }
  }

  // Writes pages while more entries are pending than one page takes; at the end
  // of the input, until none are.
  void WritePages(uint32 number, bool at_end) {
    Level& level = level_[number];
    const bool inner = number > 0;
    const size_t max_image = MaxImageBytes(index_.shape, inner);
    // Inner nodes are rarely inserted into: leave them less room than a leaf.
    const size_t fill = inner ? max_image : FillBytes(index_.rel, kPageCapacity, max_image);
    uint32 written = 0;
    for (;;) {
      CHECK_FOR_INTERRUPTS();
      const Entries rest = level.pending.Slice(written, level.pending.count);
      // About what the last page took: planned when there are more.
      if (!at_end && rest.count < Min(level.guess + level.guess / 8, MaxPageEntries() + 1)) break;
      const Entries most = rest.Slice(0, Min(rest.count, MaxPageEntries()));
      if (rest.count == 0 && !(at_end && level.left == InvalidBlockNumber && written == 0)) break;
      core::NodePlan plan;
      uint32 n = 0;
      if (rest.count > 0)
        n = core::PlanPrefix(most, fill, level.guess, &plan, &level.low);
      else
        core::PlanNode(rest, nullptr, &plan, core::KeyValueBytes(level.low, index_.shape));
      if (plan.size > kPageCapacity)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("entries of index \"%s\" are too wide for a page", RelationGetRelationName(index_.rel))));
      const bool last = n == rest.count;
      // What follows the last full page may still grow.
      if (last && !at_end) break;
      level.guess = Max(n, 1);
      const bool is_root = last && level.left == InvalidBlockNumber;
      WritePage(number, rest.Slice(0, n), plan, last ? nullptr : &rest, is_root);
      written += n;
      if (last) break;
    }
    if (level.pending.bytes_columns != 0) FreeValues(level.pending, written);
    const uint32 remaining = level.pending.count - written;
    core::MoveEntries(&level.pending, 0, written, remaining);
    level.pending.count = remaining;
  }

  // `rest` holds the entries that follow this page's, or is null for the last page.
  void WritePage(uint32 number, const Entries& entries, const core::NodePlan& plan, const Entries* rest, bool is_root) {
    Level& level = level_[number];
    const int columns = index_.shape.key_columns;
    const BlockNumber block = is_root ? kRootBlock : next_block_++;
    Key high;
    core::KeyBytes high_memory;
    if (rest != nullptr) {
      Key left_key, right_key;
      rest->KeyAt(entries.count - 1, &left_key);
      rest->KeyAt(entries.count, &right_key);
      // In an inner node the separator must be the child's low fence itself.
      if (number > 0)
        core::CopyKey(&high, right_key, columns);
      else
        core::MakeSeparator(left_key, right_key, index_.shape, &high_memory, &high);
    }
    if (level.left != InvalidBlockNumber) SetRightLink(level.left, block);

    const Buffer buffer = is_root ? ReadBuffer(index_.rel, kRootBlock) : Extend(block);
    if (is_root) LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const Page page = BufferGetPage(buffer);
    InitPage(page, level.left, InvalidBlockNumber, 0);
    PutNode(page, entries, plan, number, level.low, rest != nullptr ? &high : nullptr);
    SealPage(page, block);
    MarkBufferDirty(buffer);
    ReleasePage(buffer);
    pg::ReachTestPoint(pg::TestPoint::kBuildPage);

    if (!is_root) {
      if (number + 1 == levels_) OpenLevel(number + 1);
      AddDownlink(number + 1, level.low, block);
    }
    level.left = block;
    if (rest == nullptr) return;
    core::CopyKey(&level.low, high, columns);
    core::OwnKey(&level.low, index_.shape, &level.low_memory);
  }

  void SetRightLink(BlockNumber block, BlockNumber right) {
    const Buffer buffer = ReadBuffer(index_.rel, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    SpecialOf(BufferGetPage(buffer))->right = right;
    SealPage(BufferGetPage(buffer), block);
    MarkBufferDirty(buffer);
    ReleasePage(buffer);
  }

  Index index_;
  const UniqueBuild* unique_;
  bool has_last_alive_;
  core::KeyBytes last_alive_memory_;
  Key last_alive_;  // of the live row that came last
  BufferAccessStrategy strategy_;
  uint32 levels_;
  BlockNumber next_block_;
  Level level_[kMaxLevels];
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<TreeBuilder>);

TreeBuilder* BeginBuild(const Index& index, const UniqueBuild* unique) {
  return new (palloc(sizeof(TreeBuilder))) TreeBuilder(index, unique);
}

bool AddToBuild(TreeBuilder* builder, Sorter* sorter, uint32* added) { return builder->AddSorted(sorter, added); }

void AddEntryToBuild(TreeBuilder* builder, const Entry& entry) { builder->AddEntry(entry); }

void FinishBuild(TreeBuilder* builder) { builder->Finish(); }

void WriteEmptyTree(const Index& index, ForkNumber fork) {
  for (BlockNumber block = kMetaBlock; block <= kRootBlock; block++) {
    const Buffer buffer = ReadBufferExtended(index.rel, fork, P_NEW, RBM_ZERO_AND_LOCK, nullptr);
    const Page page = BufferGetPage(buffer);
    START_CRIT_SECTION();
    if (block == kMetaBlock) {
      InitMetaPage(page, index.shape);
    } else {
      Entries none{};
      core::NodePlan plan;
      Key low;
      none.key_columns = index.shape.key_columns;
      none.value_columns = index.shape.value_columns;
      none.bytes_columns = index.shape.bytes_columns;
      none.order = index.shape.order;
      core::PlanNode(none, nullptr, &plan);
      core::SetMinusInfinity(&low, index.shape.key_columns);
      InitPage(page, InvalidBlockNumber, InvalidBlockNumber, 0);
      PutNode(page, none, plan, 0, low, nullptr);
      SealPage(page, block);
    }
    MarkBufferDirty(buffer);
    log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
  }
}

}  // namespace omendb::tree
