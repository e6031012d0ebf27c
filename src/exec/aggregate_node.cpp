// The Omendb Aggregate node: totals over the ranges of an index that its conditions span,
// group by group.
//
// A leaf's entries count as they are, without being decoded, where all of them lead to
// visible rows.  src/README, "Omendb Aggregate", argues when that is so.
#include <new>

#include "am/insert_buffer.h"
#include "am/quals.h"
#include "core/aggregate.h"
#include "exec/heap_visibility.h"
#include "tree/leaf_walk.h"

#include "exec/aggregate_plan.h"
#include "exec/explain.h"
#include "exec/group_step.h"
#include "exec/index_conditions.h"
#include "pg/guard.h"

extern "C" {
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/ruleutils.h"
}

namespace omendb::exec {

using core::Bound;
using core::i128;
using core::Key;
using core::Totals;
using core::u128;
using tree::NodePage;
using tree::PageRange;

namespace {

// Entries decoded at a time, where they must be.
constexpr uint32 kChunk = 512;
static_assert(kChunk >= tree::kMaxDelta);
// A segment ends after so many leaves, or groups: what is done again if the heap changes.
constexpr uint32 kSegmentLeaves = 256;
constexpr uint32 kSegmentGroups = 1024;

Numeric NumericOf(i128 value) {
  constexpr int64 kPart = INT64CONST(1000000000000000000);
  if (value >= PG_INT64_MIN && value <= PG_INT64_MAX) return int64_to_numeric(static_cast<int64>(value));
  // A sum of 64-bit integers of a table's rows has its higher part in 64 bits.
  const Datum high = NumericGetDatum(int64_to_numeric(static_cast<int64>(value / kPart)));
  const Datum low = NumericGetDatum(int64_to_numeric(static_cast<int64>(value % kPart)));
  const Datum part = NumericGetDatum(int64_to_numeric(kPart));
  return DatumGetNumeric(DirectFunctionCall2(numeric_add, DirectFunctionCall2(numeric_mul, high, part), low));
}

class Aggregation {
 public:
  // `plan` must outlive this, and `context` is its memory's.
  void Init(const AggregatePlan& plan, Relation index, Relation heap, Snapshot snapshot, MemoryContext context);
  void Free();

  // Begins anew, with these conditions.
  void Start(const ScanKeyData* keys, int count);
  // Goes on to the next group; false if there is none.
  bool Next();
  // A column of the group's row.
  Datum Value(const Output& output, bool* isnull) const;

  uint64 leaves() const { return leaves_; }
  uint64 entries() const { return entries_; }
  uint64 heap_fetches() const { return visibility_.heap_fetches(); }

 private:
  // A value column and what is wanted of it.
  struct Wanted {
    int column;
    unsigned wanted;
  };

  // A group's totals; behind them those of each wanted column, and the ordinals and classes
  // of the first entry's grouping columns.
  struct Group {
    uint64 rows;
  };
  Group* GroupAt(uint32 i) const { return reinterpret_cast<Group*>(groups_ + i * group_bytes_); }
  Totals* TotalsOf(Group* group) const { return reinterpret_cast<Totals*>(group + 1); }
  uint64* OrdinalsOf(Group* group) const { return reinterpret_cast<uint64*>(TotalsOf(group) + columns_); }
  uint64* ClassesOf(Group* group) const { return OrdinalsOf(group) + plan_->columns; }

  // Where the walk over the leaves is, with the group that was begun: to come back to it.
  struct Place {
    bool begun;
    bool open;
    int range[core::kMaxKeyColumns];
    tree::LeafWalk walk;
    Bound end;
  };

  int WantedColumn(int column, unsigned wanted);
  const Totals& TotalsOf(const Output& output) const;

  void DoSegment();
  void Walk(uint32 most_leaves);
  void Save();
  void GoBack();
  bool NextLeaf();
  void ReadLeaf();
  bool LookAtLeaf(const NodePage& page);
  void AddRuns(const NodePage& page, PageRange range, bool packed);
  void Open();
  void OpenAt(const NodePage& page, const PageRange& range);
  void Close();
  void AddPacked(const NodePage& page, const PageRange& run);
  void AddDecoded(const NodePage& page, const PageRange& run);
  void AddChunk(const bool* visible);

  const AggregatePlan* plan_;
  Relation index_;
  am::Layout layout_;
  am::Quals quals_;
  tree::LeafWalk walk_;
  HeapVisibility visibility_;
  GroupStep step_;

  Wanted wanted_[INDEX_MAX_KEYS];
  int columns_;  // of wanted_

  // Finished groups, and behind them the one that is open.
  char* groups_;
  uint32 group_capacity_;
  Size group_bytes_;
  uint32 finished_;
  uint32 returned_;
  bool open_;
  Bound end_;  // of the open group

  bool begun_;
  bool ended_;
  Bound low_, high_;  // the range of the index
  enum class Trust : uint8 { kNotTried, kTrusted, kNot } trust_;
  uint32 leaves_since_start_;
  Place place_;
  char* saved_group_;

  MemoryContext context_;
  PGAlignedBlock* copy_;  // of a leaf
  core::Entries chunk_;   // laid out when first needed
  // Of the entries of the leaf, from leaf_.base_begin and leaf_.delta_begin on.
  PageRange leaf_;
  bool visible_[core::kMaxEntries];
  bool delta_visible_[tree::kMaxDelta];
  core::Tid tid_[kChunk];

  uint64 leaves_, entries_;
};

static_assert(std::is_trivially_destructible_v<Aggregation>);

void Aggregation::Init(const AggregatePlan& plan, Relation index, Relation heap, Snapshot snapshot,
                       MemoryContext context) {
  plan_ = &plan;
  index_ = index;
  am::MakeLayout(index, &layout_);
  quals_.Init(layout_, context);
  walk_.Init(tree::Index{index, layout_.shape}, snapshot);
  visibility_.Init(heap, snapshot, context);
  if (OidIsValid(plan.step.function)) step_.Init(plan.step);
  columns_ = 0;
  for (int i = 0; i < plan.outputs; i++) {
    const Output& output = plan.output[i];
    switch (output.kind) {
      case OutputKind::kGroupKey:
      case OutputKind::kCountRows:
        break;
      case OutputKind::kCount:
        WantedColumn(layout_.ColumnOf(output.attribute), 0);
        break;
      case OutputKind::kSum:
      case OutputKind::kAverage:
        WantedColumn(layout_.ColumnOf(output.attribute), core::kWantSum);
        break;
      case OutputKind::kLeast:
      case OutputKind::kGreatest:
        WantedColumn(layout_.ColumnOf(output.attribute), core::kWantBounds);
        break;
    }
  }
  group_bytes_ = sizeof(Group) + static_cast<Size>(columns_) * sizeof(Totals) +
                 2 * static_cast<Size>(plan.columns) * sizeof(uint64);
  group_capacity_ = 16;
  groups_ = static_cast<char*>(MemoryContextAlloc(context, group_capacity_ * group_bytes_));
  saved_group_ = static_cast<char*>(MemoryContextAlloc(context, group_bytes_));
  copy_ = static_cast<PGAlignedBlock*>(MemoryContextAlloc(context, sizeof(PGAlignedBlock)));
  context_ = context;
  chunk_.count = 0;
  chunk_.tid = nullptr;
  leaves_ = entries_ = 0;
}

void Aggregation::Free() {
  quals_.Free();
  visibility_.Free();
}

int Aggregation::WantedColumn(int column, unsigned wanted) {
  int i = 0;
  while (i < columns_ && wanted_[i].column != column) i++;
  if (i == columns_) wanted_[columns_++] = {column, 0};
  wanted_[i].wanted |= wanted;
  return i;
}

void Aggregation::Start(const ScanKeyData* keys, int count) {
  am::FlushInserts(index_);
  quals_.Set(keys, count);
  finished_ = returned_ = 0;
  open_ = begun_ = ended_ = false;
  trust_ = Trust::kNotTried;
  leaves_since_start_ = 0;
  pgstat_count_index_scan(index_);
  if (plan_->columns == 0) Open();
}

bool Aggregation::Next() {
  for (;;) {
    // A group none of whose rows are visible is none.
    while (returned_ < finished_)
      if (GroupAt(returned_++)->rows > 0 || plan_->columns == 0) return true;
    if (ended_) return false;
    DoSegment();
  }
}

// ---- Segments ----

// Reads some leaves.  Those groups that end in them are finished.
void Aggregation::DoSegment() {
  // The open group becomes the first one.
  if (open_ && finished_ > 0) memmove(groups_, GroupAt(finished_), group_bytes_);
  finished_ = returned_ = 0;
  walk_.ForgetRoute();

  // To know all of the heap for visible costs as much as some leaves.
  const uint32 worth = 1 + visibility_.map_pages() / 4;
  if (trust_ == Trust::kNotTried && leaves_since_start_ >= worth)
    trust_ = visibility_.Trust() ? Trust::kTrusted : Trust::kNot;
  const uint32 leaves = trust_ == Trust::kNotTried ? worth : Max(kSegmentLeaves, 64 * worth);
  if (trust_ == Trust::kTrusted) Save();
  Walk(leaves);
  if (trust_ == Trust::kTrusted && !visibility_.IsStillTrusted()) {
    trust_ = Trust::kNot;
    GoBack();
    Walk(leaves);
  }
}

void Aggregation::Walk(uint32 most_leaves) {
  const uint64 entries = entries_;
  for (uint32 n = 0; n < most_leaves && finished_ < kSegmentGroups; n++) {
    if (!NextLeaf()) {
      ended_ = true;
      if (open_) Close();
      break;
    }
    ReadLeaf();
    leaves_since_start_++;
  }
  pgstat_count_index_tuples(index_, entries_ - entries);
}

void Aggregation::Save() {
  place_.begun = begun_;
  place_.open = open_;
  quals_.SavePosition(place_.range);
  place_.walk = walk_;
  place_.end = end_;
  if (open_) memcpy(saved_group_, GroupAt(0), group_bytes_);
}

void Aggregation::GoBack() {
  begun_ = place_.begun;
  open_ = place_.open;
  quals_.RestorePosition(place_.range);
  walk_ = place_.walk;
  walk_.ForgetRoute();
  end_ = place_.end;
  finished_ = 0;
  ended_ = false;
  if (open_) memcpy(GroupAt(0), saved_group_, group_bytes_);
}

// ---- Leaves ----

bool Aggregation::NextLeaf() {
  if (!begun_) {
    begun_ = true;
    if (!quals_.First(&low_, &high_)) return false;
    walk_.Begin(low_, high_);
  }
  while (!walk_.Next()) {
    if (quals_.empty() || !quals_.Next(&low_, &high_)) return false;
    walk_.Begin(low_, high_);
  }
  return true;
}

void Aggregation::ReadLeaf() {
  const PageRange range = leaf_ = walk_.range();
  const bool filtered = quals_.filter_columns() != 0, stepped = OidIsValid(plan_->step.function);
  leaves_++;
  entries_ += range.size();
  if (trust_ == Trust::kTrusted && !filtered && !stepped) {
    AddRuns(NodePage(walk_.page(), layout_.shape), range, true);
    walk_.Release();
    return;
  }
  // Without its lock, but where TIDs are followed, with its pin: so VACUUM does not give
  // them away, nor remove entries of rows that never came to be.
  memcpy(copy_->data, walk_.page(), BLCKSZ);
  const NodePage page(copy_->data, layout_.shape);
  if (trust_ == Trust::kTrusted) {
    walk_.Release();
    AddRuns(page, range, !filtered);
  } else {
    walk_.Unlock();
    AddRuns(page, range, !filtered && LookAtLeaf(page));
    walk_.ReleasePin();
  }
}

// Finds out which of the leaf's entries lead to visible rows; returns whether all do.
bool Aggregation::LookAtLeaf(const NodePage& page) {
  bool all = true;
  for (uint32 begin = leaf_.base_begin; begin < leaf_.base_end; begin += kChunk) {
    const uint32 end = Min(begin + kChunk, leaf_.base_end);
    page.node().DecodeTids(begin, end, tid_);
    all &= visibility_.Look(tid_, end - begin, visible_ + (begin - leaf_.base_begin));
  }
  uint32 n = 0;
  for (uint32 rank = leaf_.delta_begin; rank < leaf_.delta_end; rank++) tid_[n++] = page.DeltaTidAt(rank);
  return visibility_.Look(tid_, n, delta_visible_) && all;
}

// Adds the entries to the groups that they are of.
void Aggregation::AddRuns(const NodePage& page, PageRange range, bool packed) {
  while (range.size() > 0) {
    PageRange run = range;
    if (plan_->columns > 0) {
      if (!open_) OpenAt(page, range);
      run.base_end = Min(page.node().LowerBoundFrom(end_, range.base_begin), range.base_end);
      if (range.delta_begin < range.delta_end)
        run.delta_end = Min(Max(page.DeltaLowerBound(end_), range.delta_begin), range.delta_end);
    }
    if (packed)
      AddPacked(page, run);
    else
      AddDecoded(page, run);
    range.base_begin = run.base_end;
    range.delta_begin = run.delta_end;
    if (range.size() > 0) Close();
  }
}

// ---- Groups ----

void Aggregation::Open() {
  if (finished_ == group_capacity_) {
    group_capacity_ *= 2;
    groups_ = static_cast<char*>(repalloc(groups_, group_capacity_ * group_bytes_));
  }
  Group* group = GroupAt(finished_);
  group->rows = 0;
  for (int i = 0; i < columns_; i++) TotalsOf(group)[i] = Totals{};
  open_ = true;
}

void Aggregation::Close() {
  finished_++;
  open_ = false;
}

// Opens the group of the first entry of the range.
void Aggregation::OpenAt(const NodePage& page, const PageRange& range) {
  Key key, other;
  if (range.base_begin < range.base_end) page.node().KeyAt(range.base_begin, &key);
  if (range.delta_begin < range.delta_end) {
    page.DeltaKeyAt(range.delta_begin, &other);
    if (range.base_begin == range.base_end || core::CompareKeys(other, key, layout_.key_columns()) < 0) key = other;
  }
  Open();
  const int columns = plan_->columns;
  for (int c = 0; c < columns; c++) {
    OrdinalsOf(GroupAt(finished_))[c] = key.ordinal[c];
    ClassesOf(GroupAt(finished_))[c] = key.cls[c];
  }
  end_.key = key;
  end_.columns = columns;
  end_.with_tid = false;
  end_.tail = Bound::kAfter;
  if (!OidIsValid(plan_->step.function) || key.cls[columns - 1] != core::kValue) return;
  // All values of the step are of the group.
  const am::KeyColumn& column = layout_.key[columns - 1];
  const Timestamp value = core::Int64FromOrdinal(column.Stored(key.ordinal[columns - 1]));
  const Timestamp first = step_.FirstOf(value);
  OrdinalsOf(GroupAt(finished_))[columns - 1] = column.Stored(core::OrdinalFromInt64(first));
  const Timestamp last = column.descending ? first : step_.LastOf(first, value);
  end_.key.ordinal[columns - 1] = column.Stored(core::OrdinalFromInt64(last));
}

// ---- Entries ----

void Aggregation::AddPacked(const NodePage& page, const PageRange& run) {
  Group* group = GroupAt(finished_);
  group->rows += run.size();
  for (int i = 0; i < columns_; i++)
    core::AddColumn(page.node(), wanted_[i].column, run.base_begin, run.base_end, wanted_[i].wanted,
                    &TotalsOf(group)[i]);
  if (columns_ == 0) return;
  for (uint32 rank = run.delta_begin; rank < run.delta_end; rank++) {
    tree::Entry entry;
    page.DeltaEntryAt(rank, &entry);
    for (int i = 0; i < columns_; i++) {
      const int c = wanted_[i].column;
      if (entry.cls[c] == core::kValue) core::AddValue(entry.value[c], wanted_[i].wanted, &TotalsOf(group)[i]);
    }
  }
}

void Aggregation::AddDecoded(const NodePage& page, const PageRange& run) {
  if (chunk_.tid == nullptr) {
    const tree::Shape& shape = layout_.shape;
    void* memory = MemoryContextAlloc(context_, core::EntriesBytes(kChunk, shape.value_columns, false));
    core::LayOutEntries(&chunk_, memory, kChunk, shape.key_columns, shape.value_columns, false);
  }
  uint64 columns = quals_.filter_columns();
  for (int i = 0; i < columns_; i++) columns |= UINT64CONST(1) << wanted_[i].column;
  for (uint32 begin = run.base_begin; begin < run.base_end; begin += kChunk) {
    const uint32 end = Min(begin + kChunk, run.base_end);
    page.node().Decode(begin, end, columns, &chunk_, 0);
    chunk_.count = end - begin;
    AddChunk(visible_ + (begin - leaf_.base_begin));
  }
  chunk_.count = 0;
  for (uint32 rank = run.delta_begin; rank < run.delta_end; rank++) {
    tree::Entry entry;
    page.DeltaEntryAt(rank, &entry);
    for (int c = 0; c < chunk_.value_columns; c++) {
      chunk_.value[c][chunk_.count] = entry.value[c];
      chunk_.cls[c][chunk_.count] = entry.cls[c];
    }
    chunk_.tid[chunk_.count++] = entry.tid;
  }
  AddChunk(delta_visible_ + (run.delta_begin - leaf_.delta_begin));
}

// Adds those of the chunk's entries that match and lead to a visible row.  Where nothing has
// to match, LookAtLeaf has found out which do; else only those that match are looked at.
void Aggregation::AddChunk(const bool* visible) {
  const bool filtered = quals_.filter_columns() != 0;
  if (filtered) core::KeepEntries(&chunk_, [&](uint32 i) { return quals_.Matches(chunk_, i); });
  if (trust_ != Trust::kTrusted) {
    bool all = false;
    if (filtered) {
      all = visibility_.Look(chunk_.tid, chunk_.count, visible_);
      visible = visible_;
    }
    if (!all) core::KeepEntries(&chunk_, [&](uint32 i) { return visible[i]; });
  }
  Group* group = GroupAt(finished_);
  group->rows += chunk_.count;
  for (int i = 0; i < columns_; i++)
    core::AddArray(chunk_.value[wanted_[i].column], chunk_.cls[wanted_[i].column], chunk_.count, wanted_[i].wanted,
                   &TotalsOf(group)[i]);
}

// ---- Results ----

const Totals& Aggregation::TotalsOf(const Output& output) const {
  int i = 0;
  while (wanted_[i].column != layout_.ColumnOf(output.attribute)) i++;
  return TotalsOf(GroupAt(returned_ - 1))[i];
}

Datum Aggregation::Value(const Output& output, bool* isnull) const {
  *isnull = false;
  Group* group = GroupAt(returned_ - 1);
  if (output.kind == OutputKind::kCountRows) return Int64GetDatum(static_cast<int64>(group->rows));
  const am::ColumnType type = layout_.TypeOf(output.attribute);
  const bool descending = output.attribute < layout_.key_columns() && layout_.key[output.attribute].descending;
  const auto datum = [&](uint64 stored) { return am::DatumOfOrdinal(type, {descending ? ~stored : stored, 0}); };
  if (output.kind == OutputKind::kGroupKey) {
    *isnull = ClassesOf(group)[output.attribute] != core::kValue;
    return *isnull ? 0 : datum(OrdinalsOf(group)[output.attribute]);
  }
  const Totals& totals = TotalsOf(output);
  if (output.kind == OutputKind::kCount) return Int64GetDatum(static_cast<int64>(totals.count));
  if (totals.count == 0) {
    *isnull = true;
    return 0;
  }
  if (output.kind == OutputKind::kLeast) return datum(descending ? totals.greatest : totals.least);
  if (output.kind == OutputKind::kGreatest) return datum(descending ? totals.least : totals.greatest);
  // A stored value is the integer above the type's least one, or that's complement.
  i128 sum = static_cast<i128>(totals.sum);
  const i128 count = static_cast<i128>(totals.count);
  if (descending) sum = count * static_cast<i128>(PG_UINT64_MAX) - sum;
  sum -= count * static_cast<i128>(am::SignBit(type));
  if (output.kind == OutputKind::kAverage)
    return DirectFunctionCall2(numeric_div, NumericGetDatum(NumericOf(sum)),
                               NumericGetDatum(int64_to_numeric(static_cast<int64>(totals.count))));
  return output.type == INT8OID ? NumericGetDatum(NumericOf(sum)) : Int64GetDatum(static_cast<int64>(sum));
}

// ---- The executor's node ----

struct AggregateState {
  CustomScanState css;
  AggregatePlan* plan;
  IndexConditions conditions;
  Aggregation* aggregation;
  bool evaluated;
  bool started;
};

AggregateState& StateOf(CustomScanState* node) { return *reinterpret_cast<AggregateState*>(node); }

void Begin(AggregateState& state, EState* estate, int eflags) {
  CustomScan* plan = castNode(CustomScan, state.css.ss.ps.plan);
  state.plan = DecodePlan(plan->custom_private);
  state.conditions.Init(static_cast<Plan*>(linitial(plan->custom_plans)), estate, eflags);
}

void Start(AggregateState& state) {
  const IndexConditions& conditions = state.conditions;
  EState* estate = state.css.ss.ps.state;
  if (state.aggregation == nullptr) {
    const MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);
    state.aggregation = new (palloc(sizeof(Aggregation))) Aggregation;
    state.aggregation->Init(*state.plan, conditions.index(), conditions.heap(), estate->es_snapshot,
                            estate->es_query_cxt);
    MemoryContextSwitchTo(old_context);
  }
  if (!state.evaluated) state.conditions.Evaluate(nullptr);
  state.aggregation->Start(conditions.keys(), conditions.key_count());
  state.started = true;
}

TupleTableSlot* Exec(AggregateState& state) {
  if (!state.started) Start(state);
  ScanState& node = state.css.ss;
  TupleTableSlot* slot = ExecClearTuple(node.ss_ScanTupleSlot);
  if (!state.aggregation->Next()) return slot;
  ResetExprContext(node.ps.ps_ExprContext);
  const MemoryContext old_context = MemoryContextSwitchTo(node.ps.ps_ExprContext->ecxt_per_tuple_memory);
  for (int i = 0; i < state.plan->outputs; i++)
    slot->tts_values[i] = state.aggregation->Value(state.plan->output[i], &slot->tts_isnull[i]);
  MemoryContextSwitchTo(old_context);
  ExecStoreVirtualTuple(slot);
  if (node.ps.ps_ProjInfo == nullptr) return slot;
  node.ps.ps_ExprContext->ecxt_scantuple = slot;
  return ExecProject(node.ps.ps_ProjInfo);
}

void End(AggregateState& state) {
  if (state.aggregation != nullptr) state.aggregation->Free();
  state.conditions.End();
}

void Rescan(AggregateState& state) {
  state.conditions.Evaluate(state.css.ss.ps.chgParam);
  state.evaluated = true;
  state.started = false;
}

void Explain(const AggregateState& state, List* ancestors, ExplainState* es) {
  CustomScan* plan = castNode(CustomScan, state.css.ss.ps.plan);
  IndexOnlyScan* scan = castNode(IndexOnlyScan, linitial(plan->custom_plans));
  const bool prefix = list_length(es->rtable) > 1 || es->verbose;
  if (state.plan->columns > 0) {
    List* context = set_deparse_context_plan(es->deparse_cxt, &plan->scan.plan, ancestors);
    List* keys = NIL;
    for (int i = 0; i < state.plan->outputs; i++) {
      if (state.plan->output[i].kind != OutputKind::kGroupKey) continue;
      const TargetEntry* entry = list_nth_node(TargetEntry, plan->custom_scan_tlist, i);
      keys = lappend(keys, deparse_expression(reinterpret_cast<Node*>(entry->expr), context, prefix, true));
    }
    ExplainPropertyList("Group Key", keys, es);
  }
  ShowIndex(scan->indexid, es);
  // The names of the index's columns are known from the index scan's plan.
  ShowConditions("Index Cond", scan->indexqual, &scan->scan.plan, ancestors, es);
  if (!es->analyze) return;
  const Aggregation* aggregation = state.aggregation;
  const auto show = [&](const char* label, uint64 number) {
    ExplainPropertyInteger(label, nullptr, static_cast<int64>(number), es);
  };
  show("Leaves", aggregation != nullptr ? aggregation->leaves() : 0);
  show("Entries", aggregation != nullptr ? aggregation->entries() : 0);
  show("Heap Fetches", aggregation != nullptr ? aggregation->heap_fetches() : 0);
}

extern "C" {

void omendb_begin_aggregate(CustomScanState* node, EState* estate, int eflags) {
  pg::Guarded([&] { Begin(StateOf(node), estate, eflags); });
}

TupleTableSlot* omendb_exec_aggregate(CustomScanState* node) {
  return pg::Guarded([&] { return Exec(StateOf(node)); });
}

void omendb_end_aggregate(CustomScanState* node) {
  pg::Guarded([&] { End(StateOf(node)); });
}

void omendb_rescan_aggregate(CustomScanState* node) {
  pg::Guarded([&] { Rescan(StateOf(node)); });
}

void omendb_explain_aggregate(CustomScanState* node, List* ancestors, ExplainState* es) {
  pg::Guarded([&] { Explain(StateOf(node), ancestors, es); });
}

}  // extern "C"

CustomExecMethods MakeMethods() {
  CustomExecMethods methods = {};
  methods.CustomName = "Omendb Aggregate";
  methods.BeginCustomScan = omendb_begin_aggregate;
  methods.ExecCustomScan = omendb_exec_aggregate;
  methods.EndCustomScan = omendb_end_aggregate;
  methods.ReScanCustomScan = omendb_rescan_aggregate;
  methods.ExplainCustomScan = omendb_explain_aggregate;
  return methods;
}

const CustomExecMethods kExecMethods = MakeMethods();

}  // namespace

Node* CreateAggregateState(CustomScan*) {
  AggregateState* state = static_cast<AggregateState*>(palloc0(sizeof(AggregateState)));
  NodeSetTag(state, T_CustomScanState);
  state->css.methods = &kExecMethods;
  return reinterpret_cast<Node*>(state);
}

}  // namespace omendb::exec
