#include "exec/group_step.h"

extern "C" {
#include "common/int.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"
}

namespace omendb::exec {

void GroupStep::Init(const Step& step) {
  step_ = &step;
  fmgr_info(step.function, &function_);
  fixed_ = step.function == F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP ||
           step.function == F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ;
  // Until a group says otherwise.
  width_ = USECS_PER_HOUR;
  if (fixed_) {
    const Interval& stride = *DatumGetIntervalP(step.width->constvalue);
    // The function itself refuses a stride that makes no sense.
    if (pg_mul_s64_overflow(stride.day, USECS_PER_DAY, &width_) || pg_add_s64_overflow(width_, stride.time, &width_) ||
        width_ <= 0)
      width_ = 1;
  }
}

Timestamp GroupStep::FirstOf(Timestamp value) {
  const Datum first =
      step_->origin == nullptr
          ? FunctionCall2(&function_, step_->width->constvalue, TimestampGetDatum(value))
          : FunctionCall3(&function_, step_->width->constvalue, TimestampGetDatum(value), step_->origin->constvalue);
  return DatumGetTimestamp(first);
}

Timestamp GroupStep::LastOf(Timestamp first, Timestamp value) {
  if (TIMESTAMP_NOT_FINITE(value)) return value;
  constexpr Timestamp kLast = END_TIMESTAMP - 1;
  // Behind `first + width` begins another group; where is that?
  Timestamp last;
  if (pg_add_s64_overflow(first, width_ - 1, &last) || last > kLast) last = kLast;
  if (fixed_) {
    // date_bin raises an error where the distance from its origin is too large.
    const Timestamp origin = DatumGetTimestamp(step_->origin->constvalue);
    if (origin < 0) last = Min(last, PG_INT64_MAX + origin);
    return Max(last, value);
  }
  // Most groups are as wide as the one before.
  if (last >= value && FirstOf(last) == first && (last == kLast || FirstOf(last + 1) != first)) return last;
  // The function does not fall, so the group's values are all before the first other one.
  Timestamp inside = value, outside = kLast;
  // From the least timestamp to the last are more than 63 bits.
  const auto distance = [&] { return static_cast<uint64>(outside) - static_cast<uint64>(inside); };
  if (FirstOf(outside) == first) return outside;
  for (uint64 step = static_cast<uint64>(width_); distance() > step; step *= 2) {
    const Timestamp next = inside + static_cast<int64>(step);
    if (FirstOf(next) != first) {
      outside = next;
      break;
    }
    inside = next;
  }
  while (distance() > 1) {
    const Timestamp middle = inside + static_cast<int64>(distance() / 2);
    if (FirstOf(middle) == first)
      inside = middle;
    else
      outside = middle;
  }
  width_ = inside - first + 1;
  return inside;
}

}  // namespace omendb::exec
