// Models over the fences of a level's pages: where a B-tree searches, predict.
//
// A fence table has n sorted keys, the low fences of the pages of one level as
// 64-bit numbers (core/fence_key.h), and is asked for the last key at or below
// another.  A model narrows that to a window, which SIMD then counts in.
//
//   linear   one segment (below)
//   rmi      a line chooses one of many segments (Kraska et al., "The case for learned
//            index structures", SIGMOD 2018, section 3.2, with two stages)
//   pgm      segments of bounded error, and segments over the first keys of these, until
//            one is left (Ferragina and Vinciguerra, "The PGM-index", VLDB 2020, section
//            3; segments grow greedily as in Galakatos et al., "FITing-Tree", SIGMOD
//            2019, section 4)
//   splus    no model: a static B+ tree in which a node is kSplusFanout keys, searched
//            with SIMD; its leaves are the keys (Slotin, "Algorithms for Modern Hardware",
//            section "Static B-Trees", where it is the S+ tree)
//
// A segment predicts a position with a fixed-point line and knows, from having
// asked it for every key, by how much the position can be off for any key of its
// range, present or not: the window is proven, not estimated.  All of it is integer
// arithmetic.
//
// A model is one block of bytes without pointers, so it can be copied into shared
// memory and read by many processes at once.
#ifndef OMENDB_CORE_FENCE_MODEL_H
#define OMENDB_CORE_FENCE_MODEL_H

#include <cstddef>
#include <cstdint>

namespace omendb::core {

enum class FenceModelKind : uint8_t { kLinear, kRmi, kPgm, kSplus };
inline constexpr int kFenceModelKinds = 4;

// Most keys of a model.
inline constexpr uint32_t kMaxFences = uint32_t{1} << 28;

const char* FenceModelName(FenceModelKind kind);

// The first bytes of a model; opaque to users of it but for these.
struct FenceModel {
  FenceModelKind kind;
  uint8_t levels;     // that a search passes: 1 for linear
  uint32_t count;     // keys
  uint32_t segments;  // of the last level; for splus, nodes
  uint32_t epsilon;   // half of the widest window, rounded up; for splus 0
  uint32_t bytes;     // of the whole block, a multiple of 64
};

// Most bytes that BuildFenceModel needs for n keys.
size_t FenceModelBytes(FenceModelKind kind, uint32_t count);

// Builds the model of `count` sorted keys (duplicates allowed) into `memory`, which is
// 64-aligned and has FenceModelBytes().  The keys, 64-aligned, are read again by every
// search.  REQUIRES: 0 < count <= kMaxFences.
const FenceModel* BuildFenceModel(FenceModelKind kind, const uint64_t* keys, uint32_t count, void* memory);

// The position of the last key <= `key`; 0 if there is none.
uint32_t FindFence(const FenceModel& model, const uint64_t* keys, uint64_t key);

// Builds every kind, measures it with keys near random fences, and leaves the cheapest
// in `memory` (64-aligned, AnyFenceModelBytes); `scratch` is as large.  Of two that are
// within 5 % it takes the smaller one.  That is some 50 ns a fence, and from 2,000 searches
// of each kind to 16,000 where there are millions of fences; a kind that takes twice the
// time of another is not measured further.
size_t AnyFenceModelBytes(uint32_t count);
const FenceModel* ChooseFenceModel(const uint64_t* keys, uint32_t count, void* memory, void* scratch);

}  // namespace omendb::core

#endif  // OMENDB_CORE_FENCE_MODEL_H
