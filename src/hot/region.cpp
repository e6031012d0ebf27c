#include <new>

#include "hot/directory.h"
#include "hot/region.h"

extern "C" {
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/memutils.h"
}

namespace omendb::hot {

bool enable_hot_index = true;
Region this_region;

namespace {

constexpr int kDefaultSizeKb = 128 * 1024;
constexpr int kLeastSizeKb = 1024;
// Without preload each process has one of its own.
constexpr int kPrivateSizeKb = 4 * 1024;

constexpr Size kLeastPages = 64;
constexpr Size kBytesPerSlot = 64 * 1024;
constexpr uint32 kLeastSlots = 64;
constexpr uint32 kMostSlots = 8192;
// The buffers of heap pages get this part of the memory.
constexpr Size kHeapBufferShare = 16;

int hot_index_size = kDefaultSizeKb;

shmem_request_hook_type next_request_hook;
shmem_startup_hook_type next_startup_hook;

uint32 SlotCount(Size bytes) {
  return static_cast<uint32>(Min(Max(bytes / kBytesPerSlot, Size{kLeastSlots}), Size{kMostSlots}));
}

uint32 HeapBufferCount(Size bytes) {
  uint32 count = 1;
  while (Size{count} * 2 * sizeof(uint64) <= bytes / kHeapBufferShare) count *= 2;
  return count;
}

// Lays the parts out one behind the other; without memory, only says how much it takes.
Size LayOut(Size bytes, uint32 readers, char* memory, Region* out) {
  Size at = 0;
  const auto take = [&](Size size) {
    char* part = memory + at;
    at += TYPEALIGN(PG_CACHE_LINE_SIZE, size);
    return part;
  };
  Region laid_out = {};
  laid_out.header = reinterpret_cast<RegionHeader*>(take(sizeof(RegionHeader)));
  laid_out.readers = readers;
  laid_out.hazards = reinterpret_cast<core::HazardLines*>(take(readers * sizeof(core::HazardLines)));
  laid_out.slot_count = SlotCount(bytes);
  laid_out.slots = reinterpret_cast<Slot*>(take(laid_out.slot_count * sizeof(Slot)));
  laid_out.heap_buffer_count = HeapBufferCount(bytes);
  laid_out.heap_buffers =
      reinterpret_cast<std::atomic<uint64>*>(take(laid_out.heap_buffer_count * sizeof(std::atomic<uint64>)));
  laid_out.free_pages = reinterpret_cast<FreePageManager*>(take(sizeof(FreePageManager)));
  at = TYPEALIGN(FPM_PAGE_SIZE, at);
  laid_out.pages = memory + at;
  laid_out.page_count = static_cast<uint32>(Max(bytes > at ? (bytes - at) / FPM_PAGE_SIZE : 0, kLeastPages));
  at += Size{laid_out.page_count} * FPM_PAGE_SIZE;
  if (out != nullptr) *out = laid_out;
  return at;
}

void Initialize(Region* region) {
  memset(region->header, 0, static_cast<Size>(region->pages - reinterpret_cast<char*>(region->header)));
  region->header->free_slots = 0;
  for (uint32 s = 0; s < region->slot_count; s++)
    (new (&region->slots[s]) Slot())->next_free = s + 1 < region->slot_count ? s + 1 : kNoSlot;
  FreePageManagerInitialize(region->free_pages, reinterpret_cast<char*>(region->header));
  const Size first = static_cast<Size>(region->pages - reinterpret_cast<char*>(region->header)) / FPM_PAGE_SIZE;
  FreePageManagerPut(region->free_pages, first, region->page_count);
}

HASHCTL HashControl() {
  HASHCTL control = {};
  control.keysize = sizeof(pg::FileNode);
  control.entrysize = sizeof(SlotEntry);
  return control;
}

Size SettingBytes(int kilobytes) { return static_cast<Size>(kilobytes) * 1024; }

uint32 SharedReaders() { return static_cast<uint32>(MaxBackends + NUM_AUXILIARY_PROCS); }

extern "C" {

void omendb_shmem_request(void) {
  if (next_request_hook != nullptr) next_request_hook();
  const Size bytes = SettingBytes(hot_index_size);
  // The memory must begin at a page of FreePageManager's, which ShmemAlloc does not promise.
  RequestAddinShmemSpace(LayOut(bytes, SharedReaders(), nullptr, nullptr) + FPM_PAGE_SIZE);
  RequestAddinShmemSpace(hash_estimate_size(SlotCount(bytes), sizeof(SlotEntry)));
  RequestNamedLWLockTranche("omendb", 1);
}

void omendb_shmem_startup(void) {
  if (next_startup_hook != nullptr) next_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  const Size bytes = SettingBytes(hot_index_size);
  const Size size = LayOut(bytes, SharedReaders(), nullptr, nullptr);
  bool found;
  char* memory = static_cast<char*>(ShmemInitStruct("omendb hot index", size + FPM_PAGE_SIZE, &found));
  LayOut(bytes, SharedReaders(), reinterpret_cast<char*>(TYPEALIGN(FPM_PAGE_SIZE, memory)), &this_region);
  this_region.lock = &GetNamedLWLockTranche("omendb")->lock;
  if (!found) Initialize(&this_region);
  HASHCTL control = HashControl();
  const long slots = this_region.slot_count;
  this_region.slot_by_node = ShmemInitHash("omendb hot index slots", slots, slots, &control, HASH_ELEM | HASH_BLOBS);
  LWLockRelease(AddinShmemInitLock);
}

}  // extern "C"

void MakePrivateRegion() {
  const Size bytes = SettingBytes(Min(hot_index_size, kPrivateSizeKb));
  const Size size = LayOut(bytes, 1, nullptr, nullptr);
  char* memory =
      static_cast<char*>(MemoryContextAllocExtended(TopMemoryContext, size + FPM_PAGE_SIZE, MCXT_ALLOC_HUGE));
  HASHCTL control = HashControl();
  control.hcxt = TopMemoryContext;
  HTAB* slots =
      hash_create("omendb hot index slots", SlotCount(bytes), &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  LayOut(bytes, 1, reinterpret_cast<char*>(TYPEALIGN(FPM_PAGE_SIZE, memory)), &this_region);
  this_region.slot_by_node = slots;
  Initialize(&this_region);
}

}  // namespace

void DefineSettings() {
  const bool preloading = process_shared_preload_libraries_in_progress;
  DefineCustomIntVariable("omendb.hot_index_size", "Sets the shared memory that omendb routes lookups with.",
                          "Without omendb in shared_preload_libraries each session has its own, of 4MB at most.",
                          &hot_index_size, kDefaultSizeKb, kLeastSizeKb, MAX_KILOBYTES,
                          preloading ? PGC_POSTMASTER : PGC_SIGHUP, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("omendb.enable_hot_index", "Lets lookups begin at the page that the hot index names.",
                           "Off, every search begins at the root.", &enable_hot_index, true, PGC_USERSET, 0, nullptr,
                           nullptr, nullptr);
  if (!preloading) return;
  next_request_hook = shmem_request_hook;
  shmem_request_hook = omendb_shmem_request;
  next_startup_hook = shmem_startup_hook;
  shmem_startup_hook = omendb_shmem_startup;
}

Region* MakeRegion() {
  if (!IsUnderPostmaster && IsPostmasterEnvironment) return nullptr;
  MakePrivateRegion();
  return &this_region;
}

void LockRegion(const Region& region, LWLockMode mode) {
  if (region.lock != nullptr) LWLockAcquire(region.lock, mode);
}

void UnlockRegion(const Region& region) {
  if (region.lock != nullptr) LWLockRelease(region.lock);
}

}  // namespace omendb::hot
