// The boundary that C++ exceptions do not cross.  Whatever PostgreSQL calls is
// one line, `return Guarded([&] { ... });`.
#ifndef OMENDB_PG_GUARD_H
#define OMENDB_PG_GUARD_H

#include <cstring>
#include <exception>

#include "pg/postgres.h"

namespace omendb::pg {

// Frames below may be left by ereport's longjmp, so they hold only objects with
// trivial destructors.  An exception becomes an error once its catch block has
// ended, so that the exception object is released.
template <typename Body>
auto Guarded(Body body) -> decltype(body()) {
  char message[256];
  try {
    return body();
  } catch (const std::exception& e) {
    strlcpy(message, e.what(), sizeof message);
  } catch (...) {
    strlcpy(message, "unknown C++ exception", sizeof message);
  }
  ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("omendb: %s", message)));
}

}  // namespace omendb::pg

#endif  // OMENDB_PG_GUARD_H
