#include <atomic>

#include "hot/heap_buffers.h"

#include "hot/region.h"

extern "C" {
#include "common/hashfn.h"
}

namespace omendb::hot {

namespace {

uint32 HashOf(const pg::FileNode& node) {
  return hash_combine(murmurhash32(pg::FileNumberOf(node)), murmurhash32(pg::DatabaseOf(node)));
}

struct Place {
  std::atomic<uint64>* entry;
  uint32 tag;
};

Place PlaceOf(const Region& region, const pg::FileNode& node, BlockNumber block) {
  const uint32 hash = HashOf(node);
  return {&region.heap_buffers[(hash + block) & (region.heap_buffer_count - 1)], murmurhash32(hash ^ block)};
}

}  // namespace

Buffer RecentHeapBuffer(const pg::FileNode& node, BlockNumber block) {
  const Region* region = GetRegion();
  if (region == nullptr) return InvalidBuffer;
  const Place place = PlaceOf(*region, node, block);
  const uint64 entry = place.entry->load(std::memory_order_relaxed);
  return entry >> 32 == place.tag ? static_cast<Buffer>(entry & PG_UINT32_MAX) : InvalidBuffer;
}

void RememberHeapBuffer(const pg::FileNode& node, BlockNumber block, Buffer buffer) {
  const Region* region = GetRegion();
  if (region == nullptr) return;
  const Place place = PlaceOf(*region, node, block);
  const uint64 entry = static_cast<uint64>(place.tag) << 32 | static_cast<uint32>(buffer);
  if (place.entry->load(std::memory_order_relaxed) != entry) place.entry->store(entry, std::memory_order_relaxed);
}

}  // namespace omendb::hot
