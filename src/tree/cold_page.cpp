#include "tree/cold_page.h"

#include "tree/search.h"

namespace omendb::tree {

using core::Entries;
using core::Key;

namespace {

// Value columns, behind the keys.
enum ColdColumn { kSegment, kHead, kSlot, kCrc, kEntries, kFirstHeap, kLastHeap };
static_assert(kLastHeap + 1 == kColdColumns);

}  // namespace

ColdLeaf ColdPage::LeafAt(uint32 i) const {
  const auto column = [&](ColdColumn c) { return node_.value_column(node_.key_columns() + c).Get(i); };
  ColdLeaf leaf;
  leaf.segment = column(kSegment);
  leaf.head = static_cast<BlockNumber>(column(kHead));
  leaf.slot = static_cast<uint32>(column(kSlot));
  leaf.crc = static_cast<uint32>(column(kCrc));
  leaf.entries = static_cast<uint32>(column(kEntries));
  leaf.first_heap = static_cast<BlockNumber>(column(kFirstHeap));
  leaf.last_heap = static_cast<BlockNumber>(column(kLastHeap));
  return leaf;
}

bool ColdPage::HighFence(uint32 i, core::KeyBytes* memory, Key* key) const {
  if (i + 1 < count()) {
    node_.KeyAt(i + 1, memory, key);
    return true;
  }
  return node_.HighFenceOrNull(key) != nullptr;
}

void LoadColdPage(const ColdPage& page, const Shape& shape, LoadedEntries* loaded, uint32 room) {
  const Shape own = ColdShape(shape);
  const uint32 count = page.count();
  const size_t bytes = core::EntriesBytes(count + room, own, false);
  char* memory = static_cast<char*>(palloc(bytes + page.node().DecodedBytes(own.bytes_columns)));
  loaded->memory = memory;
  core::LayOutEntries(&loaded->entries, memory, count + room, own, false);
  loaded->entries.bytes = reinterpret_cast<uint8_t*>(memory + bytes);
  page.node().Decode(0, count, ~UINT64CONST(0), &loaded->entries, 0);
  loaded->entries.count = count;
}

void SetColdLeaf(Entries* entries, uint32 i, const ColdLeaf& leaf) {
  uint64* const* values = entries->value + entries->key_columns;
  values[kSegment][i] = leaf.segment;
  values[kHead][i] = leaf.head;
  values[kSlot][i] = leaf.slot;
  values[kCrc][i] = leaf.crc;
  values[kEntries][i] = leaf.entries;
  values[kFirstHeap][i] = leaf.first_heap;
  values[kLastHeap][i] = leaf.last_heap;
  for (int c = entries->key_columns; c < entries->value_columns; c++) entries->cls[c][i] = core::kValue;
}

void AppendColdLeaf(Entries* entries, const Key& low_fence, const ColdLeaf& leaf) {
  const uint32 i = entries->count++;
  for (int c = 0; c < entries->key_columns; c++) {
    entries->value[c][i] = low_fence.ordinal[c];
    entries->cls[c][i] = low_fence.cls[c];
  }
  entries->tid[i] = low_fence.tid;
  SetColdLeaf(entries, i, leaf);
}

bool ColdPageIsSound(Page raw, const Shape& shape, size_t body, const char** problem) {
  const auto fails = [problem](const char* what) {
    *problem = what;
    return false;
  };
  const Shape own = ColdShape(shape);
  const uint8_t* image = reinterpret_cast<const uint8_t*>(raw) + SizeOfPageHeaderData;
  if (!core::Node::IsValid(image, body, own)) return fails("its node is malformed");
  const ColdPage page(raw, shape);
  const PageHeader header = reinterpret_cast<PageHeader>(raw);
  if (page.node().level() != 0 || page.count() == 0) return fails("it is a cold page without leaves");
  if (SpecialOf(raw)->delta_count != 0 || header->pd_upper != header->pd_special || page.node().header().size != body)
    return fails("it is a cold page with a delta");
  if (page.node().has_high_fence() != (page.right() != InvalidBlockNumber))
    return fails("it must have a high fence exactly if it has a right sibling");
  return true;
}

}  // namespace omendb::tree
