// An operator new of the whole program that fails when it is told to.
#ifndef OMENDB_TEST_UNIT_FAILING_ALLOCATION_H
#define OMENDB_TEST_UNIT_FAILING_ALLOCATION_H

namespace omendb::test {

inline constexpr int kNever = -1;

// How many allocations succeed before one throws std::bad_alloc, which makes it kNever.
extern int allocations_until_failure;

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_FAILING_ALLOCATION_H
