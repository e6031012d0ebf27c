#include "tree/lookup.h"

#include "tree/cold_page.h"
#include "tree/index_cache.h"
#include "tree/killed.h"

#include "pg/compat.h"

extern "C" {
#include "access/visibilitymap.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/spccache.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Tid;

namespace {

// Blocks of a table that a page of its visibility map has.
constexpr BlockNumber kBlocksPerMapPage =
    (BLCKSZ - MAXALIGN(SizeOfPageHeaderData)) * BITS_PER_BYTE / BITS_PER_HEAPBLOCK;

void InitBound(int columns, Bound::Tail tail, Bound* bound) {
  bound->columns = columns;
  bound->with_tid = false;
  bound->tail = tail;
  for (int c = 0; c < columns; c++) bound->key.cls[c] = core::kValue;
}

}  // namespace

void Lookup::Init(const Index& index, MemoryContext context) {
  index_ = index;
  context_ = context;
  key_capacity_ = capacity_ = 0;
  is_cold_ = false;
  Reserve(kFewKeys, kRoom + kFewKeys);
  for (Buffer& page : map_page_) page = InvalidBuffer;
  reader_.Init(index, context);
  values_ = nullptr;
  values_begin_ = values_end_ = nullptr;
  block_bytes_ = 0;
  has_blocks_ = false;
  if (index.shape.bytes_columns != 0)
    values_ = AllocSetContextCreate(context, "omendb values looked up", ALLOCSET_DEFAULT_SIZES);
}

void Lookup::Free() {
  reader_.Free();
  if (values_ != nullptr) MemoryContextDelete(values_);
  pfree(begin_);
  pfree(leaf_);
  pfree(all_visible_);
  pfree(memory_);
}

void Lookup::Reserve(uint32 keys, uint32 entries) {
  const Shape& shape = index_.shape;
  if (capacity_ > 0) {
    pfree(begin_);
    pfree(leaf_);
    pfree(all_visible_);
    pfree(memory_);
  }
  key_capacity_ = keys;
  capacity_ = entries;
  begin_ = static_cast<uint32*>(MemoryContextAlloc(context_, (keys + 1) * sizeof *begin_));
  leaf_ = static_cast<Leaf*>(MemoryContextAlloc(context_, keys * sizeof *leaf_));
  all_visible_ = static_cast<bool*>(MemoryContextAlloc(context_, entries * sizeof *all_visible_));
  memory_ = MemoryContextAlloc(context_, core::EntriesBytes(entries, shape, false));
  core::LayOutEntries(&entries_, memory_, entries, shape, false);
  for (int c = 0; c < shape.value_columns; c++) {
    for (uint32 i = 0; i < entries; i++) entries_.cls[c][i] = core::kValue;
    entries_.all_value |= UINT64CONST(1) << c;
  }
}

void Lookup::Begin(const LookupMode& mode) {
  mode_ = mode;
  InitBound(mode.columns, Bound::kBefore, &ahead_low_);
  InitBound(mode.columns, Bound::kBefore, &low_);
  InitBound(mode.columns, Bound::kAfter, &high_);
  own_columns_ = 0;
  for (int c = 0; c < mode.columns; c++)
    if (index_.shape.is_bytes(c) && index_.shape.order[c].exact()) own_columns_ |= UINT64CONST(1) << c;
  Start(nullptr, 0);
}

void Lookup::Start(const uint64* keys, uint32 n) {
  if (n > key_capacity_) Reserve(Max(n, kManyKeys), kCapacity);
  keys_ = keys;
  key_count_ = n;
  guessed_ = asked_ = first_key_ = end_key_ = cold_keys_ = 0;
  continues_ = false;
}

void Lookup::SetKey(uint32 key, Bound* bound) const {
  const uint64* ordinals = keys_ + static_cast<Size>(key) * static_cast<Size>(mode_.columns);
  for (int c = 0; c < mode_.columns; c++) bound->key.ordinal[c] = ordinals[c];
}

void Lookup::FindPlaces(const uint64* keys, uint32 n, uint64* places) {
  keys_ = keys;
  for (uint32 key = 0; key < n; key++) {
    SetKey(key, &low_);
    const Buffer buffer = Descend(index_, low_, Direction::kForward, 0, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    const uint32 leaf = IsCold(page) ? ColdPage(page, index_.shape).LeafFor(low_, Direction::kForward) : 0;
    places[key] = uint64{BufferGetBlockNumber(buffer)} << 32 | leaf;
    ReleasePage(buffer);
  }
}

// The leaf of a key, if the hot index knows it.
bool Lookup::GuessOf(uint32 key, hot::Guess* guess) {
  SetKey(key, &ahead_low_);
  return hot::Lookup(&CacheOf(index_.rel)->route, pg::FileNodeOf(index_.rel), index_.shape, ahead_low_,
                     Direction::kForward, guess) &&
         guess->level == 0;
}

// Looks for the leaves of the next group of keys, and then fetches them, one right after the
// other: a processor overlaps fetches as far as it looks ahead.
void Lookup::GuessGroup() {
  const uint32 first = guessed_;
  guessed_ = Min(key_count_, first + kGroup);
  const bool has_routes = HasRoutes(index_);
  bool is_cold = false;
  for (uint32 key = first; key < guessed_; key++) {
    Ahead& ahead = ahead_[key % lengthof(ahead_)];
    ahead.found = has_routes && GuessOf(key, &ahead.guess);
    if (ahead.found && !BufferIsValid(ahead.guess.buffer)) {
      ahead.found = false;
      is_cold = true;
    }
  }
  for (uint32 key = first; key < guessed_; key++) {
    const Ahead& ahead = ahead_[key % lengthof(ahead_)];
    if (ahead.found && hot::IsProtected(ahead.guess)) PrefetchGuess(index_, ahead.guess);
  }
  is_cold_ |= is_cold;
  if (unlikely(is_cold_) && has_routes) AskForLeaves();
  is_cold_ = is_cold;
}

// Asks for leaves of keys to come that are not in memory.
void Lookup::AskForLeaves() {
  if (get_tablespace_io_concurrency(index_.rel->rd_rel->reltablespace) == 0) return;
  asked_ = Max(asked_, guessed_);
  for (; asked_ < key_count_ && asked_ < guessed_ + kAskAhead; asked_++) {
    hot::Guess guess;
    if (!GuessOf(asked_, &guess)) continue;
    if (BufferIsValid(guess.buffer) && pg::IsProbablyIn(index_.rel, guess.block, guess.buffer)) continue;
    // The hint may be of a longer file.
    if (guess.block < RelationGetNumberOfBlocks(index_.rel)) PrefetchBuffer(index_.rel, MAIN_FORKNUM, guess.block);
  }
}

bool Lookup::Read() {
  first_key_ = continues_ ? end_key_ - 1 : end_key_;
  entries_.count = 0;
  ForgetValues();
  hits_ = 0;
  uint32 key = first_key_;
  for (; key < key_count_; key++) {
    if (entries_.count + kRoom > capacity_) break;
    while (guessed_ < key_count_ && guessed_ <= key + kGroup) GuessGroup();
    begin_[key - first_key_] = entries_.count;
    leaf_[key - first_key_] = Leaf{InvalidXLogRecPtr, InvalidBlockNumber, false};
    if (!continues_) {
      CHECK_FOR_INTERRUPTS();
      SetKey(key, &low_);
      SetKey(key, &high_);
      if (likely(ReadDirectly(key))) continue;
      reader_.Rewind(ReadMode{mode_.snapshot, mode_.wanted, mode_.heap != nullptr, mode_.skip_killed});
      next_ = low_;
      continues_ = true;
    }
    if (!ReadOn(key)) {
      key++;
      break;
    }
    continues_ = false;
  }
  ReleaseMapPages();
  reader_.DropPin();
  if (hits_ > 0 && CacheOf(index_.rel) != nullptr) hot::Count(&CacheOf(index_.rel)->route, hot::Outcome::kHit, hits_);
  end_key_ = key;
  begin_[end_key_ - first_key_] = entries_.count;
  return end_key_ > first_key_;
}

// Reads the entries of a key where the hot index says that they are.  False if they are
// not there, or there are others elsewhere, or many.
bool Lookup::ReadDirectly(uint32 key) {
  const Ahead& ahead = ahead_[key % lengthof(ahead_)];
  const hot::Guess& guess = ahead.guess;
  if (!ahead.found) return false;
  if (!pg::PinRecentBuffer(index_.rel, guess.block, guess.buffer)) {
    is_cold_ = true;
    return false;
  }
  const Buffer buffer = guess.buffer;
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page raw = BufferGetPage(buffer);
  // As GetGuessedPage does.
  if (unlikely(PageIsNew(raw))) {
    ReleasePage(buffer);
    return false;
  }
  if (unlikely(!IsVerified(index_.rel, guess.block))) RememberVerified(index_.rel, guess.block);
  const NodePage page(raw, index_.shape);
  const core::Node& node = page.node();
  bool complete = true;
  if (likely((page.special().flags & (kNoNode | kColdPage)) == 0 && page.level() == 0 &&
             node.IsInside(low_.key.ordinal[0]))) {
  } else if (!IsCold(raw) && IsLandingFor(index_, raw, low_, Direction::kForward, 0)) {
    complete = !node.BoundIsRight(high_, Direction::kBackward);
  } else {
    if (IsCold(raw)) cold_keys_++;
    ReleasePage(buffer);
    return false;
  }
  PageRange range;
  if (likely(mode_.columns == 1 && page.delta_count() == 0 && !node.has_class_column(0))) {
    node.EqualRange(low_.key.ordinal[0], &range.base_begin, &range.base_end);
    range.delta_begin = range.delta_end = 0;
  } else {
    range = FindRange(page, low_, high_);
  }
  if (unlikely(mode_.most != 0 && range.base_end - range.base_begin > mode_.most)) {
    range.base_end = range.base_begin + mode_.most;
    range.delta_end = range.delta_begin;
    leaf_[key - first_key_].cut = true;
  } else if (unlikely(!complete || range.size() > kMostDirect)) {
    ReleasePage(buffer);
    return false;
  }
  pg::CheckOldSnapshot(mode_.snapshot, index_.rel, raw);
  PredicateLockPage(index_.rel, guess.block, mode_.snapshot);
  const uint32 first = entries_.count;
  if (range.size() > 0) Collect(page, raw, range);
  // Read without the buffer's spinlock it may be half of an LSN and half of a later one: none
  // that the page will have.
  leaf_[key - first_key_].block = guess.block;
  leaf_[key - first_key_].lsn = PageGetLSN(raw);
  hits_++;
  // It changes when the leaf is written anew, so it will do to say so now and then.
  if (key % kGroup == 0 && hot::IsProtected(guess)) RememberLayout(guess, page);
  if (mode_.heap == nullptr) {
    ReleasePage(buffer);
  } else {
    // While the leaf is pinned, no TID of it is given to another row.
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    AskVisibilityMap(first);
    ReleaseBuffer(buffer);
  }
  pg::ReachTestPoint(pg::TestPoint::kLeafRead);
  return true;
}

// Appends the entries of a range of a locked leaf: base and delta one after the other, as
// nobody asks for an order among those of a key.
void Lookup::Collect(const NodePage& page, Page raw, const PageRange& range) {
  const bool ask_killed = mode_.skip_killed && unlikely(MayHaveKilled(raw));
  uint32 at = entries_.count;
  // A value that only one string is equal to need not be read.
  const uint64 decoded = mode_.wanted & ~own_columns_;
  const uint64 bytes_wanted = decoded & page.node().header().bytes_columns;
  const uint32 base = range.base_end - range.base_begin;
  if (unlikely(bytes_wanted != 0)) ReserveValues(page.node().DecodedBytes(bytes_wanted, base));
  if (likely(!ask_killed && range.size() == 1 && range.base_begin < range.base_end && bytes_wanted == 0)) {
    const core::Node& node = page.node();
    for (uint64 wanted = mode_.wanted; wanted != 0; wanted &= wanted - 1) {
      const int c = __builtin_ctzll(wanted);
      entries_.value[c][at] = c < mode_.columns ? low_.key.ordinal[c] : node.value_column(c).Get(range.base_begin);
      const uint8 cls = c < mode_.columns ? uint8{core::kValue} : node.ClassAt(c, range.base_begin);
      entries_.cls[c][at] = cls;
      if (cls != core::kValue) entries_.all_value &= ~(UINT64CONST(1) << c);
    }
    entries_.tid[at] = node.TidAt(range.base_begin);
    entries_.count++;
    return;
  }
  if (range.base_begin < range.base_end) page.node().Decode(range.base_begin, range.base_end, decoded, &entries_, at);
  if (!ask_killed) {
    at += base;
  } else {
    KilledHints hints(raw);
    const uint32 first = at;
    for (uint32 i = range.base_begin; i < range.base_end; i++) {
      if (hints.IsKilled(i)) continue;
      const uint32 from = first + (i - range.base_begin);
      if (from != at) core::CopyEntry(&entries_, at, entries_, from);
      at++;
    }
  }
  for (uint64 own = mode_.wanted & own_columns_; own != 0; own &= own - 1) {
    const int c = __builtin_ctzll(own);
    for (uint32 i = entries_.count; i < at; i++) {
      entries_.value[c][i] = low_.key.ordinal[c];
      entries_.cls[c][i] = core::kValue;
    }
  }
  if (unlikely(index_.shape.bytes_columns != 0) && range.delta_begin < range.delta_end)
    ReserveValues(page.delta_bytes());
  for (uint32 rank = range.delta_begin; rank < range.delta_end; rank++) {
    if (ask_killed && KilledHints(raw).IsKilled(page.node().count() + page.DeltaSlotAt(rank))) continue;
    Entry entry;
    page.DeltaEntryAt(rank, &entry);
    for (int c = 0; c < index_.shape.value_columns; c++) {
      entries_.value[c][at] = entry.value[c];
      entries_.cls[c][at] = entry.cls[c];
      if (entry.cls[c] != core::kValue) entries_.all_value &= ~(UINT64CONST(1) << c);
    }
    entries_.tid[at] = entry.tid;
    if (unlikely(index_.shape.bytes_columns != 0)) core::OwnValues(&entries_, at);
    at++;
  }
  entries_.count = at;
}

// The reader's next chunk will have the place of this one's values.
void Lookup::OwnValues(uint32 begin, const core::Entries& read) {
  const uint64 wanted = index_.shape.bytes_columns & mode_.wanted;
  size_t bytes = 0;
  const auto for_each = [&](auto visit) {
    for (uint64 left = wanted; left != 0; left &= left - 1) {
      const int c = __builtin_ctzll(left);
      for (uint32 i = begin; i < begin + read.count; i++)
        if (entries_.cls[c][i] == core::kValue) visit(&entries_.value[c][i]);
    }
  };
  for_each([&](uint64* value) { bytes += core::StoredBytes(*value); });
  ReserveValues(bytes);
  for_each([&](uint64* value) {
    const uint64 owned = core::WordOf(entries_.bytes);
    entries_.bytes = core::StoreBytes(core::ViewOf(*value), entries_.bytes);
    *value = owned;
  });
}

// Room at entries_.bytes for that many bytes of values, which a Read's entries keep.
void Lookup::ReserveValues(size_t bytes) {
  if (likely(bytes <= static_cast<size_t>(values_end_ - entries_.bytes))) return;
  constexpr size_t kFirstBlock = 4096;
  has_blocks_ = block_bytes_ > 0;
  block_bytes_ = Max(Max(2 * block_bytes_, kFirstBlock), bytes);
  values_begin_ = static_cast<uint8_t*>(MemoryContextAllocHuge(values_, block_bytes_));
  values_end_ = values_begin_ + block_bytes_;
  entries_.bytes = values_begin_;
}

// Only the last block, the largest one, is kept for the next Read.
void Lookup::ForgetValues() {
  if (has_blocks_) {
    MemoryContextReset(values_);
    values_begin_ = static_cast<uint8_t*>(MemoryContextAllocHuge(values_, block_bytes_));
    values_end_ = values_begin_ + block_bytes_;
    has_blocks_ = false;
  }
  entries_.bytes = values_begin_;
}

// Reads on as a scan does; false if there is no room for what is left.
bool Lookup::ReadOn(uint32 key) {
  const uint32 first = entries_.count;
  do {
    if (entries_.count + kRoom > capacity_) return false;
    CHECK_FOR_INTERRUPTS();
    reader_.ReadForward(next_, high_);
    const uint32 begin = entries_.count;
    const core::Entries& read = reader_.entries();
    for (uint32 i = 0; i < read.count; i++) {
      core::CopyEntry(&entries_, begin + i, read, i);
    }
    if (values_ != nullptr) OwnValues(begin, read);
    entries_.count += read.count;
    entries_.all_value &= read.all_value;
    if (mode_.heap != nullptr) AskVisibilityMap(begin);
    if (reader_.done()) {
      if (begin == first) {
        leaf_[key - first_key_].block = reader_.leaf();
        leaf_[key - first_key_].lsn = reader_.leaf_lsn();
      }
      return true;
    }
    next_ = reader_.next();  // (whose values stay where they are until the next read)
  } while (mode_.most == 0 || entries_.count - first < mode_.most);
  leaf_[key - first_key_].cut = true;
  return true;
}

// Of the entries from `first` on, whose leaf is pinned.
void Lookup::AskVisibilityMap(uint32 first) {
  for (uint32 i = first; i < entries_.count; i++) {
    const BlockNumber block = static_cast<BlockNumber>(core::TidBlock(entries_.tid[i]));
    Buffer* page = &map_page_[block / kBlocksPerMapPage % kMapPages];
    all_visible_[i] = (visibilitymap_get_status(mode_.heap, block, page) & VISIBILITYMAP_ALL_VISIBLE) != 0;
  }
}

void Lookup::ReleaseMapPages() {
  if (mode_.heap == nullptr) return;
  for (Buffer& page : map_page_) {
    if (BufferIsValid(page)) ReleaseBuffer(page);
    page = InvalidBuffer;
  }
}

}  // namespace omendb::tree
