// The only way in to PostgreSQL's headers.  Include it after every C++ header
// and after core/: postgres.h defines macros that break them.  Further
// PostgreSQL headers are included inside an extern "C" block, after this one.
#ifndef OMENDB_PG_POSTGRES_H
#define OMENDB_PG_POSTGRES_H

extern "C" {
#include <postgres.h>
}

#endif  // OMENDB_PG_POSTGRES_H
