// Threads that read the same nodes, or make their own at the same time: for
// ThreadSanitizer, and that each finds what one alone does.  PostgreSQL's
// processes have one thread, but nothing in the core may depend on that.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/node.h"
#include "unit/exercise_node.h"
#include "unit/random_node.h"
#include "unit/seeded_test.h"
#include "unit/together.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

// One number (FNV-1a) for everything that a reader can get out of a node.
class Digest {
 public:
  void Add(uint64_t value) { state_ = (state_ ^ value) * 0x100000001B3ull; }
  void Add(const std::string& bytes) {
    for (const char b : bytes) Add(static_cast<uint64_t>(b));
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xCBF29CE484222325ull;
};

uint64_t ReadAll(const RandomNode& n, uint64_t seed) {
  Random random(seed);
  const Node node = n.node();
  const uint32_t count = node.count();
  Digest digest;
  digest.Add(Node::IsValid(n.image.bytes(), n.image.size(), n.schema.shape()));
  OwnedEntries decoded(count, n.schema);
  decoded->count = count;
  decoded.Decode(node, 0, count, kEveryColumn, 0);
  for (uint32_t i = 0; i < count; i++) {
    digest.Add(decoded->tid[i]);
    digest.Add(node.TidAt(i));
    if (n.schema.inner) digest.Add(node.ChildAt(i));
    for (int c = 0; c < n.schema.value_columns; c++) {
      if (node.is_bytes(c))
        digest.Add(Text(decoded->value[c][i]));
      else
        digest.Add(decoded->value[c][i]);
      digest.Add(node.value_column(c).Get(i));
      digest.Add(node.ClassAt(c, i));
    }
  }
  for (int k = 0; k < 32; k++) {
    const Key key = count > 0 ? n.keys[random.Below(count)] : n.low;
    const Bound bound = RandomBound(key, n.schema.key_columns, random);
    digest.Add(node.LowerBound(bound));
    digest.Add(node.LowerBoundFrom(bound, 0));
    if (n.schema.inner && count > 0) digest.Add(node.ChildFor(bound, Direction::kForward));
  }
  ExerciseNode(node, random);
  return digest.value();
}

class ThreadsTest : public SeededTest {};

// The first use of the kernels, if this test is the first that runs.
TEST_F(ThreadsTest, AllGetTheSameKernels) {
  const Kernels* active[kThreads];
  const Kernels* last[kThreads];
  Together([&](int t) {
    active[t] = &ActiveKernels();
    const Kernels* available[kMaxKernels];
    last[t] = available[AvailableKernels(available) - 1];
    const PackedColumn constant{nullptr, 4711, LinearModel(), 1, 0};
    uint64_t row[kLanes];
    active[t]->decode_rows(constant, 0, 1, row);
    EXPECT_EQ(4711u, row[kLanes - 1]);
  });
  for (int t = 0; t < kThreads; t++) {
    EXPECT_EQ(active[0], active[t]);
    EXPECT_EQ(last[0], last[t]);
  }
}

TEST_F(ThreadsTest, ReadersOfTheSameNodes) {
  std::vector<RandomNode> nodes;
  for (int n = 0; n < 60; n++)
    nodes.push_back(MakeRandomNode(RandomSchema(random_), static_cast<uint32_t>(random_.Below(400)), random_));
  const uint64_t seed = random_.Next();
  // What each finds, before anyone else has looked and after.
  std::vector<uint64_t> found[kThreads];
  Together([&](int t) {
    for (const RandomNode& node : nodes) found[t].push_back(ReadAll(node, seed));
  });
  for (size_t n = 0; n < nodes.size(); n++) {
    const uint64_t alone = ReadAll(nodes[n], seed);
    for (int t = 0; t < kThreads; t++) EXPECT_EQ(alone, found[t][n]) << "node " << n << ", thread " << t;
  }
}

// Fitting and packing keep no state: the same entries give the same bytes.
TEST_F(ThreadsTest, WritersOfTheirOwnNodes) {
  const uint64_t seed = random_.Next();
  std::vector<std::vector<uint8_t>> images[kThreads];
  Together([&](int t) {
    Random random(seed);
    for (int n = 0; n < 40; n++) {
      const Schema schema = RandomSchema(random);
      const RandomNode made = MakeRandomNode(schema, static_cast<uint32_t>(random.Below(400)), random);
      images[t].emplace_back(made.image.bytes(), made.image.bytes() + made.image.size());
    }
  });
  for (int t = 1; t < kThreads; t++) EXPECT_EQ(images[0], images[t]) << "thread " << t;
}

}  // namespace
}  // namespace omendb::test
