// The session's time zone as PostgreSQL converts local times by it.
//
// The conversion of a timestamp to an instant is not monotonic: where clocks are set
// forward, local times that no clock shows are taken by the offset from before, so
// that 02:30 and 03:30 may be the same instant.  It is a line within each of the
// pieces that lie between two changes of the offset.
#ifndef OMENDB_AM_LOCAL_TIME_H
#define OMENDB_AM_LOCAL_TIME_H

#include "pg/postgres.h"

extern "C" {
#include "datatype/timestamp.h"
}

namespace omendb::am {

// Local times from `begin` on, up to the next piece, are later than their instants by `offset`.
struct LocalTimePiece {
  Timestamp begin;
  int64 offset;  // in microseconds
};

inline constexpr int kMaxLocalTimePieces = 8;

// The pieces that local times can belong to whose instant is near `instant`: the
// first one begins at minus infinity, and what is not near is on the right side of
// `instant` by any of the offsets.  Returns how many.
int LocalTimePiecesAround(TimestampTz instant, LocalTimePiece* pieces);

}  // namespace omendb::am

#endif  // OMENDB_AM_LOCAL_TIME_H
