// How far the processes of a parallel scan have come, in shared memory.
//
// They take turns: who seizes the position reads the chunk of entries that begins
// there, and releases it at the chunk's end.  So each chunk is read by one process, in
// key order, and what a process reads it returns by itself.
#ifndef OMENDB_AM_PARALLEL_POSITION_H
#define OMENDB_AM_PARALLEL_POSITION_H

#include <type_traits>

#include "core/key.h"

#include "pg/postgres.h"

extern "C" {
#include "access/genam.h"
#include "access/relscan.h"
#include "storage/block.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"
}

namespace omendb::am {

class ParallelPosition {
 public:
  struct Place {
    bool begun;                 // or else nobody has read anything yet
    int range[INDEX_MAX_KEYS];  // the current range, as Quals::SavePosition says it
    bool in_range;              // or else that has still to begin
    core::Bound next;           // where to go on in it
    core::KeyBytes memory;      // values of its bytes columns, which it gives as offsets in this
    BlockNumber hint;           // the leaf where that probably is
  };

  // Of a parallel scan; null if it is not one.
  static ParallelPosition* Of(IndexScanDesc scan) {
    ParallelIndexScanDesc parallel = scan->parallel_scan;
    return parallel == nullptr
               ? nullptr
               : reinterpret_cast<ParallelPosition*>(reinterpret_cast<char*>(parallel) + parallel->ps_offset);
  }

  void Init();
  // Before a rescan: no process is scanning.
  void Reset();

  // Waits until nobody else reads, and takes the place; false if there is nothing left.
  // Until Release or Finish the others wait.  (After an error in between they are
  // terminated, with the whole query.)
  bool Seize(Place* place);
  void Release(const Place& place);
  void Finish();

 private:
  enum State : uint8 { kIdle, kReading, kFinished };

  slock_t mutex_;  // protects state_ and, while nobody is reading, place_
  State state_;
  ConditionVariable released_;
  Place place_;
};
static_assert(std::is_trivially_copyable_v<ParallelPosition>);

}  // namespace omendb::am

#endif  // OMENDB_AM_PARALLEL_POSITION_H
