#include <new>
#include <type_traits>

#include "am/insert_buffer.h"
#include "am/scan.h"
#include "exec/heap_rows.h"

#include "exec/explain.h"
#include "exec/index_conditions.h"
#include "exec/row_columns.h"
#include "exec/row_comparisons.h"
#include "exec/scan_node.h"

#include "pg/guard.h"

extern "C" {
#include "access/visibilitymap.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
}

namespace omendb::exec {

using core::Direction;
using core::Entries;
using core::Tid;

namespace {

// Batches grow from one entry, so that a LIMIT costs no more than one by one, to this.
constexpr uint32 kLargestBatch = 512;

// The executor's state of a node.  Everything but the first member is ours.
struct ScanNode {
  CustomScanState css;  // must be first

  void Begin(EState* estate, int eflags);
  void End();
  void Rescan();
  TupleTableSlot* Execute();
  void Explain(List* ancestors, ExplainState* explain);

  void InitColumns(EState* estate);
  void Start();
  TupleTableSlot* Next();
  bool HasEntries() const { return chunks_ == Chunks::kCurrent && taken_ < scan_->entries().count; }
  bool NextChunk();
  bool NextBatch();
  bool ReadRows();
  bool ReadEntries();
  uint32 PositionOf(uint32 rank) const {
    return direction_ == Direction::kForward ? rank : scan_->entries().count - 1 - rank;
  }
  TupleTableSlot* StoreRow(HeapTuple row);
  TupleTableSlot* StoreEntry(uint32 position);
  TupleTableSlot* EmptySlot();
  TupleTableSlot* FillSlot(const ItemPointerData& tid);
  bool IsAllVisible(Tid tid);

  CustomScan* plan() const { return castNode(CustomScan, css.ss.ps.plan); }
  Plan* index_scan() const { return static_cast<Plan*>(linitial(plan()->custom_plans)); }

  IndexConditions conditions_;
  RowComparisons row_comparisons_;
  bool index_only_;
  Direction direction_;
  am::Scan* scan_;  // when the first row is asked for
  HeapRows rows_;
  bool whole_rows_;     // the slot takes rows as they are stored
  RowColumns columns_;  // otherwise, unless index only
  bool started_;
  bool conditions_evaluated_;

  // Whether the scan has a chunk, and how many of its entries, in this direction, were put
  // into a batch.
  enum class Chunks : uint8 { kNone, kCurrent, kEnd } chunks_;
  uint32 taken_;
  // The batch: next_ of count_ is the next to return.
  uint32 next_, count_;
  uint32 batch_size_;
  uint32 tids_begin_, tids_end_;  // of tids_, those whose rows are not yet fetched
  // The batch is entries of the current chunk, from this rank on; else -1.
  int32 first_rank_;
  // Attributes of the index that are wanted, from 0.
  int wanted_count_;
  int wanted_[INDEX_MAX_KEYS];
  Buffer visibility_map_;

  uint64 batches_, heap_fetches_;

  // From here on not zeroed when the node is made.
  Tid tids_[kLargestBatch];
  bool visible_[kLargestBatch];             // index only: whether an entry's row is visible
  am::ReferenceRoom room_[INDEX_MAX_KEYS];  // of the values of the row returned last
};

static_assert(std::is_trivially_destructible_v<ScanNode>);

// Only after a row lock, which the planner keeps the node out of.
void CheckNoSubstitute(const EState& estate, const Plan* plan) {
  const EPQState* recheck = estate.es_epq_active;
  if (likely(recheck == nullptr)) return;
  const Index table = reinterpret_cast<const Scan*>(plan)->scanrelid - 1;
  if (recheck->relsubs_slot[table] != nullptr || recheck->relsubs_rowmark[table] != nullptr)
    elog(ERROR, "EvalPlanQual is not supported in Omendb Scan");
}

void ScanNode::Begin(EState* estate, int eflags) {
  Plan* child = index_scan();
  index_only_ = IsIndexOnly(child);
  direction_ = ScanDirectionIsBackward(DirectionOf(child)) ? Direction::kBackward : Direction::kForward;
  conditions_.Init(child, estate, eflags);
  row_comparisons_.Init(plan()->custom_exprs, plan()->custom_private, &css.ss.ps);
  visibility_map_ = InvalidBuffer;
  if (index_only_) {
    Bitmapset* attributes = nullptr;
    pull_varattnos(reinterpret_cast<Node*>(plan()->scan.plan.targetlist), INDEX_VAR, &attributes);
    pull_varattnos(reinterpret_cast<Node*>(plan()->scan.plan.qual), INDEX_VAR, &attributes);
    TupleTableSlot* slot = css.ss.ss_ScanTupleSlot;
    for (int a = 0; a < slot->tts_tupleDescriptor->natts; a++) {
      slot->tts_isnull[a] = true;
      if (bms_is_member(a + 1 - FirstLowInvalidHeapAttributeNumber, attributes)) wanted_[wanted_count_++] = a;
    }
  } else if (plan()->custom_scan_tlist != NIL) {
    InitColumns(estate);
  } else {
    whole_rows_ = true;
    // Rows are copies, which a slot need neither own nor pin.
    ExecInitScanTupleSlot(estate, &css.ss, RelationGetDescr(css.ss.ss_currentRelation), &TTSOpsHeapTuple);
    ExecAssignScanProjectionInfo(&css.ss);
    css.ss.ps.qual = ExecInitQual(plan()->scan.plan.qual, &css.ss.ps);
  }
  css.ss.ss_ScanTupleSlot->tts_tableOid = RelationGetRelid(css.ss.ss_currentRelation);
  if (eflags & EXEC_FLAG_EXPLAIN_ONLY) return;
  rows_.Init(css.ss.ss_currentRelation, estate->es_snapshot, estate->es_query_cxt);
}

void ScanNode::InitColumns(EState* estate) {
  const List* tlist = plan()->custom_scan_tlist;
  AttrNumber* attributes = static_cast<AttrNumber*>(palloc(static_cast<Size>(list_length(tlist)) * sizeof(AttrNumber)));
  int count = 0;
  ListCell* cell;
  foreach (cell, tlist) attributes[count++] = castNode(Var, lfirst_node(TargetEntry, cell)->expr)->varattno;
  columns_.Init(RelationGetDescr(css.ss.ss_currentRelation), attributes, count, estate);
  pfree(attributes);
}

void ScanNode::End() {
  if (scan_ != nullptr) {
    scan_->Free();
    rows_.Free();
  }
  if (BufferIsValid(visibility_map_)) ReleaseBuffer(visibility_map_);
  conditions_.End();
}

void ScanNode::Rescan() {
  conditions_.Evaluate(css.ss.ps.chgParam);
  conditions_evaluated_ = true;
  started_ = false;
  next_ = count_ = 0;
  ExecClearTuple(css.ss.ss_ScanTupleSlot);
  rows_.Release();
  ExecScanReScan(&css.ss);
}

// Begins a (re)scan of the index.
void ScanNode::Start() {
  const Relation index = conditions_.index();
  if (!conditions_evaluated_) conditions_.Evaluate(nullptr);
  am::FlushInserts(index);
  EState* estate = css.ss.ps.state;
  CheckNoSubstitute(*estate, css.ss.ps.plan);
  if (scan_ == nullptr)
    scan_ = new (MemoryContextAlloc(estate->es_query_cxt, sizeof(am::Scan))) am::Scan(index, estate->es_query_cxt);
  am::ScanRequest request;
  request.key_count = conditions_.key_count();
  request.keys = row_comparisons_.AddTo(conditions_.keys(), &request.key_count);
  request.snapshot = estate->es_snapshot;
  request.index_only = index_only_;
  request.columns = 0;
  for (int w = 0; w < wanted_count_; w++) request.columns |= scan_->layout().ColumnsOf(wanted_[w]);
  request.form_tuples = false;
  request.skip_killed = !estate->es_snapshot->takenDuringRecovery;
  scan_->Rescan(request, nullptr);
  started_ = true;
  chunks_ = Chunks::kNone;
  taken_ = 0;
  batch_size_ = 1;
  next_ = count_ = 0;
  tids_begin_ = tids_end_ = 0;
}

bool ScanNode::NextChunk() {
  if (chunks_ == Chunks::kEnd) return false;
  taken_ = 0;
  chunks_ = scan_->AdvanceChunk(direction_) ? Chunks::kCurrent : Chunks::kEnd;
  if (chunks_ == Chunks::kEnd) return false;
  pgstat_count_index_tuples(conditions_.index(), scan_->entries().count);
  return true;
}

// Reads the rows of more entries; false at the end.
bool ScanNode::ReadRows() {
  if (tids_begin_ == tids_end_) {
    tids_begin_ = tids_end_ = 0;
    first_rank_ = static_cast<int32>(taken_);
    while (tids_end_ < batch_size_) {
      if (!HasEntries()) {
        if (tids_end_ > 0 && tids_end_ >= batch_size_ / 2) break;
        // What a batch has of a chunk that is left cannot be told to be dead.
        first_rank_ = tids_end_ == 0 ? 0 : -1;
        if (!NextChunk()) break;
      }
      const Tid* tids = scan_->entries().tid;
      while (tids_end_ < batch_size_ && taken_ < scan_->entries().count)
        tids_[tids_end_++] = tids[PositionOf(taken_++)];
    }
    if (tids_end_ == 0) return false;
    batches_++;
  } else if (first_rank_ >= 0) {
    first_rank_ += static_cast<int32>(count_);
  }
  count_ = rows_.Fetch(tids_ + tids_begin_, tids_end_ - tids_begin_);
  tids_begin_ += count_;
  return true;
}

bool ScanNode::IsAllVisible(Tid tid) {
  return VM_ALL_VISIBLE(css.ss.ss_currentRelation, static_cast<BlockNumber>(core::TidBlock(tid)), &visibility_map_);
}

// Index only: finds out which of some more entries of a chunk have visible rows; false at
// the end.  The chunk's leaf is pinned meanwhile, see nodeIndexonlyscan.c for why it is
// enough to look at the visibility map after that.
bool ScanNode::ReadEntries() {
  if (!HasEntries() && !NextChunk()) return false;
  const Entries& entries = scan_->entries();
  first_rank_ = static_cast<int32>(taken_);
  count_ = Min(batch_size_, entries.count - taken_);
  taken_ += count_;
  batches_++;
  const Relation heap = css.ss.ss_currentRelation;
  const Snapshot snapshot = css.ss.ps.state->es_snapshot;
  uint32 to_fetch = 0;
  uint32 rank[kLargestBatch];  // in the batch, of those
  BlockNumber block = InvalidBlockNumber;
  bool all_visible = false;
  for (uint32 i = 0; i < count_; i++) {
    const Tid tid = entries.tid[PositionOf(static_cast<uint32>(first_rank_) + i)];
    if (core::TidBlock(tid) != block) {
      block = static_cast<BlockNumber>(core::TidBlock(tid));
      all_visible = IsAllVisible(tid);
      if (all_visible) PredicateLockPage(heap, block, snapshot);
    }
    visible_[i] = all_visible;
    if (!all_visible) {
      rank[to_fetch] = i;
      tids_[to_fetch++] = tid;
    }
  }
  heap_fetches_ += to_fetch;
  for (uint32 done = 0; done < to_fetch;) {
    const uint32 fetched = rows_.Fetch(tids_ + done, to_fetch - done);
    for (uint32 i = 0; i < fetched; i++) {
      visible_[rank[done + i]] = rows_.Row(i) != nullptr;
      if (rows_.IsDead(i)) scan_->Kill(PositionOf(static_cast<uint32>(first_rank_) + rank[done + i]));
    }
    done += fetched;
  }
  return true;
}

bool ScanNode::NextBatch() {
  CHECK_FOR_INTERRUPTS();
  if (!started_) Start();
  next_ = 0;
  if (index_only_ ? !ReadEntries() : !ReadRows()) {
    count_ = 0;
    return false;
  }
  batch_size_ = Min(2 * batch_size_, kLargestBatch);
  return true;
}

// A slot that its reader has materialized owns memory.
TupleTableSlot* ScanNode::EmptySlot() {
  TupleTableSlot* slot = css.ss.ss_ScanTupleSlot;
  if (unlikely(TTS_SHOULDFREE(slot))) ExecClearTuple(slot);
  return slot;
}

// As ExecStoreVirtualTuple.  WHERE CURRENT OF asks a slot for its TID.
TupleTableSlot* ScanNode::FillSlot(const ItemPointerData& tid) {
  TupleTableSlot* slot = css.ss.ss_ScanTupleSlot;
  slot->tts_flags &= static_cast<uint16>(~TTS_FLAG_EMPTY);
  slot->tts_nvalid = static_cast<AttrNumber>(slot->tts_tupleDescriptor->natts);
  slot->tts_tid = tid;
  return slot;
}

TupleTableSlot* ScanNode::StoreRow(HeapTuple row) {
  pgstat_count_heap_fetch(conditions_.index());
  if (whole_rows_) return ExecStoreHeapTuple(row, css.ss.ss_ScanTupleSlot, false);
  const TupleTableSlot* slot = EmptySlot();
  columns_.Get(row, slot->tts_values, slot->tts_isnull);
  return FillSlot(row->t_self);
}

TupleTableSlot* ScanNode::StoreEntry(uint32 position) {
  const TupleTableSlot* slot = EmptySlot();
  const am::Layout& layout = scan_->layout();
  // Where values of bytes columns are until the next row.
  if (unlikely(layout.shape.bytes_columns != 0)) ResetExprContext(css.ss.ps.ps_ExprContext);
  const MemoryContext old_context = MemoryContextSwitchTo(css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
  for (int w = 0; w < wanted_count_; w++) {
    const int a = wanted_[w];
    slot->tts_values[a] = am::AttributeOf(layout, scan_->entries(), position, a, &slot->tts_isnull[a], &room_[a]);
  }
  MemoryContextSwitchTo(old_context);
  const Tid tid = scan_->entries().tid[position];
  ItemPointerData pointer;
  ItemPointerSet(&pointer, static_cast<BlockNumber>(core::TidBlock(tid)),
                 static_cast<OffsetNumber>(core::TidOffset(tid)));
  return FillSlot(pointer);
}

TupleTableSlot* ScanNode::Next() {
  for (;;) {
    while (next_ < count_) {
      const uint32 i = next_++;
      if (index_only_) {
        if (visible_[i]) return StoreEntry(PositionOf(static_cast<uint32>(first_rank_) + i));
      } else if (const HeapTuple row = rows_.Row(i)) {
        return StoreRow(row);
      } else if (rows_.IsDead(i) && first_rank_ >= 0) {
        scan_->Kill(PositionOf(static_cast<uint32>(first_rank_) + i));
      }
    }
    if (!NextBatch()) return ExecClearTuple(css.ss.ss_ScanTupleSlot);
  }
}

// As ExecScan, less what it does for EvalPlanQual.
TupleTableSlot* ScanNode::Execute() {
  ExprState* const qual = css.ss.ps.qual;
  ProjectionInfo* const projection = css.ss.ps.ps_ProjInfo;
  if (qual == nullptr && projection == nullptr) return Next();
  ExprContext* const context = css.ss.ps.ps_ExprContext;
  for (;;) {
    ResetExprContext(context);
    TupleTableSlot* slot = Next();
    if (TupIsNull(slot)) return projection != nullptr ? ExecClearTuple(projection->pi_state.resultslot) : slot;
    context->ecxt_scantuple = slot;
    if (qual == nullptr || ExecQual(qual, context)) return projection != nullptr ? ExecProject(projection) : slot;
    InstrCountFiltered1(&css.ss, 1);
  }
}

void ScanNode::Explain(List* ancestors, ExplainState* explain) {
  ShowIndex(IndexOf(index_scan()), explain);
  ShowConditions("Index Cond", list_concat_copy(ConditionsOf(index_scan()), plan()->custom_exprs), css.ss.ps.plan,
                 ancestors, explain);
  if (!explain->analyze) return;
  if (index_only_) ExplainPropertyUInteger("Heap Fetches", nullptr, heap_fetches_, explain);
  ExplainPropertyUInteger("Batches", nullptr, batches_, explain);
  if (rows_.prefetched() > 0 || explain->format != EXPLAIN_FORMAT_TEXT)
    ExplainPropertyUInteger("Prefetched Pages", nullptr, rows_.prefetched(), explain);
}

ScanNode* NodeOf(CustomScanState* state) { return reinterpret_cast<ScanNode*>(state); }

extern "C" {

void omendb_begin_scan(CustomScanState* state, EState* estate, int eflags) {
  pg::Guarded([&] { NodeOf(state)->Begin(estate, eflags); });
}

TupleTableSlot* omendb_exec_scan(CustomScanState* state) {
  return pg::Guarded([&] { return NodeOf(state)->Execute(); });
}

void omendb_end_scan(CustomScanState* state) {
  pg::Guarded([&] { NodeOf(state)->End(); });
}

void omendb_rescan_scan(CustomScanState* state) {
  pg::Guarded([&] { NodeOf(state)->Rescan(); });
}

void omendb_explain_scan(CustomScanState* state, List* ancestors, ExplainState* explain) {
  pg::Guarded([&] { NodeOf(state)->Explain(ancestors, explain); });
}

}  // extern "C"

const CustomExecMethods exec_methods = {
    "Omendb Scan", omendb_begin_scan, omendb_exec_scan, omendb_end_scan, omendb_rescan_scan,  nullptr, nullptr, nullptr,
    nullptr,       nullptr,           nullptr,          nullptr,         omendb_explain_scan,
};

extern "C" Node* omendb_create_scan(CustomScan*) {
  ScanNode* node = static_cast<ScanNode*>(palloc(sizeof(ScanNode)));
  memset(static_cast<void*>(node), 0, offsetof(ScanNode, tids_));
  NodeSetTag(&node->css, T_CustomScanState);
  node->css.methods = &exec_methods;
  return reinterpret_cast<Node*>(node);
}

}  // namespace

const CustomScanMethods scan_methods = {"Omendb Scan", omendb_create_scan};

}  // namespace omendb::exec
