#include <new>

#include "am/insert_buffer.h"

#include "tree/modify.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/test_build.h"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
}

namespace omendb::am {

uint64 deferred_entries;

namespace {

// Rows of one subtransaction, from `begin` to the next segment.
struct Segment {
  SubTransactionId subtransaction;
  size_t begin;
};

}  // namespace

// What waits for one file of an index.
struct IndexBuffer {
  IndexBuffer* next;
  Oid relation;
  pg::FileNode node;
  Layout layout;
  tree::Rows rows;
  uint32 inserted_at_once;
  bool unchanged;     // some are of new versions of rows, with the columns that they had
  Segment* segments;  // in order of time; a subtransaction's come after its parent's
  int segment_count, segment_capacity;
};

namespace {

int insert_buffer_kb;
constexpr int kDefaultSizeKb = 64 * 1024;
constexpr int kLeastSizeKb = 64;

// A transaction that inserts fewer rows than this inserts them at once: nothing is won
// by waiting.
constexpr uint32 kFirstAtOnce = 16;

IndexBuffer* buffers;   // of the current transaction
MemoryContext context;  // theirs
bool flushing;          // a flush began, and has not ended
bool at_once;           // until the transaction ends

ExecutorStart_hook_type next_executor_start;
ProcessUtility_hook_type next_process_utility;

void ExpectWhole() {
  if (unlikely(flushing))
    ereport(ERROR, (errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
                    errmsg("omendb: deferred inserts of this transaction failed before"),
                    errdetail("Some of its rows are not in their indexes."),
                    errhint("Roll back the transaction, not only to a savepoint.")));
}

void Clear(IndexBuffer* buffer) {
  deferred_entries -= buffer->rows.count();
  buffer->rows.Clear();
  buffer->segment_count = 0;
}

// REQUIRES: rel is the buffer's index, and has the buffer's file.
void Flush(IndexBuffer* buffer, Relation rel) {
  if (buffer->rows.count() == 0) return;
  // An error that leaves only a subtransaction must not leave the rest as it is, of which
  // some was inserted.
  flushing = true;
  buffer->rows.Sort();
  tree::InsertRows(tree::Index{rel, buffer->layout.shape}, buffer->rows, buffer->unchanged);
  flushing = false;
  Clear(buffer);
}

// The same without the relation at hand.  Nobody could drop it or exchange its file: we
// have a lock on its table.  If this transaction did, what waits is not missed.
void FlushByOid(IndexBuffer* buffer) {
  if (buffer->rows.count() == 0) return;
  const Relation rel = try_relation_open(buffer->relation, RowExclusiveLock);
  if (rel == nullptr) return Clear(buffer);
  if (pg::FileNodesEqual(pg::FileNodeOf(rel), buffer->node)) Flush(buffer, rel);
  relation_close(rel, RowExclusiveLock);
}

IndexBuffer* BufferOf(Relation index) {
  for (IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next)
    if (buffer->relation == RelationGetRelid(index) && pg::FileNodesEqual(buffer->node, pg::FileNodeOf(index)))
      return buffer;
  if (context == nullptr)
    context = AllocSetContextCreate(TopTransactionContext, "omendb deferred inserts", ALLOCSET_DEFAULT_SIZES);
  IndexBuffer* buffer = new (MemoryContextAlloc(context, sizeof(IndexBuffer))) IndexBuffer{};
  buffer->relation = RelationGetRelid(index);
  buffer->node = pg::FileNodeOf(index);
  MakeLayout(index, &buffer->layout);
  buffer->rows.Init(buffer->layout.shape, context);
  buffer->next = buffers;
  buffers = buffer;
  return buffer;
}

Size BytesOfAll() {
  Size bytes = 0;
  for (const IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next) bytes += buffer->rows.bytes();
  return bytes;
}

// Says that the row appended next is of the current subtransaction.
void BeginRow(IndexBuffer* buffer) {
  const SubTransactionId current = GetCurrentSubTransactionId();
  if (buffer->segment_count > 0 && buffer->segments[buffer->segment_count - 1].subtransaction == current) return;
  if (buffer->segment_count == buffer->segment_capacity) {
    const int capacity = Max(8, 2 * buffer->segment_capacity);
    const Size bytes = static_cast<Size>(capacity) * sizeof(Segment);
    buffer->segments = static_cast<Segment*>(buffer->segments == nullptr ? MemoryContextAlloc(context, bytes)
                                                                         : repalloc_huge(buffer->segments, bytes));
    buffer->segment_capacity = capacity;
  }
  buffer->segments[buffer->segment_count++] = {current, buffer->rows.count()};
}

void Append(IndexBuffer* buffer, const tree::Entry& entry) {
  const Size most = static_cast<Size>(Max(insert_buffer_kb, kLeastSizeKb)) * 1024;
  Size others = 0;
  if (buffers->next != nullptr) others = BytesOfAll() - buffer->rows.bytes();
  BeginRow(buffer);
  if (!buffer->rows.Add(entry, most > others ? most - others : 0)) {
    FlushAllInserts();
    BeginRow(buffer);
    buffer->rows.Add(entry, most);
  }
  deferred_entries++;
}

// --- Ends of transactions and subtransactions. ---

// A subtransaction's rows are the last ones: its parent did nothing meanwhile.
void DropSubtransaction(SubTransactionId subtransaction) {
  for (IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next) {
    while (buffer->segment_count > 0 && buffer->segments[buffer->segment_count - 1].subtransaction == subtransaction) {
      const size_t begin = buffer->segments[--buffer->segment_count].begin;
      deferred_entries -= buffer->rows.count() - begin;
      buffer->rows.Truncate(begin);
    }
  }
}

void GiveToParent(SubTransactionId subtransaction, SubTransactionId parent) {
  for (IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next) {
    for (int s = buffer->segment_count; s-- > 0 && buffer->segments[s].subtransaction == subtransaction;) {
      buffer->segments[s].subtransaction = parent;
      if (s > 0 && buffer->segments[s - 1].subtransaction == parent) buffer->segment_count = s;
    }
  }
}

void EndTransaction() {
  if (context != nullptr) MemoryContextDelete(context);
  context = nullptr;
  buffers = nullptr;
  deferred_entries = 0;
  flushing = false;
  at_once = false;
}

// Whether the row was inserted speculatively, and may be killed before the statement ends.
// It is in the table, and while its page is pinned nobody moves it.
bool IsSpeculative(Relation heap, ItemPointer tid, Buffer* recent) {
  // What other table access methods do to their rows is not known.
  if (heap->rd_tableam != GetHeapamTableAmRoutine()) return true;
  const BlockNumber block = ItemPointerGetBlockNumber(tid);
  if (!BufferIsValid(*recent) || BufferIsLocal(*recent) || !pg::PinRecentBuffer(heap, block, *recent))
    *recent = ReadBuffer(heap, block);
  const Page page = BufferGetPage(*recent);
  const ItemId item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
  // CREATE INDEX CONCURRENTLY may give us a row that was there before, or what is left of it.
  const bool is_speculative =
      !ItemIdIsNormal(item) || HeapTupleHeaderIsSpeculative(reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item)));
  ReleaseBuffer(*recent);
  return is_speculative;
}

// Statements that do nothing to a table or an index but through the executor.
bool LeavesIndexesAlone(const Node* statement) {
  switch (nodeTag(statement)) {
    case T_TransactionStmt:
    case T_VariableSetStmt:
    case T_VariableShowStmt:
    case T_DeclareCursorStmt:
    case T_FetchStmt:
    case T_ClosePortalStmt:
    case T_PrepareStmt:
    case T_ExecuteStmt:
    case T_DeallocateStmt:
    case T_CopyStmt:
    case T_DoStmt:
    case T_CallStmt:
    case T_ExplainStmt:
    case T_LockStmt:
    case T_ConstraintsSetStmt:
    case T_NotifyStmt:
      return true;
    default:
      return false;
  }
}

extern "C" {

void omendb_insert_xact_callback(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      pg::Guarded([] { FlushAllInserts(); });
      // Another extension may still insert.
      at_once = true;
      break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
      EndTransaction();
      break;
    default:
      break;
  }
}

void omendb_insert_subxact_callback(SubXactEvent event, SubTransactionId subtransaction, SubTransactionId parent,
                                    void*) {
  // What a failed flush left behind is in no order, and nothing will be done with it.
  if (deferred_entries == 0 || flushing) return;
  if (event == SUBXACT_EVENT_COMMIT_SUB)
    GiveToParent(subtransaction, parent);
  else if (event == SUBXACT_EVENT_ABORT_SUB)
    DropSubtransaction(subtransaction);
}

void omendb_executor_start(QueryDesc* query, int flags) {
  // Workers read what is in the index.
  if (deferred_entries > 0 && query->plannedstmt->parallelModeNeeded) pg::Guarded([] { FlushAllInserts(); });
  if (next_executor_start != nullptr)
    next_executor_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
}

void omendb_process_utility(PlannedStmt* statement, const char* query, bool read_only, ProcessUtilityContext context_,
                            ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* receiver,
                            QueryCompletion* completion) {
  if (deferred_entries > 0 && !LeavesIndexesAlone(statement->utilityStmt)) pg::Guarded([] { FlushAllInserts(); });
  (next_process_utility != nullptr ? next_process_utility : standard_ProcessUtility)(
      statement, query, read_only, context_, parameters, environment, receiver, completion);
}

}  // extern "C"

}  // namespace

bool DeferInsert(Relation index, Relation heap, const tree::Entry& entry, ItemPointer tid, bool unchanged,
                 DeferState* state) {
  if (insert_buffer_kb == 0 || at_once) return false;
  ExpectWhole();
  if (state->buffer == nullptr) state->buffer = BufferOf(index);
  if (state->buffer->inserted_at_once < pg::FirstInserts(kFirstAtOnce)) {
    state->buffer->inserted_at_once++;
    return false;
  }
  if (IsSpeculative(heap, tid, &state->recent)) return false;
  Append(state->buffer, entry);
  state->buffer->unchanged |= unchanged;
  return true;
}

void FlushInsertsInto(Relation index) {
  ExpectWhole();
  for (IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next)
    if (buffer->relation == RelationGetRelid(index) && pg::FileNodesEqual(buffer->node, pg::FileNodeOf(index)))
      Flush(buffer, index);
}

void FlushAllInserts() {
  ExpectWhole();
  for (IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next) FlushByOid(buffer);
}

void DiscardInserts(Relation index) {
  for (IndexBuffer* buffer = buffers; buffer != nullptr; buffer = buffer->next)
    if (buffer->relation == RelationGetRelid(index) && pg::FileNodesEqual(buffer->node, pg::FileNodeOf(index)))
      Clear(buffer);
}

void InitInsertBuffer() {
  DefineCustomIntVariable("omendb.insert_buffer_size",
                          "Sets the memory in which a session collects entries before it inserts them into indexes.",
                          "0 inserts each at once; other values below 64kB count as that.", &insert_buffer_kb,
                          kDefaultSizeKb, 0, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  next_executor_start = ExecutorStart_hook;
  ExecutorStart_hook = omendb_executor_start;
  next_process_utility = ProcessUtility_hook;
  ProcessUtility_hook = omendb_process_utility;
  RegisterXactCallback(omendb_insert_xact_callback, nullptr);
  RegisterSubXactCallback(omendb_insert_subxact_callback, nullptr);
}

}  // namespace omendb::am
