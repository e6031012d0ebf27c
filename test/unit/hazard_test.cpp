// Readers of versions that a writer replaces and frees meanwhile.
#include "core/hazard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "unit/distributions.h"
#include "unit/fence_table.h"
#include "unit/seeded_test.h"
#include "unit/together.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

TEST(HazardTest, ProtectsTheCurrentVersionUntilItIsReleased) {
  HazardLines lines[3] = {};
  std::atomic<uint64_t> current{kNoVersion};
  EXPECT_EQ(kNoVersion, Protect(current, &lines[1].hazard[2]));
  current = 7;
  EXPECT_FALSE(IsProtected(lines, 3, 7));
  EXPECT_EQ(7u, Protect(current, &lines[1].hazard[2]));
  EXPECT_EQ(7u, Protect(current, &lines[2].hazard[kHazards - 1]));
  current = 8;
  EXPECT_TRUE(IsProtected(lines, 3, 7));
  EXPECT_TRUE(IsProtected(lines, 2, 7));
  EXPECT_FALSE(IsProtected(lines, 1, 7)) << "only of the readers that there are";
  EXPECT_FALSE(IsProtected(lines, 3, 8));
  Release(&lines[1].hazard[2]);
  EXPECT_TRUE(IsProtected(lines, 3, 7));
  EXPECT_EQ(8u, Protect(current, &lines[2].hazard[kHazards - 1])) << "another announcement ends the first";
  EXPECT_FALSE(IsProtected(lines, 3, 7));
  EXPECT_TRUE(IsProtected(lines, 3, 8));
}

// test/run gives fixtures with such a name to ThreadSanitizer.
class HazardThreadsTest : public SeededTest {};

// Version v is in slot v % kSlots, and all of its keys say so.  The writer frees
// what nobody uses, so AddressSanitizer sees a reader that comes too late.
TEST_F(HazardThreadsTest, ReadersOfTablesThatAreReplaced) {
  constexpr size_t kSlots = 16;
  constexpr uint64_t kVersions = 2000, kKeysApart = uint64_t{1} << 20;
  HazardLines lines[kThreads] = {};
  std::unique_ptr<FenceTable> slots[kSlots];
  std::atomic<uint64_t> current{kNoVersion};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> searches{0}, kept{0};
  const uint64_t seed = random_.Next();

  const auto write = [&] {
    Random random(seed);
    for (uint64_t version = 1; version <= kVersions; version++) {
      std::unique_ptr<FenceTable>& slot = slots[version % kSlots];
      if (version > kSlots) {
        while (IsProtected(lines, kThreads, version - kSlots)) {
          kept++;
          std::this_thread::yield();
        }
        slot.reset();
      }
      std::vector<uint64_t> keys;
      const size_t n = 1 + random.Below(300);
      for (size_t i = 0; i < n; i++) keys.push_back(version * kKeysApart + i * 16);
      slot = std::make_unique<FenceTable>(static_cast<FenceModelKind>(random.Below(kFenceModelKinds)), keys);
      current.exchange(version);
      if (version % 16 == 0) std::this_thread::yield();
    }
    done = true;
  };
  const auto read = [&](int t) {
    Random random(seed + static_cast<uint64_t>(t));
    while (!done) {
      std::atomic<uint64_t>* hazard = &lines[t].hazard[random.Below(kHazards)];
      const uint64_t version = Protect(current, hazard);
      if (version != kNoVersion) {
        const FenceTable& table = *slots[version % kSlots];
        for (uint64_t i = 1 + random.Below(20); i > 0; i--) {
          const uint32_t expected = static_cast<uint32_t>(random.Below(table.count()));
          ASSERT_EQ(expected, table.Find(version * kKeysApart + expected * 16 + random.Below(16)));
          searches++;
        }
      }
      Release(hazard);
    }
  };
  Together([&](int t) { t == 0 ? write() : read(t); });
  EXPECT_GT(searches, 0u);
  RecordProperty("searches", std::to_string(searches));
  RecordProperty("waits", std::to_string(kept));
}

}  // namespace
}  // namespace omendb::test
