// The background worker that offloads by itself what indexes WITH (cold_after = '30 days') have that is older.
#ifndef OMENDB_AM_COLD_WORKER_H
#define OMENDB_AM_COLD_WORKER_H

#include "pg/postgres.h"

namespace omendb::am {

// Defines omendb.cold_naptime and, if the library is being preloaded and the setting is not 0, registers the worker.
void InitColdWorker();

// offload_function.cpp: moves the leaves before a value of the leading column, or, without one, those unchanged since
// the last such call, and puts segments together; returns how many.
uint64 OffloadIndex(Oid index, const char* before);

}  // namespace omendb::am

#endif  // OMENDB_AM_COLD_WORKER_H
