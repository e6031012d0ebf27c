#include <algorithm>
#include <new>
#include <type_traits>

#include "am/layout.h"
#include "tree/lookup.h"

#include "am/insert_buffer.h"
#include "am/quals.h"
#include "exec/heap_rows.h"
#include "exec/explain.h"
#include "exec/lookup_join.h"
#include "exec/row_columns.h"
#include "pg/guard.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
}

namespace omendb::exec {

namespace {

// Entries of a key that a semijoin or antijoin reads at first: the first that is visible
// usually decides.
constexpr uint32 kFirstMatches = 2;

// A value that a key column must be equal to.
struct KeyValue {
  Oid type;
  int outer_column;  // of which it is, or -1
  ExprState* expr;   // otherwise
};

// Rows of the table, of the entries of one Lookup: fetched as they are asked for, in the
// order of entries, but many at a time.
class InnerRows {
 public:
  void Init(Relation heap, PlanState* node, bool index_only, MemoryContext context) {
    heap_ = heap;
    node_ = node;
    snapshot_ = node->state->es_snapshot;
    index_only_ = index_only;
    rows_.Init(heap, snapshot_, context);
    tids_ = nullptr;
    if (index_only) {
      tids_ = static_cast<core::Tid*>(MemoryContextAlloc(context, tree::Lookup::kCapacity * sizeof *tids_));
      rank_ = static_cast<uint32*>(MemoryContextAlloc(context, tree::Lookup::kCapacity * sizeof *rank_));
    }
  }
  void Free() {
    rows_.Free();
    if (tids_ != nullptr) {
      pfree(tids_);
      pfree(rank_);
    }
  }

  // The lookup has read other entries.
  void Take(const tree::Lookup& lookup) {
    lookup_ = &lookup;
    begin_ = end_ = 0;
    const core::Entries& entries = lookup.entries();
    count_ = entries.count;
    if (!index_only_) return;
    count_ = 0;
    for (uint32 i = 0; i < entries.count; i++) {
      rank_[i] = count_;
      if (!lookup.is_all_visible(i)) tids_[count_++] = entries.tid[i];
    }
  }

  // Whether the snapshot sees the row of an entry; and the row, unless the index will do.
  bool IsVisible(uint32 entry, HeapTuple* row) {
    if (index_only_ && lookup_->is_all_visible(entry)) {
      // As if the row had been read.
      PredicateLockPage(heap_, static_cast<BlockNumber>(core::TidBlock(lookup_->entries().tid[entry])), snapshot_);
      return true;
    }
    const core::Tid* tids = index_only_ ? tids_ : lookup_->entries().tid;
    const uint32 i = index_only_ ? rank_[entry] : entry;
    if (i >= end_) {
      begin_ = i;
      end_ = i + rows_.Fetch(tids + i, count_ - i);
      InstrCountTuples2(node_, end_ - begin_);
    }
    *row = rows_.Row(i - begin_);
    return *row != nullptr;
  }

  // Of an entry whose row the snapshot does not see: whether nobody does.
  bool IsDead(uint32 entry) const { return rows_.IsDead((index_only_ ? rank_[entry] : entry) - begin_); }

  uint64 prefetched() const { return rows_.prefetched(); }

 private:
  Relation heap_;
  PlanState* node_;
  Snapshot snapshot_;
  bool index_only_;
  HeapRows rows_;
  const tree::Lookup* lookup_;
  // Of an index-only join: the TIDs of rows that have to be looked at, and how many of
  // them come before that of an entry.
  core::Tid* tids_;
  uint32* rank_;
  uint32 count_;        // of TIDs
  uint32 begin_, end_;  // those whose rows are in rows_
};

class LookupJoin {
 public:
  void Begin(CustomScanState* node, EState* estate, int eflags);
  TupleTableSlot* Next();
  void Rescan();
  void End();
  void Explain(List* ancestors, ExplainState* es) const;

 private:
  // Of a batch, and as many as there is room for at first.
  static constexpr uint32 kMostRows = tree::Lookup::kManyKeys;
  static constexpr uint32 kFewRows = 16;
  // Where most of them are looked up in segments: with those of a leaf together it is read, and decompressed, once a
  // batch, and the more there are the more they have in common.
  static constexpr uint32 kMostColdRows = 64 * kMostRows;
  static constexpr uint32 kNoKey = PG_UINT32_MAX;

  const CustomScan& plan() const { return *castNode(CustomScan, node_->ss.ps.plan); }
  PlanState* outer() const { return static_cast<PlanState*>(linitial(node_->custom_ps)); }

  void BeginInner();
  void ReserveRows(uint32 rows);
  tree::LookupMode ModeOf(uint32 most) const;
  bool NextBatch();
  uint32 MostColdRows() const;
  void SortRows();
  bool StoreRow(TupleTableSlot* slot, uint32 row);
  bool MakeKey(uint32 row, uint64* key);
  void NextEntries();
  bool NextRow();
  void ShowOuter(uint32 row);
  bool Matches(InnerRows* rows, const tree::Lookup& lookup, uint32 entry);
  void FormValues(const core::Entries& entries, uint32 entry, Datum* values, bool* nulls);
  void TellDead();
  bool NextEntriesOfRow();
  bool MatchesMore();
  void ResetSlot();
  void HideInner();
  TupleTableSlot* Emit();

  CustomScanState* node_;
  Relation heap_, index_;
  am::Layout layout_;
  JoinType type_;
  bool single_match_;
  bool keeps_order_;
  bool index_only_;
  int outer_columns_;
  int inner_columns_;           // that are needed
  AttrNumber* attribute_;       // of the table, or of the index
  RowColumns columns_;          // of the table
  am::ReferenceRoom* room_;     // of each
  MemoryContext inner_values_;  // of bytes columns of the current entry; null if there are none
  // Of such a column, the value made last and the word that it was made of: entries of a key
  // have the same ones, as a rule.  Only while has_formed_, as words are addresses.
  struct Formed {
    uint64 word;
    Datum value;
  };
  Formed* formed_;
  bool has_formed_;
  int key_attributes_;  // whose values are looked for
  int key_columns_;     // of the tree, that they take
  KeyValue* key_value_;
  ExprState* filter_;
  MemoryContext context_;        // of the node
  MemoryContext batch_context_;  // values of the batch's rows that are not in the arrays
  bool begun_;
  tree::Lookup lookup_;
  InnerRows rows_;
  // For the key that has more entries than a semijoin read at first; when there is one.
  tree::Lookup* more_lookup_;
  InnerRows* more_rows_;

  // A row of a batch that is sorted.
  struct Turn {
    uint64 place;
    uint32 row;
  };

  // The batch.
  uint32 batch_size_;  // of the next
  bool outer_done_;
  uint32 row_capacity_, row_count_;
  Datum* values_;  // row by row
  bool* nulls_;
  bool* by_value_;  // by column
  int16* length_;
  uint64* keys_;  // key by key
  uint32* key_of_row_;
  uint32 key_count_;

  // The current row and where in its entries we are.
  uint32 row_;
  uint32 key_;
  uint32 entry_, entry_end_;
  bool row_begun_;
  bool matched_;
  // TIDs of its entries that are dead to everybody, as far as there is room.
  static constexpr uint32 kMostDead = 64;
  bool may_kill_;
  core::Tid dead_[kMostDead];
  uint32 dead_count_;

  uint64 batches_;
};

static_assert(std::is_trivially_destructible_v<LookupJoin>);

struct LookupJoinState {
  CustomScanState node;
  LookupJoin* join;
};

void LookupJoin::Begin(CustomScanState* node, EState* estate, int eflags) {
  node_ = node;
  begun_ = false;
  context_ = CurrentMemoryContext;
  index_ = nullptr;
  node->custom_ps = list_make1(
      ExecInitNode(const_cast<Plan*>(OuterPlanOf(plan())), estate, eflags & ~EXEC_FLAG_BACKWARD & ~EXEC_FLAG_MARK));

  const List* numbers = static_cast<List*>(linitial(plan().custom_private));
  type_ = static_cast<JoinType>(list_nth_int(numbers, kJoinType));
  single_match_ = list_nth_int(numbers, kSingleMatch) != 0;
  keeps_order_ = list_nth_int(numbers, kKeepsOrder) != 0;
  Plan* index_plan = IndexPlanOf(plan());
  index_only_ = IsA(index_plan, IndexOnlyScan);

  const TupleDesc outer_desc = ExecGetResultType(outer());
  outer_columns_ = outer_desc->natts;
  by_value_ = static_cast<bool*>(palloc(static_cast<Size>(Max(outer_columns_, 1)) * sizeof *by_value_));
  length_ = static_cast<int16*>(palloc(static_cast<Size>(Max(outer_columns_, 1)) * sizeof *length_));
  for (int c = 0; c < outer_columns_; c++) {
    by_value_[c] = TupleDescAttr(outer_desc, c)->attbyval;
    length_[c] = TupleDescAttr(outer_desc, c)->attlen;
  }

  const List* attributes = static_cast<List*>(lsecond(plan().custom_private));
  inner_columns_ = list_length(attributes);
  attribute_ = static_cast<AttrNumber*>(palloc(static_cast<Size>(Max(inner_columns_, 1)) * sizeof *attribute_));
  for (int c = 0; c < inner_columns_; c++) attribute_[c] = static_cast<AttrNumber>(list_nth_int(attributes, c));

  List* values = static_cast<List*>(lsecond(plan().custom_exprs));
  const List* types = static_cast<List*>(lthird(plan().custom_private));
  key_attributes_ = list_length(values);
  key_value_ = static_cast<KeyValue*>(palloc(static_cast<Size>(key_attributes_) * sizeof *key_value_));
  for (int k = 0; k < key_attributes_; k++) {
    Expr* value = static_cast<Expr*>(list_nth(values, k));
    key_value_[k] = {list_nth_oid(types, k), -1, nullptr};
    if (IsA(value, Var) && castNode(Var, value)->varno == INDEX_VAR)
      key_value_[k].outer_column = castNode(Var, value)->varattno - 1;
    else
      key_value_[k].expr = ExecInitExpr(value, &node->ss.ps);
  }
  filter_ = ExecInitQual(static_cast<List*>(lthird(plan().custom_exprs)), &node->ss.ps);

  const Index table = TableOf(plan());
  heap_ = ExecOpenScanRelation(estate, table, eflags);
  if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0) return;
  index_ = index_open(IndexOf(plan()), exec_rt_fetch(table, estate)->rellockmode);
}

// Before the first row: what a plan that is never run needs not have.
void LookupJoin::BeginInner() {
  const MemoryContext old_context = MemoryContextSwitchTo(context_);
  batch_context_ = AllocSetContextCreate(context_, "omendb lookup join", ALLOCSET_DEFAULT_SIZES);
  am::MakeLayout(index_, &layout_);
  key_columns_ = layout_.KeyColumnsOf(key_attributes_);
  inner_values_ = nullptr;
  if (layout_.shape.bytes_columns != 0)
    inner_values_ = AllocSetContextCreate(context_, "omendb inner values", ALLOCSET_DEFAULT_SIZES);
  room_ = static_cast<am::ReferenceRoom*>(palloc(static_cast<Size>(Max(inner_columns_, 1)) * sizeof *room_));
  formed_ = static_cast<Formed*>(palloc(static_cast<Size>(Max(inner_columns_, 1)) * sizeof *formed_));
  has_formed_ = false;
  lookup_.Init(tree::Index{index_, layout_.shape}, context_);
  rows_.Init(heap_, &node_->ss.ps, index_only_, context_);
  if (!index_only_) columns_.Init(RelationGetDescr(heap_), attribute_, inner_columns_, node_->ss.ps.state);
  more_lookup_ = nullptr;
  may_kill_ = !TransactionStartedDuringRecovery();
  dead_count_ = 0;
  lookup_.Begin(ModeOf(type_ == JOIN_SEMI || type_ == JOIN_ANTI ? kFirstMatches : 0));
  row_capacity_ = 0;
  ReserveRows(kFewRows);
  MemoryContextSwitchTo(old_context);
  batches_ = 0;
  begun_ = true;
  ResetSlot();
  Rescan();
}

void LookupJoin::ReserveRows(uint32 rows) {
  if (row_capacity_ > 0) {
    pfree(values_);
    pfree(nulls_);
    pfree(keys_);
    pfree(key_of_row_);
  }
  row_capacity_ = rows;
  const Size columns = static_cast<Size>(Max(outer_columns_, 1));
  values_ = static_cast<Datum*>(MemoryContextAlloc(context_, rows * columns * sizeof *values_));
  nulls_ = static_cast<bool*>(MemoryContextAlloc(context_, rows * columns * sizeof *nulls_));
  keys_ = static_cast<uint64*>(MemoryContextAlloc(context_, rows * static_cast<Size>(key_columns_) * sizeof *keys_));
  key_of_row_ = static_cast<uint32*>(MemoryContextAlloc(context_, rows * sizeof *key_of_row_));
}

tree::LookupMode LookupJoin::ModeOf(uint32 most) const {
  tree::LookupMode mode;
  mode.snapshot = node_->ss.ps.state->es_snapshot;
  mode.columns = key_columns_;
  mode.wanted = 0;
  mode.heap = index_only_ ? heap_ : nullptr;
  for (int c = 0; c < inner_columns_ && index_only_; c++) {
    const int a = attribute_[c] - 1;
    mode.wanted |= layout_.ColumnsOf(a);
  }
  mode.skip_killed = may_kill_;
  mode.most = most;
  return mode;
}

void LookupJoin::Rescan() {
  if (!begun_) return;
  batch_size_ = 1;
  outer_done_ = false;
  row_count_ = row_ = key_count_ = 0;
  row_begun_ = false;
  entry_ = entry_end_ = 0;
  MemoryContextReset(batch_context_);
  lookup_.Start(nullptr, 0);
  am::FlushInserts(index_);
}

void LookupJoin::End() {
  ExecEndNode(outer());
  if (begun_) {
    lookup_.Free();
    rows_.Free();
    if (more_lookup_ != nullptr) {
      more_lookup_->Free();
      more_rows_->Free();
    }
    MemoryContextDelete(batch_context_);
  }
  if (index_ != nullptr) index_close(index_, NoLock);
}

bool LookupJoin::StoreRow(TupleTableSlot* slot, uint32 row) {
  slot_getallattrs(slot);
  Datum* values = values_ + row * static_cast<Size>(outer_columns_);
  bool* nulls = nulls_ + row * static_cast<Size>(outer_columns_);
  bool copied = false;
  for (int c = 0; c < outer_columns_; c++) {
    nulls[c] = slot->tts_isnull[c];
    values[c] = slot->tts_values[c];
    if (by_value_[c] || nulls[c]) continue;
    const MemoryContext old_context = MemoryContextSwitchTo(batch_context_);
    values[c] = datumCopy(values[c], false, length_[c]);
    MemoryContextSwitchTo(old_context);
    copied = true;
  }
  return copied;
}

// The stored ordinals that entries must have for a row of the outer side; false if none can.
bool LookupJoin::MakeKey(uint32 row, uint64* key) {
  const Datum* values = values_ + row * static_cast<Size>(outer_columns_);
  const bool* nulls = nulls_ + row * static_cast<Size>(outer_columns_);
  bool shown = false;
  for (int k = 0; k < key_attributes_; k++) {
    Datum value;
    bool isnull;
    if (key_value_[k].outer_column >= 0) {
      value = values[key_value_[k].outer_column];
      isnull = nulls[key_value_[k].outer_column];
    } else {
      ExprContext* context = node_->ss.ps.ps_ExprContext;
      if (!shown) ResetExprContext(context);
      if (!shown) ShowOuter(row);
      shown = true;
      value = ExecEvalExprSwitchContext(key_value_[k].expr, context, &isnull);
    }
    if (isnull) return false;
    const am::Attribute& attribute = layout_.attribute[k];
    am::Value stored;
    if (!am::EqualPoint(attribute, key_value_[k].type, value, &stored)) return false;
    for (int w = 0; w < attribute.words; w++) *key++ = stored.word[w];
  }
  return true;
}

// As far as their arrays fit into work_mem.
uint32 LookupJoin::MostColdRows() const {
  const Size columns = static_cast<Size>(outer_columns_), key_columns = static_cast<Size>(key_columns_);
  const Size bytes = columns * (sizeof(Datum) + sizeof(bool)) + 2 * (key_columns * sizeof(uint64) + sizeof(uint32)) +
                     sizeof(uint64) + sizeof(Turn) + tree::Lookup::kBytesPerKey;
  const Size rows = static_cast<Size>(work_mem) * 1024 / bytes;
  return static_cast<uint32>(Max(Min(rows, Size{kMostColdRows}), Size{kMostRows}));
}

// Puts the rows in the order of where they are looked up; forwards, then backwards in the next batch, which begins with
// the leaves that were read last.
void LookupJoin::SortRows() {
  const MemoryContext old_context = MemoryContextSwitchTo(batch_context_);
  uint64* const places = static_cast<uint64*>(palloc(row_count_ * sizeof(uint64)));
  Turn* const turns = static_cast<Turn*>(palloc(row_count_ * sizeof(Turn)));
  lookup_.FindPlaces(keys_, key_count_, places);
  const uint64 backwards = batches_ % 2 == 0 ? 0 : PG_UINT64_MAX;
  for (uint32 row = 0; row < row_count_; row++)
    turns[row] = {key_of_row_[row] == kNoKey ? PG_UINT64_MAX : places[key_of_row_[row]] ^ backwards, row};
  std::sort(turns, turns + row_count_,
            [](const Turn& a, const Turn& b) { return a.place != b.place ? a.place < b.place : a.row < b.row; });

  const Size key_columns = static_cast<Size>(key_columns_), key_bytes = key_columns * sizeof *keys_;
  uint64* const keys = static_cast<uint64*>(palloc(Max(key_count_ * key_bytes, 1)));
  uint32* const key_of_row = static_cast<uint32*>(palloc(row_count_ * sizeof *key_of_row_));
  uint32 key = 0;
  for (uint32 row = 0; row < row_count_; row++) {
    const uint32 from = key_of_row_[turns[row].row];
    key_of_row[row] = from == kNoKey ? kNoKey : key;
    if (from != kNoKey) memcpy(keys + key++ * key_columns, keys_ + from * key_columns, key_bytes);
  }
  memcpy(keys_, keys, key_count_ * key_bytes);
  memcpy(key_of_row_, key_of_row, row_count_ * sizeof *key_of_row_);

  // Of each cycle, the first row makes room for the others.
  const Size columns = static_cast<Size>(outer_columns_);
  Datum* const values = static_cast<Datum*>(palloc(Max(columns, 1) * sizeof *values_));
  bool* const nulls = static_cast<bool*>(palloc(Max(columns, 1) * sizeof *nulls_));
  const auto move = [columns](Datum* to_values, bool* to_nulls, const Datum* from_values, const bool* from_nulls) {
    memcpy(to_values, from_values, columns * sizeof *to_values);
    memcpy(to_nulls, from_nulls, columns * sizeof *to_nulls);
  };
  for (uint32 first = 0; first < row_count_; first++) {
    if (turns[first].row == first) continue;
    move(values, nulls, values_ + first * columns, nulls_ + first * columns);
    uint32 row = first;
    for (;;) {
      const uint32 from = turns[row].row;
      turns[row].row = row;
      if (from == first) break;
      move(values_ + row * columns, nulls_ + row * columns, values_ + from * columns, nulls_ + from * columns);
      row = from;
    }
    move(values_ + row * columns, nulls_ + row * columns, values, nulls);
  }
  MemoryContextSwitchTo(old_context);
}

// Takes the next rows of the outer side; false if there are none.
bool LookupJoin::NextBatch() {
  if (outer_done_) return false;
  MemoryContextReset(batch_context_);
  const bool is_cold = !keeps_order_ && lookup_.cold_keys() > key_count_ / 4;
  const uint32 most = is_cold ? MostColdRows() : kMostRows;
  batch_size_ = Min(batch_size_, most);
  if (batch_size_ > row_capacity_) ReserveRows(Max(batch_size_, kMostRows));
  const Size limit = static_cast<Size>(work_mem) * 1024;
  row_count_ = key_count_ = 0;
  while (row_count_ < batch_size_) {
    TupleTableSlot* slot = ExecProcNode(outer());
    if (TupIsNull(slot)) {
      outer_done_ = true;
      break;
    }
    const uint32 row = row_count_++;
    if (StoreRow(slot, row) && MemoryContextMemAllocated(batch_context_, false) > limit) break;
  }
  for (uint32 row = 0; row < row_count_; row++) {
    CHECK_FOR_INTERRUPTS();
    // (Values of bytes columns stay as long as the batch.)
    const MemoryContext old_context = MemoryContextSwitchTo(batch_context_);
    const bool has_key = MakeKey(row, keys_ + key_count_ * static_cast<Size>(key_columns_));
    MemoryContextSwitchTo(old_context);
    key_of_row_[row] = has_key ? key_count_++ : kNoKey;
  }
  if (batch_size_ < most) batch_size_ *= is_cold ? 4 : 2;
  if (row_count_ == 0) return false;
  if (is_cold) SortRows();
  batches_++;
  lookup_.Start(keys_, key_count_);
  row_ = 0;
  row_begun_ = false;
  for (uint32 key = 0; key < key_count_; key++) pgstat_count_index_scan(index_);
  return true;
}

// Reads the entries of the next keys.
void LookupJoin::NextEntries() {
  lookup_.Read();
  has_formed_ = false;
  rows_.Take(lookup_);
  pgstat_count_index_tuples(index_, lookup_.entries().count);
}

// Puts a row of the batch where joined rows are evaluated.  What stands beside it there, if
// anything, belongs to the row before.
void LookupJoin::ShowOuter(uint32 row) {
  TupleTableSlot* slot = node_->ss.ss_ScanTupleSlot;
  const Size first = row * static_cast<Size>(outer_columns_);
  for (int c = 0; c < outer_columns_; c++) {
    slot->tts_values[c] = values_[first + static_cast<Size>(c)];
    slot->tts_isnull[c] = nulls_[first + static_cast<Size>(c)];
  }
}

// Joined rows are written to the slot without telling it so, unless somebody else sees it.
void LookupJoin::ResetSlot() {
  TupleTableSlot* slot = node_->ss.ss_ScanTupleSlot;
  ExecClearTuple(slot);
  HideInner();
  ExecStoreVirtualTuple(slot);
  node_->ss.ps.ps_ExprContext->ecxt_scantuple = slot;
}

void LookupJoin::HideInner() {
  TupleTableSlot* slot = node_->ss.ss_ScanTupleSlot;
  for (int c = outer_columns_; c < slot->tts_tupleDescriptor->natts; c++) slot->tts_isnull[c] = true;
}

// The inner columns of an entry, by the index only.
void LookupJoin::FormValues(const core::Entries& entries, uint32 entry, Datum* values, bool* nulls) {
  const auto is_bytes = [this](int c) { return layout_.attribute[attribute_[c] - 1].is_bytes(); };
  const auto word_of = [&](int c) {
    const int column = layout_.ColumnOf(attribute_[c] - 1);
    return entries.cls[column][entry] == core::kValue ? entries.value[column][entry] : 0;
  };
  const MemoryContext old_context = CurrentMemoryContext;
  bool same = false;
  if (inner_values_ != nullptr) {
    same = has_formed_;
    for (int c = 0; c < inner_columns_ && same; c++) same = !is_bytes(c) || formed_[c].word == word_of(c);
    if (!same) MemoryContextReset(inner_values_);
    MemoryContextSwitchTo(inner_values_);
  }
  for (int c = 0; c < inner_columns_; c++) {
    if (same && is_bytes(c)) {
      nulls[c] = formed_[c].word == 0;
      values[c] = formed_[c].value;
      continue;
    }
    values[c] = am::AttributeOf(layout_, entries, entry, attribute_[c] - 1, &nulls[c], &room_[c]);
    if (is_bytes(c)) formed_[c] = {word_of(c), values[c]};
  }
  has_formed_ = true;
  MemoryContextSwitchTo(old_context);
}

// Whether an entry is of a row that joins with the current one, whose columns then are beside its.
bool LookupJoin::Matches(InnerRows* rows, const tree::Lookup& lookup, uint32 entry) {
  HeapTuple row = nullptr;
  if (!rows->IsVisible(entry, &row)) {
    if (rows == &rows_ && may_kill_ && dead_count_ < kMostDead && rows->IsDead(entry))
      dead_[dead_count_++] = lookup.entries().tid[entry];
    return false;
  }
  TupleTableSlot* slot = node_->ss.ss_ScanTupleSlot;
  Datum* values = slot->tts_values + outer_columns_;
  bool* nulls = slot->tts_isnull + outer_columns_;
  if (index_only_) {
    FormValues(lookup.entries(), entry, values, nulls);
  } else {
    pgstat_count_heap_fetch(index_);
    columns_.Get(row, values, nulls);
  }
  if (filter_ == nullptr) return true;
  CHECK_FOR_INTERRUPTS();
  ExprContext* context = node_->ss.ps.ps_ExprContext;
  ResetExprContext(context);
  if (ExecQual(filter_, context)) return true;
  InstrCountFiltered2(&node_->ss.ps, 1);
  return false;
}

// Begins with the next row of the outer side; false if there is none.
bool LookupJoin::NextRow() {
  if (row_ + 1 < row_count_)
    row_++;
  else if (!NextBatch())
    return false;
  row_begun_ = true;
  dead_count_ = 0;
  matched_ = false;
  key_ = key_of_row_[row_];
  entry_ = entry_end_ = 0;
  if (key_ != kNoKey) {
    // More than once where the row before had entries that nobody asked for.
    while (key_ >= lookup_.end_key()) NextEntries();
    entry_ = lookup_.begin_of(key_);
    entry_end_ = lookup_.end_of(key_);
  }
  ShowOuter(row_);
  return true;
}

// Tells the index which of the current row's entries lead to nothing.
void LookupJoin::TellDead() {
  if (likely(dead_count_ == 0)) return;
  lookup_.Kill(key_, dead_, dead_count_);
  dead_count_ = 0;
}

// To further entries of the current row's key; false if there are none.
bool LookupJoin::NextEntriesOfRow() {
  if (key_ == kNoKey || !lookup_.continues() || key_ + 1 != lookup_.end_key() || (single_match_ && matched_))
    return false;
  NextEntries();
  entry_ = lookup_.begin_of(key_);
  entry_end_ = lookup_.end_of(key_);
  return true;
}

// Of a semijoin or antijoin: whether there is a match among all entries of the current row's
// key, of which only the first were read with those of others.
bool LookupJoin::MatchesMore() {
  if (more_lookup_ == nullptr) {
    const MemoryContext old_context = MemoryContextSwitchTo(context_);
    more_lookup_ = static_cast<tree::Lookup*>(palloc(sizeof *more_lookup_));
    more_rows_ = static_cast<InnerRows*>(palloc(sizeof *more_rows_));
    more_lookup_->Init(tree::Index{index_, layout_.shape}, context_);
    more_rows_->Init(heap_, &node_->ss.ps, index_only_, context_);
    more_lookup_->Begin(ModeOf(0));
    MemoryContextSwitchTo(old_context);
  }
  more_lookup_->Start(keys_ + key_ * static_cast<Size>(key_columns_), 1);
  while (more_lookup_->Read()) {
    has_formed_ = false;
    more_rows_->Take(*more_lookup_);
    const uint32 count = more_lookup_->entries().count;
    pgstat_count_index_tuples(index_, count);
    for (uint32 entry = 0; entry < count; entry++)
      if (Matches(more_rows_, *more_lookup_, entry)) return true;
  }
  return false;
}

// The joined row as the plan above wants it; null if it does not pass.
TupleTableSlot* LookupJoin::Emit() {
  ExprContext* context = node_->ss.ps.ps_ExprContext;
  ResetExprContext(context);
  if (node_->ss.ps.qual != nullptr && !ExecQual(node_->ss.ps.qual, context)) {
    CHECK_FOR_INTERRUPTS();
    InstrCountFiltered1(&node_->ss.ps, 1);
    return nullptr;
  }
  return node_->ss.ps.ps_ProjInfo != nullptr ? ExecProject(node_->ss.ps.ps_ProjInfo) : node_->ss.ss_ScanTupleSlot;
}

TupleTableSlot* LookupJoin::Next() {
  if (unlikely(!begun_)) BeginInner();
  // The slot returned last may be the one that rows are joined in.
  if (node_->ss.ps.ps_ProjInfo == nullptr) {
    ResetSlot();
    if (row_begun_) ShowOuter(row_);
  }
  for (;;) {
    if (!row_begun_) {
      if (!NextRow()) return nullptr;
    } else if (entry_ < entry_end_) {
      if (!Matches(&rows_, lookup_, entry_++)) continue;
      matched_ = true;
      if (single_match_) entry_ = entry_end_;
      if (type_ == JOIN_ANTI) continue;
      if (TupleTableSlot* slot = Emit()) return slot;
    } else {
      TellDead();
      if (NextEntriesOfRow()) continue;
      row_begun_ = false;
      if (matched_ || type_ == JOIN_INNER) continue;
      if ((type_ == JOIN_SEMI || type_ == JOIN_ANTI) && key_ != kNoKey && lookup_.is_cut(key_))
        matched_ = MatchesMore();
      if (matched_ != (type_ == JOIN_SEMI)) continue;
      HideInner();
      if (TupleTableSlot* slot = Emit()) return slot;
    }
  }
}

// --- EXPLAIN. ---

void LookupJoin::Explain(List* ancestors, ExplainState* es) const {
  const bool text = es->format == EXPLAIN_FORMAT_TEXT;
  const char* type = type_ == JOIN_INNER ? "Inner" : type_ == JOIN_LEFT ? "Left" : type_ == JOIN_SEMI ? "Semi" : "Anti";
  ExplainPropertyText("Join Type", type, es);

  const Index table = TableOf(plan());
  const char* index = quote_identifier(get_rel_name(IndexOf(plan())));
  const char* schema = es->verbose ? get_namespace_name(RelationGetNamespace(heap_)) : nullptr;
  const char* name = RelationGetRelationName(heap_);
  const char* alias = static_cast<char*>(list_nth(es->rtable_names, static_cast<int>(table) - 1));
  if (text) {
    StringInfoData on;
    initStringInfo(&on);
    appendStringInfo(&on, "%s on ", index);
    if (schema != nullptr) appendStringInfo(&on, "%s.", quote_identifier(schema));
    appendStringInfoString(&on, quote_identifier(name));
    if (alias != nullptr && strcmp(alias, name) != 0) appendStringInfo(&on, " %s", quote_identifier(alias));
    ExplainPropertyText(index_only_ ? "Index Only Lookup" : "Index Lookup", on.data, es);
  } else {
    ExplainPropertyBool("Index Only", index_only_, es);
    ExplainPropertyText("Index Name", index, es);
    ExplainPropertyText("Relation Name", name, es);
    if (schema != nullptr) ExplainPropertyText("Schema", schema, es);
    if (alias != nullptr) ExplainPropertyText("Alias", alias, es);
  }
  ShowConditions("Index Cond", static_cast<List*>(linitial(plan().custom_exprs)), node_->ss.ps.plan, ancestors, es);
  List* filter = static_cast<List*>(lthird(plan().custom_exprs));
  ShowConditions("Join Filter", filter, node_->ss.ps.plan, ancestors, es);
  const Instrumentation* instrument = node_->ss.ps.instrument;
  if (!es->analyze || instrument == nullptr) return;
  if (filter != NIL && (!text || instrument->nfiltered2 > 0))
    ExplainPropertyFloat("Rows Removed by Join Filter", nullptr,
                         instrument->nloops > 0 ? instrument->nfiltered2 / instrument->nloops : 0, 0, es);
  ExplainPropertyUInteger("Batches", nullptr, batches_, es);
  ExplainPropertyFloat("Heap Fetches", nullptr, instrument->ntuples2, 0, es);
  const uint64 prefetched = begun_ ? rows_.prefetched() : 0;
  if (!text || prefetched > 0) ExplainPropertyUInteger("Heap Blocks Prefetched", nullptr, prefetched, es);
}

// --- ---

LookupJoin* JoinOf(CustomScanState* node) { return reinterpret_cast<LookupJoinState*>(node)->join; }

extern "C" {

void omendb_begin_lookup_join(CustomScanState* node, EState* estate, int eflags) {
  pg::Guarded([&] { JoinOf(node)->Begin(node, estate, eflags); });
}
TupleTableSlot* omendb_exec_lookup_join(CustomScanState* node) {
  return pg::Guarded([&] { return JoinOf(node)->Next(); });
}
void omendb_end_lookup_join(CustomScanState* node) {
  pg::Guarded([&] { JoinOf(node)->End(); });
}
void omendb_rescan_lookup_join(CustomScanState* node) {
  pg::Guarded([&] {
    PlanState* outer = static_cast<PlanState*>(linitial(node->custom_ps));
    if (node->ss.ps.chgParam != nullptr) UpdateChangedParamSet(outer, node->ss.ps.chgParam);
    if (outer->chgParam == nullptr) ExecReScan(outer);
    JoinOf(node)->Rescan();
  });
}
void omendb_explain_lookup_join(CustomScanState* node, List* ancestors, ExplainState* es) {
  pg::Guarded([&] { JoinOf(node)->Explain(ancestors, es); });
}
}

const CustomExecMethods exec_methods = {
    kLookupJoinName,
    omendb_begin_lookup_join,
    omendb_exec_lookup_join,
    omendb_end_lookup_join,
    omendb_rescan_lookup_join,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    omendb_explain_lookup_join,
};

}  // namespace

Node* CreateLookupJoinState(CustomScan*) {
  LookupJoinState* state = static_cast<LookupJoinState*>(palloc0(sizeof(LookupJoinState)));
  NodeSetTag(state, T_CustomScanState);
  state->node.methods = &exec_methods;
  state->join = new (palloc(sizeof(LookupJoin))) LookupJoin;
  return reinterpret_cast<Node*>(state);
}

}  // namespace omendb::exec
