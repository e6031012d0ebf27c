#include "am/local_time.h"

extern "C" {
#include "pgtime.h"
}

namespace omendb::am {

namespace {

// Seconds between the epochs of pg_time_t and of timestamps.
constexpr int64 kEpoch = static_cast<int64>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

// Offsets are below 16 hours, so a local time that is further away than two days is
// on the same side by each of them.
constexpr int64 kNear = 2 * SECS_PER_DAY;

}  // namespace

int LocalTimePiecesAround(TimestampTz instant, LocalTimePiece* pieces) {
  pieces[0] = {DT_NOBEGIN, 0};
  if (TIMESTAMP_NOT_FINITE(instant)) return 1;
  const pg_time_t middle = instant / USECS_PER_SEC + kEpoch;
  pg_time_t time = middle - kNear;
  for (int count = 1;; count++) {
    long before, after;
    int is_dst;
    pg_time_t boundary;
    const int found = pg_next_dst_boundary(&time, &before, &is_dst, &boundary, &after, &is_dst, session_timezone);
    if (count == 1 && found >= 0) pieces[0].offset = before * USECS_PER_SEC;
    if (found <= 0 || boundary > middle + kNear) return count;
    if (count == kMaxLocalTimePieces)
      elog(ERROR, "omendb: too many changes of the time zone's offset within four days");
    // DetermineTimeZoneOffset() takes the new offset as soon as the local time by it
    // is not before the change, whether clocks are set forward or back.
    pieces[count] = {(boundary - kEpoch + after) * USECS_PER_SEC, after * USECS_PER_SEC};
    time = boundary;
  }
}

}  // namespace omendb::am
