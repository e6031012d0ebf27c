#include <new>

#include "hot/table.h"

#include "core/limits.h"

extern "C" {
#include "utils/timestamp.h"
}

namespace omendb::hot {

namespace {

void* AllocateAligned(Size size) {
  return reinterpret_cast<void*>(
      TYPEALIGN(core::kCacheLine, palloc_extended(size + core::kCacheLine, MCXT_ALLOC_HUGE)));
}

Size CacheLines(Size size) { return TYPEALIGN(core::kCacheLine, size); }

}  // namespace

void PrepareTable(const core::Entries& fences, int model, TableParts* parts) {
  parts->count = fences.count;
  parts->keys = static_cast<uint64*>(AllocateAligned(fences.count * sizeof(uint64)));
  parts->map.Fit(fences, parts->keys);
  if (model == kAutoModel) {
    const Size size = core::AnyFenceModelBytes(fences.count);
    parts->model = core::ChooseFenceModel(parts->keys, fences.count, AllocateAligned(size), AllocateAligned(size));
  } else {
    const core::FenceModelKind kind = static_cast<core::FenceModelKind>(model);
    parts->model = core::BuildFenceModel(kind, parts->keys, fences.count,
                                         AllocateAligned(core::FenceModelBytes(kind, fences.count)));
  }
  parts->bytes = sizeof(Table) + 2 * CacheLines(fences.count * sizeof(uint64)) +
                 CacheLines(fences.count * sizeof(PageLayout)) + parts->model->bytes;
  parts->fence_bytes = parts->map.needs_fences() ? core::StoredFencesBytes(fences) : 0;
  parts->bytes += CacheLines(parts->fence_bytes);
}

Table* WriteTable(const TableParts& parts, const core::Entries& fences, const pg::FileNode& node, uint32 level,
                  void* memory) {
  Table* table = new (memory) Table();
  table->node = node;
  table->level = level;
  table->count = parts.count;
  table->built = GetCurrentTimestamp();
  table->map = parts.map;
  const uint32 array = static_cast<uint32>(CacheLines(parts.count * sizeof(uint64)));
  table->keys_offset = sizeof(Table);
  table->targets_offset = table->keys_offset + array;
  table->layouts_offset = table->targets_offset + array;
  table->model_offset = table->layouts_offset + static_cast<uint32>(CacheLines(parts.count * sizeof(PageLayout)));
  char* bytes = static_cast<char*>(memory);
  memcpy(bytes + table->keys_offset, parts.keys, parts.count * sizeof(uint64));
  for (uint32 i = 0; i < parts.count; i++) {
    new (&table->targets()[i])
        std::atomic<uint64>(MakeTarget(static_cast<BlockNumber>(fences.child[i]), InvalidBuffer));
    new (&table->layouts()[i]) std::atomic<PageLayout>(PageLayout{});
  }
  memcpy(bytes + table->model_offset, parts.model, parts.model->bytes);
  table->fences_offset = 0;
  if (parts.fence_bytes > 0) {
    table->fences_offset = table->model_offset + static_cast<uint32>(CacheLines(parts.model->bytes));
    core::WriteStoredFences(fences, reinterpret_cast<uint8_t*>(bytes + table->fences_offset));
  }
  return table;
}

}  // namespace omendb::hot
