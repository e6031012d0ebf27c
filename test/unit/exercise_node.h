// Calls every method of a node whose image passed IsValid, whatever it holds.
// The results mean nothing; what counts is that nothing outside it is read, and
// what holds for any bytes.
#ifndef OMENDB_TEST_UNIT_EXERCISE_NODE_H
#define OMENDB_TEST_UNIT_EXERCISE_NODE_H

#include <cstdio>
#include <cstdlib>

#include "core/aggregate.h"
#include "unit/random_node.h"

namespace omendb::test {

inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

inline void ExerciseBound(const core::Node& node, const core::Bound& bound) {
  using core::Direction;
  const uint32_t n = node.count();
  Require(node.LowerBound(bound) <= n, "LowerBound <= count");
  for (const uint32_t from : {0u, n / 2, n}) Require(node.LowerBoundFrom(bound, from) <= n, "LowerBoundFrom <= count");
  for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
    (void)node.BoundIsLeft(bound, direction);
    (void)node.BoundIsRight(bound, direction);
    if (node.inner() && n > 0) Require(node.ChildFor(bound, direction) < n, "ChildFor < count");
  }
}

inline void ExerciseNode(const core::Node& node, Random& random) {
  const uint32_t n = node.count();
  const int key_columns = node.key_columns();
  Schema shape;
  shape.key_columns = key_columns;
  shape.value_columns = node.value_columns();
  shape.inner = node.inner();

  // Decode and single reads see the same bits, even of nonsense.
  OwnedEntries decoded(n, shape);
  decoded->count = n;
  node.Decode(0, n, kEveryColumn, &*decoded, 0);
  for (int k = 0; k < 16 && n > 0; k++) {
    const uint32_t i = static_cast<uint32_t>(random.Below(n));
    for (int c = 0; c < shape.value_columns; c++) {
      Require(node.value_column(c).Get(i) == decoded->value[c][i], "Get equals Decode");
      Require(node.ClassAt(c, i) == static_cast<uint8_t>(decoded->cls[c][i]), "ClassAt equals Decode");
    }
    Require(node.TidAt(i) == decoded->tid[i], "TidAt equals Decode");
    if (node.inner()) (void)node.ChildAt(i);
    const uint32_t j = i + static_cast<uint32_t>(random.Below(n - i + 1));
    OwnedEntries part(j - i, shape);
    node.Decode(i, j, kEveryColumn, &*part, 0);
    for (int c = 0; c < shape.value_columns; c++)
      Require(i == j || part->value[c][0] == decoded->value[c][i], "a part equals the whole");
  }

  for (int c = 0; c < shape.value_columns; c++) {
    core::Totals totals;
    core::AddColumn(node, c, n / 3, n, core::kWantSum | core::kWantBounds, &totals);
    Require(totals.count <= n - n / 3, "no more values than entries");
  }

  core::Key key{};
  node.LowFence(&key);
  ExerciseBound(node, RandomBound(key, key_columns, random));
  if (node.has_high_fence()) {
    node.HighFence(&key);
    ExerciseBound(node, RandomBound(key, key_columns, random));
  }
  for (int k = 0; k < 16; k++) {
    if (n > 0 && !random.OneIn(4)) {
      node.KeyAt(static_cast<uint32_t>(random.Below(n)), &key);
      if (random.OneIn(2)) key.ordinal[0] += random.Below(3) - 1;
    } else {
      for (int c = 0; c < key_columns; c++) {
        key.cls[c] = random.OneIn(2) ? static_cast<uint8_t>(core::kValue) : static_cast<uint8_t>(random.Below(4));
        key.ordinal[c] = random.Skewed();
      }
      key.tid = random.Skewed() & core::kMaxTid;
    }
    core::Bound bound = RandomBound(key, key_columns, random);
    ExerciseBound(node, bound);
    core::SetBoundBefore(&bound, key, key_columns);
    ExerciseBound(node, bound);
  }
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_EXERCISE_NODE_H
