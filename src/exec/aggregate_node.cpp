// The Omendb Aggregate node: totals over the ranges of an index that its conditions span,
// group by group.
//
// A leaf's entries count as they are, without being decoded, where all of them lead to
// visible rows.  src/README, "Omendb Aggregate", argues when that is so.
#include <new>

#include "am/insert_buffer.h"
#include "am/parallel_position.h"
#include "am/quals.h"
#include "core/aggregate.h"
#include "exec/heap_visibility.h"
#include "tree/leaf_walk.h"

#include "exec/aggregate_plan.h"
#include "exec/explain.h"
#include "exec/float_totals.h"
#include "exec/group_step.h"
#include "exec/index_conditions.h"
#include "pg/guard.h"

extern "C" {
#include "access/parallel.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "port/pg_bswap.h"
#include "libpq/pqformat.h"
#include "nodes/makefuncs.h"
#include "pgstat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
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
// Of the leaf's delta, some come between them.
constexpr uint32 kChunkRoom = kChunk + tree::kMaxDelta;
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

// What int8_avg_serialize makes of a state.  (Its digits are those of numeric_send, and the
// four numbers before them are longer.)
Datum SerializedState(uint64 count, i128 sum) {
  const bytea* number = DatumGetByteaPP(DirectFunctionCall1(numeric_send, NumericGetDatum(NumericOf(sum))));
  const char* bytes = VARDATA_ANY(number);
  constexpr int kNumbers = 4;  // digits, weight, sign, scale
  StringInfoData state;
  pq_begintypsend(&state);
  pq_sendint64(&state, count);
  for (int i = 0; i < kNumbers; i++) {
    uint16 value;
    memcpy(&value, bytes + i * static_cast<int>(sizeof value), sizeof value);
    pq_sendint32(&state, static_cast<uint32>(static_cast<int16>(pg_ntoh16(value))));
  }
  const int header = kNumbers * static_cast<int>(sizeof(uint16));
  pq_sendbytes(&state, bytes + header, static_cast<int>(VARSIZE_ANY_EXHDR(number)) - header);
  return PointerGetDatum(pq_endtypsend(&state));
}

// The state of int2_avg_accum and int4_avg_accum.
Datum ArrayState(uint64 count, i128 sum) {
  Datum elements[] = {Int64GetDatum(static_cast<int64>(count)), Int64GetDatum(static_cast<int64>(sum))};
  return PointerGetDatum(
      construct_array(elements, lengthof(elements), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

class Aggregation {
 public:
  // `plan` must outlive this, and `context` is its memory's.
  void Init(const AggregatePlan& plan, Relation index, Relation heap, Snapshot snapshot, MemoryContext context);
  void Free();

  // Begins anew, with these conditions.  `shared`: how far all processes have come that share
  // the range, or null if it is this one's.
  void Start(const ScanKeyData* keys, int count, am::ParallelPosition* shared);
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
  // The same of an attribute whose type is float4 or float8.
  struct WantedFloat {
    int attribute;
    bool is_float4;
    unsigned wanted;
  };

  // A group's totals; behind them those of each wanted column and of each float, and the
  // ordinals and classes of the first entry's grouping columns.
  struct Group {
    uint64 rows;
  };
  Group* GroupAt(uint32 i) const { return reinterpret_cast<Group*>(groups_ + i * group_bytes_); }
  Totals* TotalsOf(Group* group) const { return reinterpret_cast<Totals*>(group + 1); }
  FloatTotals* FloatsOf(Group* group) const { return reinterpret_cast<FloatTotals*>(TotalsOf(group) + columns_); }
  uint64* OrdinalsOf(Group* group) const { return reinterpret_cast<uint64*>(FloatsOf(group) + floats_); }
  uint64* ClassesOf(Group* group) const { return OrdinalsOf(group) + group_columns_; }

  // Where the walk over the leaves is, with the group that was begun: to come back to it.
  struct Place {
    bool begun;
    bool open;
    int range[INDEX_MAX_KEYS];
    tree::LeafWalk walk;
    Bound end;
  };

  void WantColumn(int column, unsigned wanted);
  void WantFloat(const Output& output);
  const Totals& TotalsOf(const Output& output) const;
  const FloatTotals& FloatsOf(const Output& output) const;
  Datum FloatValue(const Output& output, bool* isnull) const;

  void DoSegment();
  void Walk(uint32 most_leaves);
  void Save();
  void GoBack();
  bool TakeShare();
  bool NextLeaf();
  void Finish();
  void ReadLeaf();
  bool LookAtLeaf(const NodePage& page);
  void AddRuns(const NodePage& page, PageRange range, bool packed);
  void Open();
  void OpenAt(const NodePage& page, const PageRange& range);
  void Close();
  void AddPacked(const NodePage& page, const PageRange& run);
  void LayOutChunk();
  uint64 ColumnsToDecode() const;
  void AddDecoded(const NodePage& page, const PageRange& run);
  void AddInOrder(const NodePage& page, const PageRange& run);
  void AddChunk(const bool* visible);
  void AddBaseInOrder(const core::Node& node, uint32 begin, uint32 end);
  void AddFloatValues(const WantedFloat& wanted, const uint64* values, const uint64* classes, const uint64* residues,
                      uint32 n, FloatTotals* totals);
  // What finding all of the heap visible costs, in leaves.
  uint32 Worth() const { return 1 + visibility_.map_pages() / 4; }
  // Whether the entries that count are found when they are decoded, and not before.
  bool LooksAtChunks() const { return quals_.filter_columns() != 0 || floats_ > 0; }

  const AggregatePlan* plan_;
  Relation index_;
  am::Layout layout_;
  am::Quals quals_;
  tree::LeafWalk walk_;
  HeapVisibility visibility_;
  GroupStep step_;

  Wanted wanted_[INDEX_MAX_KEYS];
  int columns_;        // of wanted_
  int group_columns_;  // of the tree, in which the rows of a group agree
  // If there are any, entries are added in their order.
  WantedFloat float_[INDEX_MAX_KEYS];
  int floats_;

  // Finished groups, and behind them the one that is open.
  char* groups_;
  uint32 group_capacity_;
  Size group_bytes_;
  uint32 finished_;
  uint32 returned_;
  bool open_;
  Bound end_;  // of the open group

  am::ParallelPosition* shared_;
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
  core::Entries delta_;   // the delta's share of a merge
  // Of the entries of the leaf, from leaf_.base_begin and leaf_.delta_begin on.
  PageRange leaf_;
  bool visible_[core::kMaxEntries];
  bool delta_visible_[tree::kMaxDelta];
  core::Tid tid_[kChunk];
  // Of a float column: as stored, and as they are.
  uint64 values_[kChunk], classes_[kChunk], residues_[kChunk];
  float4 float4_[kChunkRoom];
  float8 float8_[kChunkRoom];

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
  columns_ = floats_ = 0;
  group_columns_ = layout_.KeyColumnsOf(plan.columns);
  for (int i = 0; i < plan.outputs; i++) {
    const Output& output = plan.output[i];
    if (IsFloatTotal(output)) {
      WantFloat(output);
      continue;
    }
    switch (output.kind) {
      case OutputKind::kGroupKey:
      case OutputKind::kCountRows:
        break;
      case OutputKind::kCount:
        WantColumn(layout_.ColumnOf(output.attribute), 0);
        break;
      case OutputKind::kSum:
      case OutputKind::kAverage:
        WantColumn(layout_.ColumnOf(output.attribute), core::kWantSum);
        break;
      case OutputKind::kLeast:
      case OutputKind::kGreatest:
        WantColumn(layout_.ColumnOf(output.attribute), core::kWantBounds);
        break;
    }
  }
  group_bytes_ = sizeof(Group) + static_cast<Size>(columns_) * sizeof(Totals) +
                 static_cast<Size>(floats_) * sizeof(FloatTotals) +
                 2 * static_cast<Size>(group_columns_) * sizeof(uint64);
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

void Aggregation::WantColumn(int column, unsigned wanted) {
  int i = 0;
  while (i < columns_ && wanted_[i].column != column) i++;
  if (i == columns_) wanted_[columns_++] = {column, 0};
  wanted_[i].wanted |= wanted;
}

void Aggregation::WantFloat(const Output& output) {
  int i = 0;
  while (i < floats_ && float_[i].attribute != output.attribute) i++;
  if (i == floats_) float_[floats_++] = {output.attribute, output.type == FLOAT4OID, 0};
  float_[i].wanted |= output.kind == OutputKind::kSum       ? kWantFloatSum
                      : output.kind == OutputKind::kAverage ? kWantFloatAverage
                      : output.kind == OutputKind::kLeast   ? kWantFloatLeast
                                                            : kWantFloatGreatest;
}

void Aggregation::Start(const ScanKeyData* keys, int count, am::ParallelPosition* shared) {
  am::FlushInserts(index_);
  quals_.Set(keys, count);
  shared_ = shared;
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
  if (shared_ != nullptr && (!begun_ || walk_.done()) && !TakeShare()) return Finish();

  // To know all of the heap for visible costs as much as some leaves.
  const uint32 worth = Worth();
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
      if (shared_ == nullptr) Finish();
      break;
    }
    ReadLeaf();
    leaves_since_start_++;
  }
  pgstat_count_index_tuples(index_, entries_ - entries);
}

// There are no more leaves.
void Aggregation::Finish() {
  ended_ = true;
  if (open_) Close();
}

// Takes the next leaves of those that the processes share; false if there are none.
bool Aggregation::TakeShare() {
  am::ParallelPosition::Place place;
  if (!shared_->Seize(&place)) return false;
  if (place.begun) {
    quals_.RestorePosition(place.range);
    quals_.CurrentRange(&low_, &high_);
    low_ = place.next;
  } else if (!quals_.First(&low_, &high_)) {
    shared_->Finish();
    return false;
  }
  place.begun = begun_ = true;
  // The share ends with the range, or before; the others go on there.
  Key key;
  Bound end;
  bool more = true;
  if (tree::KeyAhead(tree::Index{index_, layout_.shape}, low_, kShareLeaves * Worth(), &key) &&
      core::CompareBound(high_, key, layout_.shape) > 0) {
    core::SetBoundBefore(&high_, key, layout_.shape.key_columns);
    place.next = high_;
  } else {
    more = quals_.Next(&place.next, &end);
  }
  place.hint = InvalidBlockNumber;
  quals_.SavePosition(place.range);
  if (more)
    shared_->Release(place);
  else
    shared_->Finish();
  walk_.Begin(low_, high_);
  return true;
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
    if (shared_ != nullptr || quals_.empty() || !quals_.Next(&low_, &high_)) return false;
    walk_.Begin(low_, high_);
  }
  return true;
}

void Aggregation::ReadLeaf() {
  const PageRange range = leaf_ = walk_.range();
  const bool decoded = LooksAtChunks(), stepped = OidIsValid(plan_->step.function);
  leaves_++;
  entries_ += range.size();
  if (trust_ == Trust::kTrusted && !decoded && !stepped) {
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
    AddRuns(page, range, !decoded);
  } else {
    walk_.Unlock();
    AddRuns(page, range, !decoded && LookAtLeaf(page));
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
    else if (floats_ > 0)
      AddInOrder(page, run);
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
  for (int i = 0; i < floats_; i++) FloatsOf(group)[i] = FloatTotals{};
  open_ = true;
}

void Aggregation::Close() {
  finished_++;
  open_ = false;
}

// Opens the group of the first entry of the range.
void Aggregation::OpenAt(const NodePage& page, const PageRange& range) {
  Key key, other;
  if (range.base_begin < range.base_end) page.node().KeyAt(range.base_begin, nullptr, &key);
  if (range.delta_begin < range.delta_end) {
    page.DeltaKeyAt(range.delta_begin, &other);
    if (range.base_begin == range.base_end || core::CompareKeys(other, key, layout_.shape) < 0) key = other;
  }
  Open();
  const int columns = group_columns_;
  for (int c = 0; c < columns; c++) {
    OrdinalsOf(GroupAt(finished_))[c] = key.ordinal[c];
    ClassesOf(GroupAt(finished_))[c] = key.cls[c];
  }
  end_.key = key;
  end_.columns = columns;
  end_.with_tid = false;
  end_.tail = Bound::kAfter;
  if (!OidIsValid(plan_->step.function) || key.cls[columns - 1] != core::kValue) return;
  // All values of the step, a timestamp's, are of the group.
  const am::Attribute& column = layout_.attribute[plan_->columns - 1];
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

void Aggregation::LayOutChunk() {
  if (chunk_.tid != nullptr) return;
  const tree::Shape& shape = layout_.shape;
  const auto lay_out = [&](core::Entries* entries, uint32 capacity) {
    void* memory = MemoryContextAlloc(context_, core::EntriesBytes(capacity, shape, false));
    core::LayOutEntries(entries, memory, capacity, shape, false);
  };
  lay_out(&chunk_, kChunkRoom);
  lay_out(&delta_, tree::kMaxDelta);
}

uint64 Aggregation::ColumnsToDecode() const {
  uint64 columns = quals_.filter_columns();
  for (int i = 0; i < columns_; i++) columns |= UINT64CONST(1) << wanted_[i].column;
  for (int i = 0; i < floats_; i++) columns |= layout_.ColumnsOf(float_[i].attribute);
  return columns;
}

void Aggregation::AddDecoded(const NodePage& page, const PageRange& run) {
  LayOutChunk();
  const uint64 columns = ColumnsToDecode();
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

// The same where those of the delta must come in their places.
void Aggregation::AddInOrder(const NodePage& page, const PageRange& run) {
  LayOutChunk();
  const uint64 columns = ColumnsToDecode();
  const bool plain = trust_ == Trust::kTrusted && quals_.filter_columns() == 0;
  if (run.size() == 0) return;
  PageRange chunk = run;
  do {
    chunk.base_end = Min(chunk.base_begin + kChunk, run.base_end);
    chunk.delta_end = run.delta_end;
    if (chunk.base_end < run.base_end && chunk.delta_begin < run.delta_end) {
      Key next;
      Bound end;
      page.node().KeyAt(chunk.base_end, nullptr, &next);
      core::SetBoundBefore(&end, next, layout_.shape.key_columns);
      chunk.delta_end = Min(Max(page.DeltaLowerBound(end), chunk.delta_begin), run.delta_end);
    }
    if (plain && chunk.delta_begin == chunk.delta_end) {
      AddBaseInOrder(page.node(), chunk.base_begin, chunk.base_end);
    } else {
      if (chunk.delta_begin < chunk.delta_end)
        tree::MergeEntries(page, chunk.base_begin, chunk.base_end, chunk.delta_begin, chunk.delta_end, &delta_,
                           &chunk_);
      else
        page.node().Decode(chunk.base_begin, chunk.base_end, columns, &chunk_, 0);
      chunk_.count = chunk.size();
      AddChunk(nullptr);
    }
    chunk.base_begin = chunk.base_end;
    chunk.delta_begin = chunk.delta_end;
  } while (chunk.base_begin < run.base_end);
}

// Adds entries of the base, all of which count and none of the delta comes between.
void Aggregation::AddBaseInOrder(const core::Node& node, uint32 begin, uint32 end) {
  Group* group = GroupAt(finished_);
  group->rows += end - begin;
  for (int i = 0; i < columns_; i++)
    core::AddColumn(node, wanted_[i].column, begin, end, wanted_[i].wanted, &TotalsOf(group)[i]);
  for (int i = 0; i < floats_; i++) {
    const int attribute = float_[i].attribute, column = layout_.ColumnOf(attribute);
    const bool has_nulls = node.has_class_column(column);
    node.value_column(column).Decode(begin, end, values_);
    if (has_nulls) node.class_column(column).Decode(begin, end, classes_);
    if (attribute < layout_.key_attributes)
      node.value_column(layout_.attribute[attribute].residue).Decode(begin, end, residues_);
    AddFloatValues(float_[i], values_, has_nulls ? classes_ : nullptr, residues_, end - begin, &FloatsOf(group)[i]);
  }
}

// Adds those of the chunk's entries that match and lead to a visible row.  LookAtLeaf has found
// out which do, or else they are looked at here, those that match.
void Aggregation::AddChunk(const bool* visible) {
  if (quals_.filter_columns() != 0) core::KeepEntries(&chunk_, [&](uint32 i) { return quals_.Matches(chunk_, i); });
  if (trust_ != Trust::kTrusted) {
    bool all = false;
    if (LooksAtChunks()) {
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
  for (int i = 0; i < floats_; i++) {
    const int attribute = float_[i].attribute, column = layout_.ColumnOf(attribute);
    const int residue = attribute < layout_.key_attributes ? layout_.attribute[attribute].residue : column;
    AddFloatValues(float_[i], chunk_.value[column], chunk_.cls[column], chunk_.value[residue], chunk_.count,
                   &FloatsOf(group)[i]);
  }
}

// Adds values as they are stored, in their order.  `classes` is null if there are no NULLs.
void Aggregation::AddFloatValues(const WantedFloat& wanted, const uint64* values, const uint64* classes,
                                 const uint64* residues, uint32 n, FloatTotals* totals) {
  const auto add = [&](auto* floats, auto float_of) {
    uint32 count = 0;
    for (uint32 i = 0; i < n; i++)
      if (classes == nullptr || classes[i] == core::kValue) floats[count++] = float_of(i);
    AddFloats(floats, count, wanted.wanted, totals);
  };
  if (wanted.attribute < layout_.key_attributes) {
    const am::Attribute& key = layout_.attribute[wanted.attribute];
    const auto ordinal = [&](uint32 i) { return core::FloatOrdinal{key.Stored(values[i]), residues[i]}; };
    if (wanted.is_float4)
      add(float4_, [&](uint32 i) { return core::FloatFromOrdinal(ordinal(i)); });
    else
      add(float8_, [&](uint32 i) { return core::DoubleFromOrdinal(ordinal(i)); });
  } else if (wanted.is_float4) {
    // An included column has the bytes of the float itself.
    add(float4_, [&](uint32 i) { return DatumGetFloat4(static_cast<Datum>(values[i])); });
  } else {
    add(float8_, [&](uint32 i) { return DatumGetFloat8(static_cast<Datum>(values[i])); });
  }
}

// ---- Results ----

const Totals& Aggregation::TotalsOf(const Output& output) const {
  int i = 0;
  while (wanted_[i].column != layout_.ColumnOf(output.attribute)) i++;
  return TotalsOf(GroupAt(returned_ - 1))[i];
}

const FloatTotals& Aggregation::FloatsOf(const Output& output) const {
  int i = 0;
  while (float_[i].attribute != output.attribute) i++;
  return FloatsOf(GroupAt(returned_ - 1))[i];
}

// Now that the group's rows are known to be visible, an overflow is an error.
Datum Aggregation::FloatValue(const Output& output, bool* isnull) const {
  const FloatTotals& totals = FloatsOf(output);
  *isnull = totals.count == 0;
  if (*isnull) return 0;
  float8 value = totals.sum;
  switch (output.kind) {
    case OutputKind::kAverage:
      if (totals.average_overflows) float_overflow_error();
      return Float8GetDatum(totals.plain / static_cast<float8>(totals.count));
    case OutputKind::kLeast:
      value = totals.least;
      break;
    case OutputKind::kGreatest:
      value = totals.greatest;
      break;
    default:
      if (totals.sum_overflows) float_overflow_error();
      break;
  }
  return output.type == FLOAT4OID ? Float4GetDatum(static_cast<float4>(value)) : Float8GetDatum(value);
}

Datum Aggregation::Value(const Output& output, bool* isnull) const {
  *isnull = false;
  if (IsFloatTotal(output)) return FloatValue(output, isnull);
  Group* group = GroupAt(returned_ - 1);
  if (output.kind == OutputKind::kCountRows) return Int64GetDatum(static_cast<int64>(group->rows));
  const am::Attribute& attribute = layout_.attribute[output.attribute];
  if (output.kind == OutputKind::kGroupKey) {
    const uint64* stored = OrdinalsOf(group) + attribute.column;
    *isnull = ClassesOf(group)[attribute.column] != core::kValue;
    if (*isnull) return 0;
    const am::Ordinal ordinal = {{attribute.Stored(stored[0]), attribute.words > 1 ? attribute.Stored(stored[1]) : 0},
                                 0};
    auto* room = am::IsByReference(attribute.type) ? static_cast<am::ReferenceRoom*>(palloc(sizeof(am::ReferenceRoom)))
                                                   : nullptr;
    return am::DecodeDatum(attribute, ordinal, room);
  }
  const Totals& totals = TotalsOf(output);
  if (output.kind == OutputKind::kCount) return Int64GetDatum(static_cast<int64>(totals.count));
  const bool array = plan_->partial && output.kind == OutputKind::kAverage && output.type != INT8OID;
  if (totals.count == 0 && !array) {
    *isnull = true;
    return 0;
  }
  // Of types of one word only.
  const bool descending = attribute.descending;
  const auto datum = [&](uint64 stored) { return am::DatumOfOrdinal(attribute.type, {attribute.Stored(stored), 0}); };
  if (output.kind == OutputKind::kLeast) return datum(descending ? totals.greatest : totals.least);
  if (output.kind == OutputKind::kGreatest) return datum(descending ? totals.least : totals.greatest);
  // A stored value is the integer above the type's least one, or that's complement.
  i128 sum = static_cast<i128>(totals.sum);
  const i128 count = static_cast<i128>(totals.count);
  if (descending) sum = count * static_cast<i128>(PG_UINT64_MAX) - sum;
  sum -= count * static_cast<i128>(am::SignBit(attribute.type));
  if (array) return ArrayState(totals.count, sum);
  if (plan_->partial && output.type == INT8OID) return SerializedState(totals.count, sum);
  if (output.kind == OutputKind::kAverage)
    return DirectFunctionCall2(numeric_div, NumericGetDatum(NumericOf(sum)),
                               NumericGetDatum(int64_to_numeric(static_cast<int64>(totals.count))));
  return output.type == INT8OID ? NumericGetDatum(NumericOf(sum)) : Int64GetDatum(static_cast<int64>(sum));
}

// ---- The executor's node ----

// For EXPLAIN.
struct Counts {
  uint64 leaves, entries, heap_fetches;
};

// In shared memory, of the processes that share a range.
struct SharedState {
  am::ParallelPosition position;
  // Of workers that are done.
  pg_atomic_uint64 leaves, entries, heap_fetches;
};

struct AggregateState {
  CustomScanState css;
  AggregatePlan* plan;
  IndexConditions conditions;
  Aggregation* aggregation;
  bool evaluated;
  bool started;
  SharedState* shared;  // null: there are no other processes
  Counts of_workers;
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
  state.aggregation->Start(conditions.keys(), conditions.key_count(),
                           state.shared != nullptr ? &state.shared->position : nullptr);
  state.started = true;
}

TupleTableSlot* Exec(AggregateState& state) {
  if (!state.started) Start(state);
  PlanState& node = state.css.ss.ps;
  ExprContext* context = node.ps_ExprContext;
  TupleTableSlot* slot = state.css.ss.ss_ScanTupleSlot;
  for (;;) {
    ExecClearTuple(slot);
    if (!state.aggregation->Next()) return slot;
    ResetExprContext(context);
    const MemoryContext old_context = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
    for (int i = 0; i < state.plan->outputs; i++)
      slot->tts_values[i] = state.aggregation->Value(state.plan->output[i], &slot->tts_isnull[i]);
    MemoryContextSwitchTo(old_context);
    ExecStoreVirtualTuple(slot);
    context->ecxt_scantuple = slot;
    // The condition of HAVING.
    if (ExecQual(node.qual, context)) break;
    InstrCountFiltered1(&node, 1);
  }
  return node.ps_ProjInfo == nullptr ? slot : ExecProject(node.ps_ProjInfo);
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

Counts CountsOf(const AggregateState& state) {
  const Aggregation* aggregation = state.aggregation;
  return aggregation == nullptr ? Counts{}
                                : Counts{aggregation->leaves(), aggregation->entries(), aggregation->heap_fetches()};
}

// ---- Several processes ----

void InitializeShared(AggregateState& state, void* memory) {
  state.shared = new (memory) SharedState;
  state.shared->position.Init();
  pg_atomic_init_u64(&state.shared->leaves, 0);
  pg_atomic_init_u64(&state.shared->entries, 0);
  pg_atomic_init_u64(&state.shared->heap_fetches, 0);
}

// Before the shared memory goes.  A worker does this before the leader knows it is done.
void Shutdown(AggregateState& state) {
  SharedState* shared = state.shared;
  if (shared == nullptr) return;
  state.shared = nullptr;
  if (IsParallelWorker()) {
    const Counts counts = CountsOf(state);
    pg_atomic_fetch_add_u64(&shared->leaves, static_cast<int64>(counts.leaves));
    pg_atomic_fetch_add_u64(&shared->entries, static_cast<int64>(counts.entries));
    pg_atomic_fetch_add_u64(&shared->heap_fetches, static_cast<int64>(counts.heap_fetches));
  } else {
    state.of_workers.leaves += pg_atomic_read_u64(&shared->leaves);
    state.of_workers.entries += pg_atomic_read_u64(&shared->entries);
    state.of_workers.heap_fetches += pg_atomic_read_u64(&shared->heap_fetches);
  }
}

// ---- EXPLAIN ----

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
  const Counts counts = CountsOf(state), &of_workers = state.of_workers;
  const auto show = [&](const char* label, uint64 number) {
    ExplainPropertyInteger(label, nullptr, static_cast<int64>(number), es);
  };
  show("Leaves", counts.leaves + of_workers.leaves);
  show("Entries", counts.entries + of_workers.entries);
  show("Heap Fetches", counts.heap_fetches + of_workers.heap_fetches);
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

Size omendb_estimate_aggregate_dsm(CustomScanState*, ParallelContext*) { return sizeof(SharedState); }

void omendb_initialize_aggregate_dsm(CustomScanState* node, ParallelContext*, void* memory) {
  pg::Guarded([&] { InitializeShared(StateOf(node), memory); });
}

void omendb_reinitialize_aggregate_dsm(CustomScanState* node, ParallelContext*, void* memory) {
  StateOf(node).shared = static_cast<SharedState*>(memory);
  StateOf(node).shared->position.Reset();
}

void omendb_initialize_aggregate_worker(CustomScanState* node, shm_toc*, void* memory) {
  StateOf(node).shared = static_cast<SharedState*>(memory);
}

void omendb_shutdown_aggregate(CustomScanState* node) {
  pg::Guarded([&] { Shutdown(StateOf(node)); });
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
  methods.EstimateDSMCustomScan = omendb_estimate_aggregate_dsm;
  methods.InitializeDSMCustomScan = omendb_initialize_aggregate_dsm;
  methods.ReInitializeDSMCustomScan = omendb_reinitialize_aggregate_dsm;
  methods.InitializeWorkerCustomScan = omendb_initialize_aggregate_worker;
  methods.ShutdownCustomScan = omendb_shutdown_aggregate;
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
