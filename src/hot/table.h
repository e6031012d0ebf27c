// A table of fences: which page of one level of a tree a key belongs to.
//
//   +------------------------------------------------------+
//   | Table                                                |
//   +------------------------------------------------------+ keys_offset, 64-aligned
//   | keys       8 bytes a page: the fence's prefix        |   core/fence_key.h
//   +------------------------------------------------------+ targets_offset
//   | targets    8 bytes a page: block, buffer             |
//   +------------------------------------------------------+ layouts_offset
//   | layouts    4 bytes a page: where its words are       |
//   +------------------------------------------------------+ model_offset
//   | model                                                |   core/fence_model.h
//   +------------------------------------------------------+ fences_offset, if there are any
//   | fences     where prefixes do not say enough          |   core/stored_fences.h
//   +------------------------------------------------------+
//
// Once published it never changes, but for targets and layouts: whoever finds a page
// in another buffer, or written anew, says so with one atomic store.
#ifndef OMENDB_HOT_TABLE_H
#define OMENDB_HOT_TABLE_H

#include <atomic>

#include "core/fence_key.h"
#include "core/fence_model.h"
#include "core/stored_fences.h"

#include "pg/compat.h"

extern "C" {
#include "datatype/timestamp.h"
#include "storage/block.h"
#include "storage/buf.h"
}

namespace omendb::hot {

// block << 32 | buffer
using Target = uint64;
inline Target MakeTarget(BlockNumber block, Buffer buffer) {
  return static_cast<Target>(block) << 32 | static_cast<uint32>(buffer);
}
inline BlockNumber TargetBlock(Target target) { return static_cast<BlockNumber>(target >> 32); }
inline Buffer TargetBuffer(Target target) { return static_cast<Buffer>(target & PG_UINT32_MAX); }

// Where on a page the packed words of the first key column and of the TIDs are, in
// cache lines: what a lookup will read there can be fetched while the page itself is
// still on its way.  All zeros: not known.  Where the first column is a bytes column, what
// is searched of its dictionary, and the values of fences.
struct PageLayout {
  uint8 key_line, key_lines;
  uint8 tid_line, tid_lines;
};
static_assert(sizeof(PageLayout) == sizeof(uint32));

struct alignas(64) Table {
  pg::FileNode node;
  uint32 level;  // of the pages
  uint32 count;
  uint32 keys_offset, targets_offset, layouts_offset, model_offset;
  uint32 fences_offset;  // 0: none
  uint32 pages;          // of the region
  TimestampTz built;
  core::FenceKeyMap map;

  const uint64* keys() const { return At<uint64>(keys_offset); }
  std::atomic<uint64>* targets() const {
    return const_cast<std::atomic<uint64>*>(At<std::atomic<uint64>>(targets_offset));
  }
  std::atomic<PageLayout>* layouts() const {
    return const_cast<std::atomic<PageLayout>*>(At<std::atomic<PageLayout>>(layouts_offset));
  }
  const core::FenceModel& model() const { return *At<core::FenceModel>(model_offset); }

  // The position of the page where a search for the bound probably begins, and the
  // bound's prefix.
  uint32 Find(const core::Bound& bound, core::Direction direction, const core::Shape& shape, uint64_t* prefix) const {
    if (fences_offset != 0) {
      // (Forward: the fences themselves say what a prefix cannot.)
      map.RankOf(bound, core::Direction::kForward, shape.order, prefix);
      const uint32 position = core::FindFence(model(), keys(), *prefix);
      if (keys()[position] < *prefix) return position;
      return core::FindStoredFence(At<uint8_t>(fences_offset), keys(), *prefix, position, bound, direction, shape);
    }
    if (count == 1 || !map.RankOf(bound, direction, shape.order, prefix)) {
      *prefix = 0;
      return 0;
    }
    return core::FindFence(model(), keys(), *prefix);
  }

 private:
  template <typename T>
  const T* At(uint32 offset) const {
    return reinterpret_cast<const T*>(reinterpret_cast<const char*>(this) + offset);
  }
};

// What a table is made of, in memory of this process: keys and model, until it is
// known how much room they take.
struct TableParts {
  core::FenceKeyMap map;
  uint32 count;
  uint64* keys;  // 64-aligned
  const core::FenceModel* model;
  Size fence_bytes;  // of the stored fences; 0: none
  Size bytes;        // of the table
};

// Fits keys and model to the fences of a level.  `model` is a FenceModelKind, or
// kAutoModel.  Memory comes from the current context.
inline constexpr int kAutoModel = -1;
void PrepareTable(const core::Entries& fences, int model, TableParts* parts);

// Writes the table to memory of parts.bytes, 64-aligned.
Table* WriteTable(const TableParts& parts, const core::Entries& fences, const pg::FileNode& node, uint32 level,
                  void* memory);

}  // namespace omendb::hot

#endif  // OMENDB_HOT_TABLE_H
