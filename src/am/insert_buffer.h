// Inserts that wait: sorted and merged leaf by leaf, a batch costs a fraction of what its
// entries cost one by one.
//
// No other transaction needs an entry before its row is committed.  So the entries of a
// transaction that inserts many are collected, and put into the index before anyone could
// miss them: before this session reads the index, and before the transaction commits.
// src/README, "Deferred inserts", argues why that is sound; test/tap/017_insert_buffer.pl
// has a test for each of its rules.
#ifndef OMENDB_AM_INSERT_BUFFER_H
#define OMENDB_AM_INSERT_BUFFER_H

#include "am/layout.h"

namespace omendb::am {

// When the library is loaded: setting, hooks and callbacks.
void InitInsertBuffer();

extern uint64 deferred_entries;  // of all indexes

// What a statement that inserts remembers; zeros at first.
struct IndexBuffer;
struct DeferState {
  IndexBuffer* buffer;
  Buffer recent;  // of the table, where the last row went
};
// Takes the entry of a row of the table, to insert it later.  False if it must be inserted
// at once.
bool DeferInsert(Relation index, Relation heap, const tree::Entry& entry, ItemPointer tid, bool unchanged,
                 DeferState* state);

// Inserts what waits for this index, or for any.
void FlushInsertsInto(Relation index);
void FlushAllInserts();
// Call these before the index is read, or anything is done to it or its table.
inline void FlushInserts(Relation index) {
  if (unlikely(deferred_entries > 0)) FlushInsertsInto(index);
}

// Forgets what waits for an index that is built: the build finds the rows in the table, or
// they are gone.
void DiscardInserts(Relation index);

}  // namespace omendb::am

#endif  // OMENDB_AM_INSERT_BUFFER_H
