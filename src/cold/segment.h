// Segments: what api.h describes, without PostgreSQL.
#ifndef OMENDB_COLD_SEGMENT_H
#define OMENDB_COLD_SEGMENT_H

#include "cold/api.h"

namespace omendb::cold {

extern const Api kApi;

}  // namespace omendb::cold

#endif  // OMENDB_COLD_SEGMENT_H
