/*
 * An extension that still writes when a transaction is about to commit or to be prepared: it then executes the
 * statement in late_insert.statement.
 *
 * PostgreSQL calls such callbacks in the opposite order of their registration.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static char* statement;

static void late_insert_xact_callback(XactEvent event, void* arg) {
  int result;

  if ((event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) || statement[0] == '\0') return;
  /* There is no portal any more that would have one. */
  PushActiveSnapshot(GetTransactionSnapshot());
  SPI_connect();
  result = SPI_execute(statement, false, 0);
  if (result < 0) elog(ERROR, "late_insert: %s", SPI_result_code_string(result));
  SPI_finish();
  PopActiveSnapshot();
}

void _PG_init(void) {
  DefineCustomStringVariable("late_insert.statement", "Executed when a transaction is about to commit.", NULL,
                             &statement, "", PGC_USERSET, 0, NULL, NULL, NULL);
  RegisterXactCallback(late_insert_xact_callback, NULL);
}
