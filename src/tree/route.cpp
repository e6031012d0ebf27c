#include "tree/route.h"

#include "tree/index_cache.h"
#include "tree/modify.h"
#include "tree/options.h"
#include "tree/search.h"

#include "pg/compat.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/spccache.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Entries;
using core::Key;

namespace {

// Fences, with the block that each begins; grows.
struct FenceList {
  Entries entries;
  uint32 capacity;
};

void MakeRoom(FenceList* list, const Shape& shape, uint32 more) {
  if (list->entries.count + more <= list->capacity) return;
  const uint32 capacity = Max(list->entries.count + more, list->capacity * 2);
  void* memory = palloc_extended(core::EntriesBytes(capacity, shape.Inner(), true), MCXT_ALLOC_HUGE);
  Entries grown;
  core::LayOutEntries(&grown, memory, capacity, shape.Inner(), true);
  grown.count = 0;
  if (list->entries.count > 0) core::AppendEntries(&grown, list->entries);
  list->entries = grown;
  list->capacity = capacity;
}

// Appends the separators and children of a locked inner page.  Those that are not above
// what the list has were moved to this page since it was read.
void AppendChildren(const NodePage& page, const Shape& shape, FenceList* list) {
  LoadedEntries loaded;
  LoadEntries(page, shape, &loaded);
  uint32 first = 0;
  if (list->entries.count > 0) {
    Key last, key;
    list->entries.KeyAt(list->entries.count - 1, &last);
    for (; first < loaded.entries.count; first++) {
      loaded.entries.KeyAt(first, &key);
      if (core::CompareKeys(last, key, shape) < 0) break;
    }
  }
  MakeRoom(list, shape, loaded.entries.count - first);
  core::AppendEntries(&list->entries, loaded.entries.Slice(first, loaded.entries.count));
  // Values of bytes columns stay with the page's entries; all of it goes with the memory context.
  if (loaded.entries.bytes_columns == 0) FreeEntries(&loaded);
}

// Collects the low fences of the pages of a level, from the level above.  False if there
// is none: the root is on this level.
bool CollectFences(const Index& index, uint32 level, FenceList* list) {
  Key key;
  Bound position;
  core::KeyBytes position_memory;
  core::SetMinusInfinity(&key, index.shape.key_columns);
  core::SetBoundBefore(&position, key, index.shape.key_columns);
  *list = FenceList{};
  Buffer buffer = InvalidBuffer;
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (!BufferIsValid(buffer)) buffer = Descend(index, position, Direction::kForward, level + 1, BUFFER_LOCK_SHARE);
    if (!BufferIsValid(buffer)) return false;
    const NodePage page(BufferGetPage(buffer), index.shape);
    AppendChildren(page, index.shape, list);
    if (!page.node().has_high_fence()) break;
    page.node().HighFence(&key);
    core::SetBoundBefore(&position, key, index.shape.key_columns);
    core::OwnBound(&position, index.shape, &position_memory);
    const BlockNumber right = page.right();
    ReleasePage(buffer);
    buffer = GetPage(index.rel, index.shape, right, BUFFER_LOCK_SHARE);
    if (IsLandingFor(index, BufferGetPage(buffer), position, Direction::kForward, level + 1)) continue;
    ReleasePage(buffer);
    buffer = InvalidBuffer;
  }
  ReleasePage(buffer);
  return true;
}

// A tree of one page: the root has all keys.
void OnlyRoot(const Index& index, FenceList* list) {
  Key key;
  core::SetMinusInfinity(&key, index.shape.key_columns);
  *list = FenceList{};
  MakeRoom(list, index.shape, 1);
  for (int c = 0; c < index.shape.key_columns; c++) {
    list->entries.value[c][0] = 0;
    list->entries.cls[c][0] = core::kMinusInfinity;
  }
  list->entries.tid[0] = 0;
  list->entries.child[0] = kRootBlock;
  list->entries.count = 1;
}

void Rebuild(const Index& index) {
  if (!hot::ClaimRebuild(&CacheOf(index.rel)->route, RelationGetNumberOfBlocks(index.rel))) return;
  // A copy: the cache may move while pages are verified.
  const hot::Handle handle = CacheOf(index.rel)->route;
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "omendb hot index", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext old_context = MemoryContextSwitchTo(context);
  // The leaves if there is room for them, or else the level above, which has hundreds
  // of times fewer pages.
  for (uint32 level = 0;; level++) {
    FenceList list;
    if (!CollectFences(index, level, &list)) {
      if (level > 0) break;
      OnlyRoot(index, &list);
    }
    pg::ReachTestPoint(pg::TestPoint::kFencesCollected);
    if (hot::Publish(handle, pg::FileNodeOf(index.rel), list.entries, level, FenceModelOf(index.rel))) break;
    MemoryContextReset(context);
  }
  hot::GiveUpRebuild();
  MemoryContextSwitchTo(old_context);
  MemoryContextDelete(context);
}

}  // namespace

bool HasRoutes(const Index& index) {
  // Who comes to an index for the first time also checks its metapage, on the way from the root.
  return IsVerified(index.rel, kMetaBlock) && hot::IsRouted(index.rel);
}

bool FindRoute(const Index& index, const Bound& bound, Direction direction, hot::Guess* guess) {
  if (!HasRoutes(index)) return false;
  if (unlikely(hot::IsRebuildDue(CacheOf(index.rel)->route))) Rebuild(index);
  if (likely(hot::Lookup(&CacheOf(index.rel)->route, pg::FileNodeOf(index.rel), index.shape, bound, direction, guess)))
    return true;
  hot::Count(&CacheOf(index.rel)->route, hot::Outcome::kNoTable);
  return false;
}

void PrefetchGuess(const Index& index, const hot::Guess& guess) {
  if (likely(BufferIsValid(guess.buffer))) {
    pg::PrefetchBufferHeader(guess.buffer);
    PrefetchPage(guess.buffer);
    hot::PrefetchWords(guess, BufferGetPage(guess.buffer));
  } else if (get_tablespace_io_concurrency(index.rel->rd_rel->reltablespace) > 0 &&
             // The file may be another one of the same name, and shorter.
             guess.block < RelationGetNumberOfBlocks(index.rel)) {
    PrefetchBuffer(index.rel, MAIN_FORKNUM, guess.block);
  }
}

void PrefetchLeaf(const Index& index, const Bound& bound, Direction direction) {
  hot::Guess guess;
  if (HasRoutes(index) &&
      hot::Lookup(&CacheOf(index.rel)->route, pg::FileNodeOf(index.rel), index.shape, bound, direction, &guess))
    PrefetchGuess(index, guess);
}

Buffer GetGuessedPage(const Index& index, const hot::Guess& guess, int lock_mode) {
  const Relation rel = index.rel;
  if (BufferIsValid(guess.buffer)) {
    // All that is known to be needed, at once: most of its cost is the wait for memory.
    PrefetchGuess(index, guess);
    if (pg::PinRecentBuffer(rel, guess.block, guess.buffer)) {
      LockBuffer(guess.buffer, lock_mode);
      // Whoever remembered the buffer has verified the page there.  Since then the file may
      // have been truncated and extended again, by chance in the same buffer.
      if (unlikely(PageIsNew(BufferGetPage(guess.buffer)))) {
        ReleasePage(guess.buffer);
        return InvalidBuffer;
      }
      if (unlikely(!IsVerified(rel, guess.block))) RememberVerified(rel, guess.block);
      return guess.buffer;
    }
  }
  // The file may be another one of the same name, and shorter.
  if (guess.block >= RelationGetNumberOfBlocks(rel)) return InvalidBuffer;
  const Buffer buffer = ReadBuffer(rel, guess.block);
  LockBuffer(buffer, lock_mode);
  const char* problem;
  if (!PageIsSound(BufferGetPage(buffer), index.shape, guess.block, &problem)) {
    ReleasePage(buffer);
    return InvalidBuffer;
  }
  RememberVerified(rel, guess.block);
  hot::RememberBuffer(guess, buffer);
  return buffer;
}

void RememberLayout(const hot::Guess& guess, const NodePage& page) {
  const auto line = [](size_t image_offset) {
    return static_cast<uint8>((SizeOfPageHeaderData + image_offset) / core::kCacheLine);
  };
  const auto lines = [&](const core::Column& column) {
    return static_cast<uint8>(core::PackedBytes(page.node().count(), column.header().width) / core::kCacheLine);
  };
  if (page.node().is_bytes(0)) {
    const auto lines_of = [&](size_t begin, size_t end) { return static_cast<uint8>(line(end - 1) - line(begin) + 1); };
    const core::Node& node = page.node();
    const size_t dictionary = node.dictionary_at(0), end = dictionary + node.dictionary(0).searched_bytes();
    const size_t values = node.fence_values(), size = node.header().size;
    hot::RememberLayout(guess, hot::PageLayout{line(dictionary), lines_of(dictionary, end), line(values),
                                               values < size ? lines_of(values, size) : uint8{0}});
    return;
  }
  const core::Column key = page.node().value_column(0), tid = page.node().tid_column();
  hot::RememberLayout(
      guess, hot::PageLayout{line(key.header().data_offset), lines(key), line(tid.header().data_offset), lines(tid)});
}

void EndRoute(const Index& index, const hot::Guess& guess, Buffer leaf, hot::Outcome outcome) {
  if (IndexCache* cache = CacheOf(index.rel)) hot::Count(&cache->route, outcome);
  if (guess.level > 0 || !hot::IsProtected(guess)) return;
  const NodePage page(BufferGetPage(leaf), index.shape);
  if (outcome == hot::Outcome::kHit)
    RememberLayout(guess, page);
  else if (page.right() == InvalidBlockNumber)
    hot::RememberLastPage(guess, BufferGetBlockNumber(leaf), leaf);
}

}  // namespace omendb::tree
