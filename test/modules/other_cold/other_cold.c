/*
 * What stands in the place of the library omendb_cold (src/cold/api.h), but has an interface of another version.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PGDLLEXPORT const uint32* omendb_cold_api(void);

const uint32* omendb_cold_api(void) {
  static const uint32 version = 4711;
  return &version;
}
