// The memory of the hot index: in PostgreSQL's shared memory if the library is in
// shared_preload_libraries, and else a small one in this process alone.  Everything
// in it is a hint; it is empty after a crash, and nobody misses it.
//
//   +-------------------------+
//   | RegionHeader            |
//   | HazardLines per process |   core/hazard.h
//   | Slot per index          |   hot/directory.h
//   | buffers of heap pages   |   hot/heap_buffers.h
//   | FreePageManager         |   PostgreSQL's; it hands out
//   | 4 KB pages              |   what tables of fences are written to (hot/table.h)
//   +-------------------------+
//
// A slot's hash table is beside it, PostgreSQL's dynahash.
#ifndef OMENDB_HOT_REGION_H
#define OMENDB_HOT_REGION_H

#include "core/hazard.h"

#include "pg/compat.h"

extern "C" {
#include "storage/lwlock.h"
#include "utils/freepage.h"
#include "utils/hsearch.h"
}

namespace omendb::hot {

struct Slot;

// Defines omendb.hot_index_size and omendb.enable_hot_index and, while the server
// starts, asks for the shared memory.  From _PG_init.
void DefineSettings();

extern bool enable_hot_index;

// A table's version is the offset of its memory; more of them than this wait for
// their readers only if something is wrong.
inline constexpr int kMaxRetired = 256;

// Read and changed under the lock only.
struct RegionHeader {
  uint32 free_slots;  // head of a list; kNoSlot at its end
  uint32 retired_count;
  struct {
    uint64 version;
    uint32 pages;
  } retired[kMaxRetired];
};

inline constexpr uint32 kNoSlot = PG_UINT32_MAX;

// Where the parts are, in this process.
struct Region {
  LWLock* lock;  // for all but lookups: slots, allocation, publishing; null of a private region
  RegionHeader* header;
  core::HazardLines* hazards;
  uint32 readers;
  Slot* slots;
  uint32 slot_count;
  HTAB* slot_by_node;  // pg::FileNode -> SlotEntry
  std::atomic<uint64>* heap_buffers;
  uint32 heap_buffer_count;  // a power of 2
  FreePageManager* free_pages;
  char* pages;
  uint32 page_count;
};

struct SlotEntry {
  pg::FileNode node;
  uint32 slot;
};

extern Region this_region;
Region* MakeRegion();

// This process's region; null if there is none (a postmaster that starts).
// A private one is made by the first call.
inline Region* GetRegion() { return likely(this_region.header != nullptr) ? &this_region : MakeRegion(); }

// Exclusive or shared; of a private region nothing happens.
void LockRegion(const Region& region, LWLockMode mode);
void UnlockRegion(const Region& region);

inline char* AddressOf(const Region& region, uint64 version) {
  return reinterpret_cast<char*>(region.header) + version;
}

}  // namespace omendb::hot

#endif  // OMENDB_HOT_REGION_H
