// omendb_stat_index(index regclass, exact boolean default true) returns record
//
// Size and fill of an index, and what the hot index has of it (sql/omendb--*.sql
// describes the columns).  Reads every page, or, without `exact`, about a hundred.
// Takes an ACCESS SHARE lock.
#include <initializer_list>

#include "am/layout.h"
#include "hot/directory.h"
#include "tree/statistics.h"

#include "am/am.h"
#include "am/open_index.h"
#include "pg/guard.h"

extern "C" {
#include "access/relation.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(omendb_stat_index);
}

namespace omendb::am {

namespace {

constexpr BlockNumber kSample = 100;

// The columns of the result, in order.
class Row {
 public:
  explicit Row(TupleDesc desc) : desc_(desc), next_(0) {}
  void Add(Datum value) {
    isnull_[next_] = false;
    value_[next_++] = value;
  }
  void AddNull() {
    isnull_[next_] = true;
    value_[next_++] = 0;
  }
  void AddCount(double count) { Add(Int64GetDatum(static_cast<int64>(count + 0.5))); }
  Datum Form() { return HeapTupleGetDatum(heap_form_tuple(desc_, value_, isnull_)); }

 private:
  static constexpr int kMostColumns = 32;
  TupleDesc desc_;
  int next_;
  Datum value_[kMostColumns];
  bool isnull_[kMostColumns];
};

void AddTree(const tree::Statistics& statistics, BlockNumber blocks, Row* row) {
  row->AddCount(statistics.entries);
  row->Add(Int32GetDatum(static_cast<int32>(statistics.levels)));
  row->AddCount(blocks);
  row->AddCount(statistics.leaf_pages);
  row->AddCount(statistics.inner_pages);
  row->AddCount(statistics.deleted_pages);
  if (statistics.entries > 0)
    row->Add(Float8GetDatum(static_cast<double>(blocks) * BLCKSZ / statistics.entries));
  else
    row->AddNull();
  if (statistics.leaf_pages > 0)
    row->Add(Float8GetDatum(100.0 * statistics.leaf_bytes / (statistics.leaf_pages * tree::kPageCapacity)));
  else
    row->AddNull();
  row->AddCount(statistics.segments);
  row->AddCount(statistics.segment_pages);
  row->AddCount(statistics.cold_leaves);
  row->AddCount(statistics.cold_pages);
}

void AddHotIndex(const hot::Description& hot, Row* row) {
  if (hot.has_table) {
    row->Add(CStringGetTextDatum(core::FenceModelName(hot.model.kind)));
    row->Add(Int32GetDatum(static_cast<int32>(hot.level)));
    row->AddCount(hot.model.count);
    row->AddCount(hot.model.segments);
    row->Add(Int32GetDatum(static_cast<int32>(hot.model.epsilon)));
    row->AddCount(static_cast<double>(hot.bytes));
  } else {
    for (int i = 0; i < 6; i++) row->AddNull();
  }
  uint64 lookups = 0;
  for (const uint64 outcome : hot.outcomes) lookups += outcome;
  row->Add(Int64GetDatum(static_cast<int64>(lookups)));
  for (const hot::Outcome outcome : {hot::Outcome::kHit, hot::Outcome::kMovedRight, hot::Outcome::kRestarted})
    row->Add(Int64GetDatum(static_cast<int64>(hot.outcomes[static_cast<int>(outcome)])));
  row->Add(Int64GetDatum(static_cast<int64>(hot.rebuilds)));
  for (const hot::ColdOutcome outcome : {hot::ColdOutcome::kHit, hot::ColdOutcome::kRead})
    row->Add(Int64GetDatum(static_cast<int64>(hot.cold[static_cast<int>(outcome)])));
}

Datum StatIndex(FunctionCallInfo fcinfo) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  const Relation index = OpenIndex(PG_GETARG_OID(0), AccessShareLock, "take statistics of");
  Layout layout;
  MakeLayout(index, &layout);
  tree::Statistics statistics;
  const BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
  const BlockNumber blocks = RelationGetNumberOfBlocks(index);
  tree::CollectStatistics(tree::Index{index, layout.shape}, PG_GETARG_BOOL(1) ? 0 : kSample, strategy, &statistics);
  FreeAccessStrategy(strategy);
  hot::Description hot = {};
  hot::Describe(pg::FileNodeOf(index), &hot);
  relation_close(index, AccessShareLock);

  Row row(BlessTupleDesc(desc));
  AddTree(statistics, blocks, &row);
  AddHotIndex(hot, &row);
  return row.Form();
}

}  // namespace

}  // namespace omendb::am

Datum omendb_stat_index(PG_FUNCTION_ARGS) {
  return omendb::pg::Guarded([&] { return omendb::am::StatIndex(fcinfo); });
}
