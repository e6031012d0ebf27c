// The library's entry points.
#include "cold/segment.h"

#include "pg/postgres.h"

extern "C" {
#include "fmgr.h"

PG_MODULE_MAGIC;

const omendb::cold::Api* omendb_cold_api() { return &omendb::cold::kApi; }

}  // extern "C"
