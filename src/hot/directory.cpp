#include "hot/directory.h"

#include "hot/region.h"

#include "core/prefetch.h"

#include "pg/test_build.h"

extern "C" {
#include "access/xact.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
}

namespace omendb::hot {

namespace {

// A lookup without a table, or with a stale one, costs about as much as it costs to
// read this many fences and fit a model to them: building pays when it has been
// lost that often.
constexpr uint64 kFencesPerMiss = 8;
constexpr uint64 kLeastMisses = 4;
// A search without a table that had to wait for the disk counts for so many: it took longer, and
// with a table leaves can be asked for ahead.
constexpr uint64 kMissesPerRead = 16;
// One that fails, or finds no room, is not tried again soon.
constexpr uint64 kBackOff = 16;
// A table above the leaves costs a page more than it need; that is part of a miss.
constexpr uint64 kCoarseLookupsPerMiss = 16;

// Counts are added to the slot after this many lookups, or this long.
constexpr uint32 kMostPending = 4096;  // of one outcome
constexpr int64 kLongestPending = INT64CONST(1000000);
// Microseconds for which a table was not used before it makes room for others': for any
// of them, and for one that would be small, or has become coarse enough to be.  Tables in
// use stay, or indexes that take turns would only build.
constexpr int64 kIdle = INT64CONST(60000000);
constexpr int64 kIdleForSmall = INT64CONST(1000000);
constexpr uint32 kSmallPages = 4;

// One hazard of this process, and what it protects.
struct Use {
  Slot* slot;
  uint32 generation;
  const Table* table;  // null if nothing is protected
  uint64 version;
  uint32 pending[kOutcomes];
  uint32 pending_cold[kColdOutcomes];
  TimestampTz flushed;
};

Use uses[core::kHazards];
int uses_taken;  // of `uses`, from the first on
int next_use;    // the one to take for another index
// Counts the changes of what is protected.
uint32 protections;
bool any_in_use;
bool registered;
Slot* claimed;
uint64 claimed_misses;  // that the build had to wait for
int64 counted_reads;    // pages that this process had read when it last counted a miss

core::HazardLines* MyHazards(const Region& region) {
  return &region.hazards[region.lock != nullptr ? MyProc->pgprocno : 0];
}

uint32 MyNumber() { return MyProc != nullptr ? static_cast<uint32>(MyProc->pgprocno) + 1 : 1; }

// Adds the counts of a use to its slot.
void Flush(Use* use) {
  uint64 sum = 0;
  const bool same = use->slot->generation.load(std::memory_order_relaxed) == use->generation;
  for (int o = 0; o < kOutcomes; o++) {
    if (use->pending[o] != 0 && same) use->slot->outcomes[o].fetch_add(use->pending[o], std::memory_order_relaxed);
    sum += use->pending[o];
    use->pending[o] = 0;
  }
  for (int o = 0; o < kColdOutcomes; o++) {
    if (same) use->slot->cold[o].fetch_add(use->pending_cold[o], std::memory_order_relaxed);
    use->pending_cold[o] = 0;
  }
  use->flushed = GetCurrentTimestamp();
  if (sum == 0 || !same) return;
  use->slot->last_used.store(use->flushed, std::memory_order_relaxed);
  if (use->table != nullptr && use->table->level > 0)
    use->slot->misses.fetch_add(sum / kCoarseLookupsPerMiss, std::memory_order_relaxed);
}

bool IsFlushDue(const Use& use) { return GetCurrentStatementStartTimestamp() - use.flushed >= kLongestPending; }

void LetGo(const Region& region, Use* use) {
  if (use->table == nullptr) return;
  protections++;
  core::Release(&MyHazards(region)->hazard[use - uses]);
  use->table = nullptr;
  use->version = core::kNoVersion;
}

void ReleaseAll() {
  GiveUpRebuild();
  if (!any_in_use) return;
  const Region& region = *GetRegion();
  for (int u = 0; u < uses_taken; u++) {
    if (IsFlushDue(uses[u])) Flush(&uses[u]);
    LetGo(region, &uses[u]);
  }
  any_in_use = false;
}

extern "C" {

void omendb_hot_xact_callback(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PARALLEL_ABORT:
    case XACT_EVENT_PREPARE:
      ReleaseAll();
      break;
    default:
      break;
  }
}

void omendb_hot_exit_callback(int, Datum) {
  any_in_use = true;
  for (Use& use : uses)
    if (use.slot != nullptr) Flush(&use);
  ReleaseAll();
}

}  // extern "C"

void Register() {
  RegisterXactCallback(omendb_hot_xact_callback, nullptr);
  before_shmem_exit(omendb_hot_exit_callback, 0);
  registered = true;
}

// --- Under the region's lock. ---

void Reclaim(const Region& region) {
  RegionHeader* header = region.header;
  uint32 kept = 0;
  for (uint32 r = 0; r < header->retired_count; r++) {
    if (core::IsProtected(region.hazards, region.readers, header->retired[r].version))
      header->retired[kept++] = header->retired[r];
    else
      FreePageManagerPut(region.free_pages, header->retired[r].version / FPM_PAGE_SIZE, header->retired[r].pages);
  }
  header->retired_count = kept;
}

// Takes a slot's table away, if it has one and there is room on the list; then it is
// freed as soon as nobody reads it.
bool Retire(const Region& region, Slot* slot, uint64 new_version) {
  RegionHeader* header = region.header;
  const uint64 version = slot->version.load(std::memory_order_relaxed);
  if (version != core::kNoVersion && header->retired_count == kMaxRetired) {
    Reclaim(region);
    if (header->retired_count == kMaxRetired) return false;
  }
  slot->version.store(new_version, std::memory_order_seq_cst);
  if (version != core::kNoVersion) {
    const Table* table = reinterpret_cast<const Table*>(AddressOf(region, version));
    header->retired[header->retired_count++] = {version, table->pages};
  }
  return true;
}

bool HasTable(const Slot& slot) { return slot.version.load(std::memory_order_relaxed) != core::kNoVersion; }

uint32 TablePages(const Region& region, const Slot& slot) {
  const uint64 version = slot.version.load(std::memory_order_relaxed);
  return version != core::kNoVersion ? reinterpret_cast<const Table*>(AddressOf(region, version))->pages : 0;
}

// The slot used least recently, of those whose table has at least so many pages.
Slot* LeastRecentlyUsed(const Region& region, const Slot* except, uint32 least_pages) {
  Slot* oldest = nullptr;
  HASH_SEQ_STATUS sequence;
  hash_seq_init(&sequence, region.slot_by_node);
  while (const SlotEntry* entry = static_cast<SlotEntry*>(hash_seq_search(&sequence))) {
    Slot* slot = &region.slots[entry->slot];
    if (slot == except || TablePages(region, *slot) < least_pages) continue;
    if (oldest == nullptr || slot->last_used.load() < oldest->last_used.load()) oldest = slot;
  }
  return oldest;
}

// Pages for a table.  `coarse`: not of the leaves, so there is no smaller one to be had;
// then a larger table gives way even if it is in use, and will be a coarse one, too.
bool AllocatePages(const Region& region, uint32 pages, bool coarse, Slot* slot, uint64* version) {
  Size first;
  Reclaim(region);
  while (!FreePageManagerGet(region.free_pages, pages, &first)) {
    // The old table of this slot gives way, then those of others.
    Slot* victim = HasTable(*slot) ? slot : LeastRecentlyUsed(region, slot, 1);
    if (victim == nullptr || pages > region.page_count) return false;
    const int64 idle = GetCurrentTimestamp() - victim->last_used.load();
    if (victim != slot && idle < (pages <= kSmallPages ? kIdleForSmall : kIdle)) {
      if (coarse) victim = LeastRecentlyUsed(region, slot, pages + 1);
      if (!coarse || victim == nullptr) return false;
    }
    if (!Retire(region, victim, core::kNoVersion)) return false;
    Reclaim(region);
  }
  *version = first * FPM_PAGE_SIZE;
  return true;
}

void ResetSlot(Slot* slot, const pg::FileNode& node) {
  slot->node = node;
  slot->generation.fetch_add(1);
  slot->misses.store(0);
  slot->rebuild_at.store(0);
  slot->last_used.store(GetCurrentTimestamp());
  slot->rebuilds.store(0);
  for (std::atomic<uint64>& outcome : slot->outcomes) outcome.store(0);
  for (std::atomic<uint64>& outcome : slot->cold) outcome.store(0);
  slot->rebuilder.store(0);
  slot->chosen_model = kAutoModel;
  slot->chosen_count = 0;
}

// Finds the index's slot, or gives it one.  Null if there is none to be had.
Slot* TakeSlot(const Region& region, const pg::FileNode& node) {
  const SlotEntry* found = static_cast<SlotEntry*>(hash_search(region.slot_by_node, &node, HASH_FIND, nullptr));
  if (found != nullptr) return &region.slots[found->slot];
  RegionHeader* header = region.header;
  if (header->free_slots == kNoSlot) {
    Slot* victim = LeastRecentlyUsed(region, nullptr, 0);
    if (victim == nullptr || !Retire(region, victim, core::kNoVersion)) return nullptr;
    hash_search(region.slot_by_node, &victim->node, HASH_REMOVE, nullptr);
    victim->next_free = kNoSlot;
    header->free_slots = static_cast<uint32>(victim - region.slots);
  }
  // Null only of shared memory; what a private table is made of is palloc'd.
  const HASHACTION enter = region.lock != nullptr ? HASH_ENTER_NULL : HASH_ENTER;
  SlotEntry* entry = static_cast<SlotEntry*>(hash_search(region.slot_by_node, &node, enter, nullptr));
  if (entry == nullptr) return nullptr;
  entry->slot = header->free_slots;
  Slot* slot = &region.slots[entry->slot];
  header->free_slots = slot->next_free;
  ResetSlot(slot, node);
  return slot;
}

// --- ---

void FindSlot(const Region& region, Handle* handle, const pg::FileNode& node) {
  LockRegion(region, LW_SHARED);
  const SlotEntry* entry = static_cast<SlotEntry*>(hash_search(region.slot_by_node, &node, HASH_FIND, nullptr));
  Slot* slot = entry != nullptr ? &region.slots[entry->slot] : nullptr;
  UnlockRegion(region);
  if (slot == nullptr) {
    LockRegion(region, LW_EXCLUSIVE);
    slot = TakeSlot(region, node);
    UnlockRegion(region);
  }
  handle->slot = slot;
  if (slot != nullptr) handle->generation = slot->generation.load(std::memory_order_relaxed);
}

bool HasEnoughMisses(const Slot& slot) {
  return slot.misses.load(std::memory_order_relaxed) >= slot.rebuild_at.load(std::memory_order_relaxed);
}

// The first lookup of a transaction in this index, or the first with this table.
pg_noinline const Table* Acquire(Handle* handle, const pg::FileNode& node) {
  if (!registered) Register();
  const Region& region = *GetRegion();
  if (handle->slot == nullptr || handle->slot->generation.load(std::memory_order_relaxed) != handle->generation) {
    FindSlot(region, handle, node);
    if (handle->slot == nullptr) return nullptr;
  }
  Use* use = &uses[handle->use];
  if (use->slot != handle->slot) {
    use = nullptr;
    for (Use& candidate : uses)
      if (candidate.slot == handle->slot) use = &candidate;
    if (use == nullptr) {
      use = &uses[next_use];
      uses_taken = Max(uses_taken, next_use + 1);
      next_use = (next_use + 1) % core::kHazards;
    }
  }
  if (use->slot != handle->slot || use->generation != handle->generation) {
    if (use->slot != nullptr) Flush(use);
    use->slot = handle->slot;
    use->generation = handle->generation;
    use->flushed = GetCurrentStatementStartTimestamp();
  }
  handle->use = static_cast<uint32>(use - uses);
  any_in_use = true;
  use->table = nullptr;
  protections++;
  use->version = core::Protect(handle->slot->version, &MyHazards(region)->hazard[handle->use]);
  if (use->version == core::kNoVersion) return nullptr;
  const Table* table = reinterpret_cast<const Table*>(AddressOf(region, use->version));
  use->table = table;
  if (table->level > 0) handle->rebuild_due = HasEnoughMisses(*handle->slot);
  if (pg::FileNodesEqual(table->node, node)) return table;
  // The slot has gone to another index.
  LetGo(region, use);
  handle->slot = nullptr;
  return nullptr;
}

}  // namespace

bool IsRouted(Relation rel) { return enable_hot_index && !RELATION_IS_LOCAL(rel) && GetRegion() != nullptr; }

bool Lookup(Handle* handle, const pg::FileNode& node, const core::Shape& shape, const core::Bound& bound,
            core::Direction direction, Guess* guess) {
  const Use& use = uses[handle->use];
  const Table* table = use.table;
  if (unlikely(table == nullptr || use.slot != handle->slot ||
               use.version != use.slot->version.load(std::memory_order_relaxed))) {
    table = Acquire(handle, node);
    if (table == nullptr) return false;
  }
  guess->table = table;
  guess->protection = protections;
  guess->position = table->Find(bound, direction, shape, &guess->prefix);
  guess->level = table->level;
  const Target target = table->targets()[guess->position].load(std::memory_order_relaxed);
  guess->block = TargetBlock(target);
  guess->buffer = TargetBuffer(target);
  return true;
}

bool IsProtected(const Guess& guess) { return guess.protection == protections; }

void PrefetchWords(const Guess& guess, const char* page) {
  // Of a leaf of some hundred entries, the position that its fences suggest is a line or
  // two off, and of TIDs, which are narrower, one.
  constexpr int kKeyLinesAround = 2, kTidLinesAround = 1;
  const Table& table = *guess.table;
  if (guess.position + 1 >= table.count) return;
  const PageLayout layout = table.layouts()[guess.position].load(std::memory_order_relaxed);
  if (table.map.begins_with_bytes()) {
    // Where a search goes is not known; it halves, so of many lines some will do.
    constexpr int kMostLines = 8;
    const auto prefetch_all = [page](int first, int lines) {
      const int step = (lines + kMostLines - 1) / kMostLines;
      for (int line = 0; line < lines; line += step)
        core::Prefetch(page + (first + line) * static_cast<int>(core::kCacheLine));
    };
    prefetch_all(layout.key_line, layout.key_lines);
    prefetch_all(layout.tid_line, layout.tid_lines);
    return;
  }
  const uint64* keys = &table.keys()[guess.position];
  if (guess.prefix < keys[0] || guess.prefix >= keys[1]) return;
  const float share = static_cast<float>(guess.prefix - keys[0]) / static_cast<float>(keys[1] - keys[0]);
  const auto prefetch = [&](int first, int lines, int around) {
    if (lines == 0) return;
    const int middle = static_cast<int>(share * static_cast<float>(lines));
    for (int line = Max(middle - around, 0); line <= Min(middle + around, lines - 1); line++)
      core::Prefetch(page + (first + line) * static_cast<int>(core::kCacheLine));
  };
  prefetch(layout.key_line, layout.key_lines, kKeyLinesAround);
  prefetch(layout.tid_line, layout.tid_lines, kTidLinesAround);
}

void RememberBuffer(const Guess& guess, Buffer buffer) {
  guess.table->targets()[guess.position].store(MakeTarget(guess.block, buffer), std::memory_order_relaxed);
}

void RememberLastPage(const Guess& guess, BlockNumber block, Buffer buffer) {
  if (guess.position + 1 == guess.table->count)
    guess.table->targets()[guess.position].store(MakeTarget(block, buffer), std::memory_order_relaxed);
}

void Count(Handle* handle, Outcome outcome, uint32 lookups) {
  if (unlikely(handle->slot == nullptr)) return;
  if (unlikely(outcome != Outcome::kHit)) {
    const int64 reads = pgBufferUsage.shared_blks_read;
    const bool waited = outcome == Outcome::kNoTable && reads != counted_reads;
    counted_reads = reads;
    handle->slot->misses.fetch_add(waited ? kMissesPerRead : 1, std::memory_order_relaxed);
    handle->rebuild_due = HasEnoughMisses(*handle->slot);
  }
  Use& use = uses[handle->use];
  if (unlikely(use.slot != handle->slot)) return;
  uint32& pending = use.pending[static_cast<int>(outcome)];
  pending += lookups;
  if (unlikely(pending >= kMostPending)) Flush(&use);
}

void CountCold(Handle* handle, ColdOutcome outcome) {
  if (handle->slot == nullptr) return;
  Use& use = uses[handle->use];
  if (use.slot == handle->slot) use.pending_cold[static_cast<int>(outcome)]++;
}

bool ClaimRebuild(Handle* handle, BlockNumber blocks) {
  handle->rebuild_due = false;
  Slot* slot = handle->slot;
  if (slot == nullptr) return false;
  const uint64 misses = slot->misses.load(std::memory_order_relaxed);
  const uint64 needed = pg::RebuildMisses(kLeastMisses + blocks / kFencesPerMiss);
  if (misses < needed) {
    slot->rebuild_at.store(needed, std::memory_order_relaxed);
    return false;
  }
  uint32 nobody = 0;
  // The claim may be of an error's that this transaction survived, in a subtransaction.
  GiveUpRebuild();
  if (!slot->rebuilder.compare_exchange_strong(nobody, MyNumber())) return false;
  claimed = slot;
  claimed_misses = needed;
  // The old table's memory may be needed.
  for (Use& use : uses)
    if (use.slot == slot) LetGo(*GetRegion(), &use);
  // Whatever happens to this one, not everybody tries again at once.
  slot->rebuild_at.store((misses + needed) * kBackOff, std::memory_order_relaxed);
  return true;
}

bool Publish(const Handle& handle, const pg::FileNode& node, const core::Entries& fences, uint32 level, int model) {
  const Region& region = *GetRegion();
  Slot* slot = handle.slot;
  // What was cheapest is measured again when the index has changed much.
  const bool measured = model == kAutoModel && slot->chosen_model != kAutoModel &&
                        fences.count / 2 < slot->chosen_count && slot->chosen_count / 2 < fences.count;
  TableParts parts;
  PrepareTable(fences, measured ? slot->chosen_model : model, &parts);
  if (parts.bytes > PG_UINT32_MAX) return false;  // its offsets have 32 bits
  const uint32 pages = static_cast<uint32>((parts.bytes + FPM_PAGE_SIZE - 1) / FPM_PAGE_SIZE);

  uint64 version;
  LockRegion(region, LW_EXCLUSIVE);
  const bool same = slot->generation.load() == handle.generation;
  const bool has_room = same && AllocatePages(region, pages, level > 0, slot, &version);
  UnlockRegion(region);
  if (!has_room) return !same;

  Table* table = WriteTable(parts, fences, node, level, AddressOf(region, version));
  table->pages = pages;

  LockRegion(region, LW_EXCLUSIVE);
  if (slot->generation.load() == handle.generation && Retire(region, slot, version)) {
    Reclaim(region);
    slot->chosen_model = model == kAutoModel ? static_cast<int32>(parts.model->kind) : kAutoModel;
    if (!measured) slot->chosen_count = fences.count;
    slot->misses.store(0);
    slot->rebuild_at.store(level == 0 ? pg::RebuildMisses(kLeastMisses + fences.count / kFencesPerMiss)
                                      : claimed_misses * kBackOff);
    slot->rebuilds.fetch_add(1);
    slot->last_used.store(table->built);
  } else {
    FreePageManagerPut(region.free_pages, version / FPM_PAGE_SIZE, pages);
  }
  UnlockRegion(region);
  GiveUpRebuild();
  return true;
}

void GiveUpRebuild() {
  if (claimed == nullptr) return;
  uint32 mine = MyNumber();
  claimed->rebuilder.compare_exchange_strong(mine, 0);
  claimed = nullptr;
}

bool Describe(const pg::FileNode& node, Description* description) {
  Region* region = GetRegion();
  if (region == nullptr) return false;
  for (Use& use : uses)
    if (use.slot != nullptr) Flush(&use);
  LockRegion(*region, LW_SHARED);
  const SlotEntry* entry = static_cast<SlotEntry*>(hash_search(region->slot_by_node, &node, HASH_FIND, nullptr));
  if (entry != nullptr) {
    const Slot& slot = region->slots[entry->slot];
    for (int o = 0; o < kOutcomes; o++) description->outcomes[o] = slot.outcomes[o].load();
    for (int o = 0; o < kColdOutcomes; o++) description->cold[o] = slot.cold[o].load();
    description->rebuilds = slot.rebuilds.load();
    description->has_table = HasTable(slot);
    if (description->has_table) {
      const Table* table = reinterpret_cast<const Table*>(AddressOf(*region, slot.version.load()));
      description->model = table->model();
      description->level = table->level;
      description->bytes = static_cast<Size>(table->pages) * FPM_PAGE_SIZE;
    }
  }
  UnlockRegion(*region);
  return entry != nullptr;
}

}  // namespace omendb::hot
