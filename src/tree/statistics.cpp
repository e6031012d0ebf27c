#include "tree/statistics.h"

#include "tree/segment.h"

extern "C" {
#include "miscadmin.h"
}

namespace omendb::tree {

namespace {

void CountPage(Page raw, const Shape& shape, Statistics* statistics) {
  if (IsDeleted(raw)) {
    statistics->deleted_pages++;
    return;
  }
  if (IsSegment(raw)) {
    statistics->segment_pages++;
    if (SegmentBodyOf(raw)->block == kHeadBlock) statistics->segments++;
    return;
  }
  if (IsCold(raw)) {
    const ColdPage page(raw, shape);
    statistics->cold_pages++;
    statistics->cold_leaves += page.count();
    for (uint32 i = 0; i < page.count(); i++) statistics->entries += page.LeafAt(i).entries;
    return;
  }
  const NodePage page(raw, shape);
  if (page.inner()) {
    statistics->inner_pages++;
    return;
  }
  statistics->leaf_pages++;
  statistics->entries += page.entry_count();
  const PageHeader header = reinterpret_cast<PageHeader>(raw);
  statistics->leaf_bytes += static_cast<double>(kPageCapacity - (header->pd_upper - header->pd_lower));
}

}  // namespace

void CollectStatistics(const Index& index, BlockNumber sample, BufferAccessStrategy strategy, Statistics* statistics) {
  *statistics = Statistics{};
  const BlockNumber blocks = RelationGetNumberOfBlocks(index.rel);
  const Buffer root = GetPage(index.rel, index.shape, kRootBlock, BUFFER_LOCK_SHARE);
  statistics->levels = NodePage(BufferGetPage(root), index.shape).level() + 1;
  ReleasePage(root);

  const BlockNumber pages = blocks - kRootBlock;
  const BlockNumber wanted = sample == 0 ? pages : Min(sample, pages);
  for (BlockNumber n = 0; n < wanted; n++) {
    CHECK_FOR_INTERRUPTS();
    // The middle of each part: the first block is the root, and no sample of anything.
    const BlockNumber block =
        kRootBlock + static_cast<BlockNumber>((2 * static_cast<uint64>(n) + 1) * pages / (2 * wanted));
    const Buffer buffer = PinPage(index.rel, block, strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    // Extended and not yet, or never, written.
    if (PageIsNew(BufferGetPage(buffer))) {
      statistics->deleted_pages++;
    } else {
      LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
      LockPage(index.rel, index.shape, buffer, BUFFER_LOCK_SHARE);
      CountPage(BufferGetPage(buffer), index.shape, statistics);
    }
    ReleasePage(buffer);
  }
  const double share = static_cast<double>(pages) / wanted;
  statistics->entries *= share;
  statistics->leaf_pages *= share;
  statistics->inner_pages *= share;
  statistics->deleted_pages *= share;
  statistics->leaf_bytes *= share;
  statistics->cold_pages *= share;
  statistics->cold_leaves *= share;
  statistics->segments *= share;
  statistics->segment_pages *= share;
}

}  // namespace omendb::tree
