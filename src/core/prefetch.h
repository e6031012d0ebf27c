// Fetching a cache line ahead of its use.
#ifndef OMENDB_CORE_PREFETCH_H
#define OMENDB_CORE_PREFETCH_H

namespace omendb::core {

// GCC takes a function that does nothing but __builtin_prefetch for one without effects
// and drops the calls of it.  An empty volatile asm is an effect.
inline void Prefetch(const void* address) {
  __builtin_prefetch(address);
  __asm__ volatile("");
}

}  // namespace omendb::core

#endif  // OMENDB_CORE_PREFETCH_H
