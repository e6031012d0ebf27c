// Versions that readers use without a lock, and how a writer learns that nobody
// uses an old one any more: hazard pointers (Michael, IEEE TPDS 15(6), 2004), with
// numbers for pointers, as processes that share memory may have it at different
// addresses.
//
// Each reader has hazards of its own on cache lines of its own, which only it
// writes.  It announces a version there and looks whether it is still the current
// one; from then on until it announces something else, no writer takes that version
// for unused.
#ifndef OMENDB_CORE_HAZARD_H
#define OMENDB_CORE_HAZARD_H

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace omendb::core {

inline constexpr uint64_t kNoVersion = 0;
// As many versions as a reader can use at once; a join with a partitioned table takes turns
// in the indexes of all partitions.
inline constexpr int kHazards = 32;

static_assert(std::atomic<uint64_t>::is_always_lock_free);

// One reader's.
struct alignas(64) HazardLines {
  std::atomic<uint64_t> hazard[kHazards];
};
static_assert(sizeof(HazardLines) % 64 == 0);

// Announces the current version and returns it; kNoVersion if there is none.
inline uint64_t Protect(const std::atomic<uint64_t>& current, std::atomic<uint64_t>* hazard) {
  uint64_t version = current.load(std::memory_order_acquire);
  for (;;) {
    // Sequentially consistent: the store must be seen before the load below is made.
    hazard->store(version, std::memory_order_seq_cst);
    const uint64_t now = current.load(std::memory_order_seq_cst);
    if (now == version) return version;
    version = now;
  }
}

inline void Release(std::atomic<uint64_t>* hazard) { hazard->store(kNoVersion, std::memory_order_release); }

// Whether a version that is no longer current (exchanged sequentially consistently)
// is still in use by one of the readers.
inline bool IsProtected(const HazardLines* lines, size_t readers, uint64_t version) {
  for (size_t r = 0; r < readers; r++)
    for (const std::atomic<uint64_t>& hazard : lines[r].hazard)
      if (hazard.load(std::memory_order_seq_cst) == version) return true;
  return false;
}

}  // namespace omendb::core

#endif  // OMENDB_CORE_HAZARD_H
