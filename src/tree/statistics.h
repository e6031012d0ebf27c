// How large an index is and how well it is filled.
#ifndef OMENDB_TREE_STATISTICS_H
#define OMENDB_TREE_STATISTICS_H

#include "tree/page.h"

namespace omendb::tree {

struct Statistics {
  uint32 levels;
  double entries;
  double leaf_pages, inner_pages, deleted_pages;
  double leaf_bytes;               // in use on the leaves
  double cold_pages, cold_leaves;  // leaves that are in segments, and the pages that say where
  double segments, segment_pages;
};

// Reads every page, or about `sample` of them, evenly spread, and multiplies; 0: every page.
void CollectStatistics(const Index& index, BlockNumber sample, BufferAccessStrategy strategy, Statistics* statistics);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_STATISTICS_H
