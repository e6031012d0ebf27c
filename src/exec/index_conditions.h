// The conditions of an index scan, ready to be asked of the index: PostgreSQL's own node is
// planned and initialized, but not run.  So runtime keys, parameters, locks and privileges
// are what they are in the plan that is replaced.
#ifndef OMENDB_EXEC_INDEX_CONDITIONS_H
#define OMENDB_EXEC_INDEX_CONDITIONS_H

#include "pg/postgres.h"

extern "C" {
#include "access/skey.h"
#include "nodes/execnodes.h"
}

namespace omendb::exec {

// The IndexScan or IndexOnlyScan that create_plan made of an IndexPath.
Plan* IndexScanOf(Plan* plan);
Oid IndexOf(const Plan* plan);
ScanDirection DirectionOf(const Plan* plan);
bool IsIndexOnly(const Plan* plan);
// As EXPLAIN shows them.
List* ConditionsOf(const Plan* plan);

class IndexConditions {
 public:
  // Opens the index, unless only EXPLAINed.  `plan` is what IndexScanOf returned.  Its
  // ConditionsOf, which only EXPLAIN wants, are not initialized.
  void Init(Plan* plan, EState* estate, int eflags);
  void End();

  // Before each (re)scan: computes the keys that are not constant.  `changed`: parameters that
  // have another value than before, or null.
  void Evaluate(const Bitmapset* changed);

  Relation index() const { return index_; }
  Relation heap() const { return heap_; }
  ScanKey keys() const { return keys_; }
  int key_count() const { return key_count_; }

 private:
  PlanState* state_;
  Relation index_, heap_;
  ScanKey keys_;
  int key_count_;
};

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_INDEX_CONDITIONS_H
