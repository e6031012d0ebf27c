// Fences one after the other in one block of bytes without pointers, for those that their
// prefixes (core/fence_key.h) do not tell apart.
//
//   offset  bytes
//        0   4*n  where each fence begins, from the block's start
//        .     .  fences
//
// A fence is its columns up to the first that is minus infinity, each a class (1) and,
// for a value, the ordinal (8) or, of a bytes column, the value (core/bytes.h); then, if
// there is no such column, the TID (8).  Nothing is aligned but the offsets.
#ifndef OMENDB_CORE_STORED_FENCES_H
#define OMENDB_CORE_STORED_FENCES_H

#include "core/key.h"
#include "core/node.h"

namespace omendb::core {

// Bytes of the block, a multiple of 8.
size_t StoredFencesBytes(const Entries& fences);
// REQUIRES: they are less than 4 GB.
void WriteStoredFences(const Entries& fences, uint8_t* out);

// Of fences `position` and those before it that have its prefix, `prefix`: the last one
// that a search for the bound may begin at, which is <= bound or, backward, < bound.  The fence
// before them if there is none; 0 if there is none there either.  keys: the prefixes.
uint32_t FindStoredFence(const uint8_t* block, const uint64_t* keys, uint64_t prefix, uint32_t position,
                         const Bound& bound, Direction direction, const Shape& shape);

}  // namespace omendb::core

#endif  // OMENDB_CORE_STORED_FENCES_H
