// A fixture with a deterministic generator.  Every test has a seed of its own,
// printed when it fails; OMENDB_TEST_SEED shifts all of them, so that a loop over
// it explores further:
//
//   for s in $(seq 100); do OMENDB_TEST_SEED=$s ./core_test || break; done
#ifndef OMENDB_TEST_UNIT_SEEDED_TEST_H
#define OMENDB_TEST_UNIT_SEEDED_TEST_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "core/kernels.h"
#include "unit/random.h"

namespace omendb::test {

inline uint64_t SeedFromEnvironment() {
  const char* text = std::getenv("OMENDB_TEST_SEED");
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

class SeededTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (HasFailure()) std::cerr << "reproduce with OMENDB_TEST_SEED=" << SeedFromEnvironment() << "\n";
  }

  Random random_{SeedFromEnvironment() * 0x100000001B3ull + 20240229};
};

// Switches to each kernel version in turn and back to the preferred one.
template <typename Body>
void ForEachKernels(Body body) {
  const core::Kernels* available[core::kMaxKernels];
  const int n = core::AvailableKernels(available);
  for (int k = 0; k < n; k++) {
    core::UseKernels(*available[k]);
    SCOPED_TRACE(available[k]->name);
    body(*available[k]);
  }
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_SEEDED_TEST_H
