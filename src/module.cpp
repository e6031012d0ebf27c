// The library's entry points.
#include "am/insert_buffer.h"
#include "tree/log.h"

#include "am/am.h"
#include "am/cold_worker.h"
#include "exec/exec.h"

#include "hot/cold_cache.h"
#include "hot/region.h"
#include "pg/guard.h"
#include "pg/test_build.h"

extern "C" {
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

PG_FUNCTION_INFO_V1(omendb_version);

void _PG_init(void) {
  omendb::pg::Guarded([] {
    omendb::am::RegisterOptions();
    if (process_shared_preload_libraries_in_progress) omendb::tree::RegisterResourceManager();
    omendb::am::InitInsertBuffer();
    omendb::exec::Init();
    omendb::hot::DefineSettings();
    omendb::hot::DefineColdCache();
    omendb::am::InitColdWorker();
    omendb::pg::DefineTestSettings();
  });
}

Datum omendb_version(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_TEXT_P(cstring_to_text(OMENDB_VERSION));
}

}  // extern "C"
