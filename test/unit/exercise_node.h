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
  Schema schema;
  schema.key_columns = key_columns;
  schema.value_columns = node.value_columns();
  schema.inner = node.inner();
  schema.bytes_columns = node.shape().bytes_columns;
  for (int c = 0; c < key_columns; c++)
    if (node.is_bytes(c)) (*schema.order)[static_cast<size_t>(c)] = node.shape().order[c];
  const core::Shape shape = schema.shape();

  // Decode and single reads see the same bits, even of nonsense.
  OwnedEntries decoded(n, schema);
  decoded->count = n;
  decoded.Decode(node, 0, n, kEveryColumn, 0);
  const auto value_at = [&](int c, uint32_t i) {
    const uint64_t value = node.value_column(c).Get(i);
    if (!node.is_bytes(c)) return value;
    const core::Dictionary dictionary = node.dictionary(c);
    if (dictionary.count() == 0) return schema.values->Add(std::string());
    std::vector<uint8_t> memory(core::kValueSizeBytes + dictionary.header().longest);
    dictionary.Get(static_cast<uint32_t>(value), memory.data());
    return schema.values->Add(Text(core::WordOf(memory.data())));
  };
  for (int k = 0; k < 16 && n > 0; k++) {
    const uint32_t i = static_cast<uint32_t>(random.Below(n));
    for (int c = 0; c < schema.value_columns; c++) {
      Require(IsSame(*decoded, c, value_at(c, i), decoded->value[c][i]), "Get equals Decode");
      Require(node.ClassAt(c, i) == decoded->cls[c][i], "ClassAt equals Decode");
    }
    Require(node.TidAt(i) == decoded->tid[i], "TidAt equals Decode");
    if (node.inner()) (void)node.ChildAt(i);
    const uint32_t j = i + static_cast<uint32_t>(random.Below(n - i + 1));
    OwnedEntries part(j - i, schema);
    part.Decode(node, i, j, kEveryColumn, 0);
    for (int c = 0; c < schema.value_columns; c++)
      Require(i == j || IsSame(*decoded, c, part->value[c][0], decoded->value[c][i]), "a part equals the whole");
  }

  for (int c = 0; c < schema.value_columns; c++) {
    core::Totals totals;
    core::AddColumn(node, c, n / 3, n, core::kWantSum | core::kWantBounds, &totals);
    Require(totals.count <= n - n / 3, "no more values than entries");
  }

  // What is read from a fence has room where keys are kept.
  const auto exercise_fence = [&](core::Key* key) {
    ExerciseBound(node, RandomBound(*key, key_columns, random));
    Require(core::KeyValueBytes(*key, shape) <= core::kMaxEntryBytes, "a fence has room");
    core::KeyBytes memory;
    core::OwnKey(key, shape, &memory);
    ExerciseBound(node, RandomBound(*key, key_columns, random));
  };
  core::Key key{};
  node.LowFence(&key);
  exercise_fence(&key);
  if (node.has_high_fence()) {
    node.HighFence(&key);
    exercise_fence(&key);
  }
  core::KeyBytes memory;
  for (int k = 0; k < 16; k++) {
    if (n > 0 && !random.OneIn(4)) {
      node.KeyAt(static_cast<uint32_t>(random.Below(n)), &memory, &key);
      if (random.OneIn(2) && key.cls[0] == core::kValue) key.ordinal[0] = schema.NearValue(0, key.ordinal[0], random);
    } else {
      for (int c = 0; c < key_columns; c++) {
        key.cls[c] = random.OneIn(2) ? static_cast<uint8_t>(core::kValue) : static_cast<uint8_t>(random.Below(4));
        key.ordinal[c] =
            schema.is_bytes(c) ? schema.values->Add(Varied("abc", schema.OrderOf(c), random)) : random.Skewed();
      }
      key.tid = random.Skewed() & core::kMaxTid;
    }
    core::Bound bound = RandomBound(key, key_columns, random);
    ExerciseBound(node, bound);
    core::SetBoundBefore(&bound, key, key_columns);
    ExerciseBound(node, bound);
    if (key.cls[0] == core::kValue) {
      (void)node.IsInside(key.ordinal[0]);
      uint32_t begin, end;
      if (!node.has_class_column(0)) {
        node.EqualRange(key.ordinal[0], &begin, &end);
        Require(begin <= end && end <= n, "EqualRange lies within");
      }
    }
    if (n > 1) {
      // Separators of neighbours, which need not be in order here.
      const uint32_t i = static_cast<uint32_t>(random.Below(n - 1));
      core::Key left{}, right{}, separator{};
      decoded->KeyAt(i, &left);
      decoded->KeyAt(i + 1, &right);
      (void)core::KeyValueBytes(left, shape);
      core::KeyBytes separator_memory;
      core::MakeSeparator(left, right, shape, &separator_memory, &separator);
    }
  }
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_EXERCISE_NODE_H
