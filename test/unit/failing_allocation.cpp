#include "unit/failing_allocation.h"

#include <cstdlib>
#include <new>

namespace omendb::test {

int allocations_until_failure = kNever;

}  // namespace omendb::test

using omendb::test::allocations_until_failure;

void* operator new(size_t size) {
  if (allocations_until_failure != omendb::test::kNever && allocations_until_failure-- == 0) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
