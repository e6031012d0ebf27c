#include "am/parallel_position.h"

extern "C" {
#include "pgstat.h"
}

namespace omendb::am {

void ParallelPosition::Init() {
  SpinLockInit(&mutex_);
  ConditionVariableInit(&released_);
  Reset();
}

void ParallelPosition::Reset() {
  state_ = kIdle;
  place_.begun = false;
}

bool ParallelPosition::Seize(Place* place) {
  State found;
  for (;;) {
    SpinLockAcquire(&mutex_);
    found = state_;
    if (found == kIdle) state_ = kReading;
    SpinLockRelease(&mutex_);
    if (found != kReading) break;
    ConditionVariableSleep(&released_, WAIT_EVENT_BTREE_PAGE);
  }
  ConditionVariableCancelSleep();
  if (found == kFinished) return false;
  // It is ours alone now.
  *place = place_;
  return true;
}

void ParallelPosition::Release(const Place& place) {
  place_ = place;
  SpinLockAcquire(&mutex_);
  state_ = kIdle;
  SpinLockRelease(&mutex_);
  ConditionVariableSignal(&released_);
}

void ParallelPosition::Finish() {
  SpinLockAcquire(&mutex_);
  state_ = kFinished;
  SpinLockRelease(&mutex_);
  ConditionVariableBroadcast(&released_);
}

}  // namespace omendb::am
