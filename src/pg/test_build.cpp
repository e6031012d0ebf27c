#include "core/limits.h"

#include "pg/test_build.h"

#ifdef OMENDB_TEST_BUILD

#include <signal.h>
#include <unistd.h>

extern "C" {
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/varlena.h"
}

namespace omendb::pg {

int test_page_entries = core::kMaxEntries;
int test_delta_entries = 64;
int test_rebuild_misses = 0;
int test_first_inserts = 16;
int test_segment_leaves = 1024;

namespace {

const char* const kPointNames[] = {
#define OMENDB_TEST_POINT_NAME(point, name) name,
    OMENDB_TEST_POINTS(OMENDB_TEST_POINT_NAME)
#undef OMENDB_TEST_POINT_NAME
};
constexpr int kPoints = lengthof(kPointNames);
constexpr int kAnyPoint = kPoints;

enum class Action : uint8 { kNone, kError, kKill, kPause };
const char* const kActionNames[] = {"none", "error", "kill", "pause"};

// What omendb.test_point says: per point, and for all of them together.
struct Order {
  Action action;
  int64 countdown;
};
using Orders = Order[kPoints + 1];

Orders orders;
char* orders_text;
char* names_text;

int Find(const char* name, const char* const* names, int count) {
  for (int i = 0; i < count; i++)
    if (strcmp(name, names[i]) == 0) return i;
  return -1;
}

// One "name=action:n".
bool ParseOrder(char* text, Order* parsed) {
  char* action = strchr(text, '=');
  if (action == nullptr) return false;
  *action++ = '\0';
  int64 n = 1;
  if (char* count = strchr(action, ':')) {
    *count++ = '\0';
    n = strtoll(count, nullptr, 10);
  }
  const int point = strcmp(text, "any") == 0 ? kAnyPoint : Find(text, kPointNames, kPoints);
  const int found = Find(action, kActionNames, lengthof(kActionNames));
  if (point < 0 || found <= 0 || n < 1) return false;
  parsed[point] = {static_cast<Action>(found), n};
  return true;
}

extern "C" {

bool omendb_check_test_point(char** text, void** extra, GucSource) {
  Order* parsed = static_cast<Order*>(calloc(1, sizeof(Orders)));
  if (parsed == nullptr) return false;
  List* list;
  char* copy = pstrdup(*text);
  bool valid = SplitGUCList(copy, ',', &list);
  if (valid) {
    ListCell* cell;
    foreach (cell, list) valid = valid && ParseOrder(static_cast<char*>(lfirst(cell)), parsed);
  }
  if (!valid) {
    GUC_check_errdetail("It is a list of name=action:n; the actions are error, kill and pause.");
    GUC_check_errhint("Names: any, %s.", names_text);
    free(parsed);
    return false;
  }
  *extra = parsed;
  return true;
}

void omendb_assign_test_point(const char*, void* extra) {
  if (extra != nullptr)
    memcpy(orders, extra, sizeof orders);
  else
    memset(orders, 0, sizeof orders);
}

}  // extern "C"

bool IsDue(Order* order) { return order->action != Action::kNone && --order->countdown == 0; }

void Pause() {
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 1, 1);  // pg_advisory_lock(1)
  LockAcquire(&tag, ShareLock, false, false);
  LockRelease(&tag, ShareLock, false);
}

}  // namespace

void ReachTestPoint(TestPoint point) {
  const int number = static_cast<int>(point);
  Order* order = &orders[number];
  // Both count, whichever is due.
  const bool point_due = IsDue(order), any_due = IsDue(&orders[kAnyPoint]);
  if (!point_due && !any_due) return;
  if (!point_due) order = &orders[kAnyPoint];
  const Action action = order->action;
  order->action = Action::kNone;
  switch (action) {
    case Action::kNone:
      break;
    case Action::kError:
      ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("test point %s", kPointNames[number])));
      break;
    case Action::kKill:
      ereport(LOG, (errmsg("test point %s: killed", kPointNames[number])));
      kill(getpid(), SIGKILL);
      break;
    case Action::kPause:
      // A page's lock also holds off interrupts; nobody could see, or end, the wait.
      if (InterruptHoldoffCount > 0)
        ereport(ERROR, (errmsg("test point %s cannot pause: a page is locked", kPointNames[number])));
      Pause();
      break;
  }
}

void DefineTestSettings() {
  StringInfoData names;
  initStringInfo(&names);
  for (int i = 0; i < kPoints; i++) appendStringInfo(&names, "%s%s", i == 0 ? "" : ", ", kPointNames[i]);
  static char* names_value;
  names_text = MemoryContextStrdup(TopMemoryContext, names.data);
  DefineCustomStringVariable("omendb.test_points", "Names that omendb.test_point takes.", nullptr, &names_value,
                             names_text, PGC_INTERNAL, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("omendb.test_point", "What happens at a named point of the code.",
                             "A list of name=action:n; the actions are error, kill and pause.", &orders_text, "",
                             PGC_SUSET, 0, omendb_check_test_point, omendb_assign_test_point, nullptr);
  DefineCustomIntVariable("omendb.test_page_entries", "Most entries that a page is given.", nullptr, &test_page_entries,
                          core::kMaxEntries, 4, core::kMaxEntries, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("omendb.test_delta_entries", "Most entries of a page's delta.", nullptr, &test_delta_entries,
                          64, 1, 64, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("omendb.test_rebuild_misses", "Lookups served badly before the hot index is built anew.",
                          "0: as many as pay for it.", &test_rebuild_misses, 0, 0, INT_MAX, PGC_SUSET, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("omendb.test_first_inserts", "Inserts of a transaction into an index that do not wait.",
                          nullptr, &test_first_inserts, 16, 0, INT_MAX, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("omendb.test_segment_leaves", "Most leaves of a segment.", nullptr, &test_segment_leaves, 1024,
                          1, 1024, PGC_SUSET, 0, nullptr, nullptr, nullptr);
}

}  // namespace omendb::pg

#endif  // OMENDB_TEST_BUILD
