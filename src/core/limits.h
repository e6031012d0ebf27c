// Sizes that the page format, the tree and the codecs agree on.
#ifndef OMENDB_CORE_LIMITS_H
#define OMENDB_CORE_LIMITS_H

#include <cstddef>
#include <cstdint>

#ifdef POSTGRES_H
#error "core/ knows no PostgreSQL: include its headers before postgres.h"
#endif

namespace omendb::core {

using u128 = unsigned __int128;
using i128 = __int128;

// Entries of one node.  Slopes are limited so that slope * index fits 63 bits.
inline constexpr uint32_t kMaxEntries = 8192;
inline constexpr int kMaxEntriesLog2 = 13;

// Key columns of one index, and value columns: keys, the residues of float keys
// and intervals, and INCLUDE columns.  (An attribute of the index may take two.)
inline constexpr int kMaxKeyColumns = 32;
inline constexpr int kMaxValueColumns = 64;

// Columns of one node: values, TID, child.
inline constexpr int kMaxColumns = kMaxValueColumns + 2;

// A page's header comes before the image: packed words begin at a cache line of
// the page, so that a group of lanes never lies in two.
inline constexpr size_t kImageOffset = 24;
inline constexpr size_t kCacheLine = 64;

// What the values of variable width of one entry may take, their sizes included.  A page
// holds two entries that have nothing in common, two fences, and one more in its delta.
inline constexpr size_t kMaxEntryBytes = 1536;

// The largest node image: one 8 KB page.
inline constexpr size_t kMaxNodeBytes = 8192;

}  // namespace omendb::core

#endif  // OMENDB_CORE_LIMITS_H
