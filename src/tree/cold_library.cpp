#include "tree/cold_library.h"

#include <unistd.h>

extern "C" {
#include "fmgr.h"
#include "miscadmin.h"
}

namespace omendb::tree {

namespace {

constexpr const char* kHint =
    "Install RocksDB (librocksdb-dev) and build and install omendb again, which then makes omendb_cold.so.";

const cold::Api* api;

using ApiFunction = const cold::Api* (*)();

}  // namespace

const cold::Api& ColdLibrary() {
  if (likely(api != nullptr)) return *api;
  char path[MAXPGPATH];
  snprintf(path, sizeof path, "%s/omendb_cold%s", pkglib_path, DLSUFFIX);
  if (access(path, F_OK) != 0)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cold pages of omendb indexes need the library omendb_cold, which is not installed"),
                    errdetail("There is no file \"%s\".", path), errhint("%s", kHint)));
  ApiFunction function = nullptr;
  const MemoryContext context = CurrentMemoryContext;
  PG_TRY();
  { function = reinterpret_cast<ApiFunction>(load_external_function(path, "omendb_cold_api", true, nullptr)); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    ErrorData* error = CopyErrorData();
    FlushErrorState();
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cold pages of omendb indexes need the library omendb_cold, which could not be loaded"),
                    errdetail("%s", error->message), errhint("%s", kHint)));
  }
  PG_END_TRY();
  const cold::Api* found = function();
  if (found->version != cold::kApiVersion)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("omendb_cold is not of this version of omendb"),
                    errdetail("Its interface has version %u, and %u is needed.", found->version, cold::kApiVersion),
                    errhint("Build and install omendb again.")));
  api = found;
  return *api;
}

}  // namespace omendb::tree
