#include "exec/index_conditions.h"

extern "C" {
#include "executor/executor.h"
}

namespace omendb::exec {

Plan* IndexScanOf(Plan* plan) {
  // A Result that asks pseudoconstant conditions is on top of our node, too.
  return IsA(plan, Result) ? outerPlan(plan) : plan;
}

bool IsIndexOnly(const Plan* plan) { return IsA(plan, IndexOnlyScan); }

Oid IndexOf(const Plan* plan) {
  return IsIndexOnly(plan) ? reinterpret_cast<const IndexOnlyScan*>(plan)->indexid
                           : reinterpret_cast<const IndexScan*>(plan)->indexid;
}

ScanDirection DirectionOf(const Plan* plan) {
  return IsIndexOnly(plan) ? reinterpret_cast<const IndexOnlyScan*>(plan)->indexorderdir
                           : reinterpret_cast<const IndexScan*>(plan)->indexorderdir;
}

List* ConditionsOf(const Plan* plan) {
  return IsIndexOnly(plan) ? reinterpret_cast<const IndexOnlyScan*>(plan)->indexqual
                           : reinterpret_cast<const IndexScan*>(plan)->indexqualorig;
}

void IndexConditions::Init(Plan* plan, EState* estate, int eflags) {
  if (IsA(plan, IndexScan)) {
    IndexScan* unchecked = static_cast<IndexScan*>(palloc(sizeof(IndexScan)));
    *unchecked = *castNode(IndexScan, plan);
    unchecked->indexqualorig = NIL;
    plan = &unchecked->scan.plan;
  }
  state_ = ExecInitNode(plan, estate, eflags);
  heap_ = reinterpret_cast<const ScanState*>(state_)->ss_currentRelation;
  if (IsIndexOnly(plan)) {
    const IndexOnlyScanState* scan = castNode(IndexOnlyScanState, state_);
    index_ = scan->ioss_RelationDesc;
    keys_ = scan->ioss_ScanKeys;
    key_count_ = scan->ioss_NumScanKeys;
  } else {
    const IndexScanState* scan = castNode(IndexScanState, state_);
    index_ = scan->iss_RelationDesc;
    keys_ = scan->iss_ScanKeys;
    key_count_ = scan->iss_NumScanKeys;
  }
}

void IndexConditions::End() { ExecEndNode(state_); }

void IndexConditions::Evaluate(const Bitmapset* changed) {
  // It is nobody's child, so what it has of subplans hears of parameters here.
  if (changed != nullptr) UpdateChangedParamSet(state_, const_cast<Bitmapset*>(changed));
  ExecReScan(state_);
}

}  // namespace omendb::exec
