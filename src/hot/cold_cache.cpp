#include "hot/cold_cache.h"

#include <atomic>
#include <new>

extern "C" {
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"
}

namespace omendb::hot {

namespace {

constexpr int kDefaultSizeKb = 16 * 1024;
constexpr uint32 kWays = 8;
constexpr uint32 kLocks = 64;
constexpr const char* kTranche = "omendb cold cache";

struct Way {
  uint64 segment;
  uint32 slot;
  std::atomic<uint32> used;  // 0: nothing is here
};

// Under its lock, but for the times of use, which change under a shared one, too.
struct alignas(PG_CACHE_LINE_SIZE) Set {
  Way way[kWays];
  std::atomic<uint32> clock;
};

int cold_cache_size = kDefaultSizeKb;

LWLockPadded* locks;  // null: there is no cache
Set* sets;
char* pages;
uint32 set_count;

shmem_request_hook_type next_request_hook;
shmem_startup_hook_type next_startup_hook;

uint32 SetCount() { return static_cast<uint32>(Size{1024} * static_cast<Size>(cold_cache_size) / (kWays * BLCKSZ)); }

Size Bytes(uint32 count) { return count * (sizeof(Set) + kWays * BLCKSZ) + PG_CACHE_LINE_SIZE; }

extern "C" {

void omendb_cold_cache_request(void) {
  if (next_request_hook != nullptr) next_request_hook();
  if (SetCount() == 0) return;
  RequestAddinShmemSpace(Bytes(SetCount()));
  RequestNamedLWLockTranche(kTranche, kLocks);
}

void omendb_cold_cache_startup(void) {
  if (next_startup_hook != nullptr) next_startup_hook();
  if (SetCount() == 0) return;
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found;
  char* memory = static_cast<char*>(ShmemInitStruct("omendb cold cache", Bytes(SetCount()), &found));
  sets = reinterpret_cast<Set*>(TYPEALIGN(PG_CACHE_LINE_SIZE, memory));
  pages = reinterpret_cast<char*>(sets + SetCount());
  for (uint32 s = 0; !found && s < SetCount(); s++) new (&sets[s]) Set{};
  set_count = SetCount();
  locks = GetNamedLWLockTranche(kTranche);
  LWLockRelease(AddinShmemInitLock);
}

}  // extern "C"

uint32 SetOf(uint64 segment, uint32 slot) {
  return static_cast<uint32>(hash_combine64(segment, murmurhash32(slot)) % set_count);
}

LWLock* LockOf(uint32 set) { return &locks[set % kLocks].lock; }

char* PageOf(uint32 set, uint32 way) { return pages + (Size{set} * kWays + way) * BLCKSZ; }

// The way that has the leaf; kWays if none has.
uint32 Find(const Set& set, uint64 segment, uint32 slot) {
  uint32 way = 0;
  while (way < kWays && (set.way[way].used.load(std::memory_order_relaxed) == 0 || set.way[way].segment != segment ||
                         set.way[way].slot != slot))
    way++;
  return way;
}

void Touch(Set* set, uint32 way) {
  // (After 2^32 uses, 0 would say that nothing is here.)
  const uint32 now = set->clock.fetch_add(1, std::memory_order_relaxed) | 1;
  set->way[way].used.store(now, std::memory_order_relaxed);
}

}  // namespace

void DefineColdCache() {
  const bool preloading = process_shared_preload_libraries_in_progress;
  DefineCustomIntVariable("omendb.cold_cache_size", "Sets the shared memory for leaves that were read out of segments.",
                          "Without omendb in shared_preload_libraries there is none.", &cold_cache_size, kDefaultSizeKb,
                          0, MAX_KILOBYTES, preloading ? PGC_POSTMASTER : PGC_SIGHUP, GUC_UNIT_KB, nullptr, nullptr,
                          nullptr);
  if (!preloading) return;
  next_request_hook = shmem_request_hook;
  shmem_request_hook = omendb_cold_cache_request;
  next_startup_hook = shmem_startup_hook;
  shmem_startup_hook = omendb_cold_cache_startup;
}

bool FetchColdLeaf(uint64 segment, uint32 slot, char* page) {
  if (locks == nullptr) return false;
  const uint32 s = SetOf(segment, slot);
  LWLock* const lock = LockOf(s);
  LWLockAcquire(lock, LW_SHARED);
  const uint32 way = Find(sets[s], segment, slot);
  if (way < kWays) {
    Touch(&sets[s], way);
    memcpy(page, PageOf(s, way), BLCKSZ);
  }
  LWLockRelease(lock);
  return way < kWays;
}

void StoreColdLeaf(uint64 segment, uint32 slot, const char* page) {
  if (locks == nullptr) return;
  const uint32 s = SetOf(segment, slot);
  LWLock* const lock = LockOf(s);
  LWLockAcquire(lock, LW_EXCLUSIVE);
  Set& set = sets[s];
  uint32 way = Find(set, segment, slot);
  if (way == kWays) {
    // The one that was not used for longest.
    way = 0;
    const uint32 now = set.clock.load(std::memory_order_relaxed);
    const auto age = [&](uint32 w) {
      const uint32 used = set.way[w].used.load(std::memory_order_relaxed);
      return used == 0 ? PG_UINT32_MAX : now - used;
    };
    for (uint32 w = 1; w < kWays; w++)
      if (age(w) > age(way)) way = w;
    set.way[way].segment = segment;
    set.way[way].slot = slot;
    memcpy(PageOf(s, way), page, BLCKSZ);
  }
  Touch(&set, way);
  LWLockRelease(lock);
}

}  // namespace omendb::hot
