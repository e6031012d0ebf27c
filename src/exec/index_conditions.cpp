#include "exec/index_conditions.h"

extern "C" {
#include "executor/executor.h"
#include "executor/nodeIndexscan.h"
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
  state_ = ExecInitNode(plan, estate, eflags);
  if (IsIndexOnly(plan)) {
    const IndexOnlyScanState* scan = castNode(IndexOnlyScanState, state_);
    index_ = scan->ioss_RelationDesc;
    keys_ = scan->ioss_ScanKeys;
    key_count_ = scan->ioss_NumScanKeys;
    runtime_keys_ = scan->ioss_RuntimeKeys;
    runtime_key_count_ = scan->ioss_NumRuntimeKeys;
    runtime_context_ = scan->ioss_RuntimeContext;
  } else {
    const IndexScanState* scan = castNode(IndexScanState, state_);
    index_ = scan->iss_RelationDesc;
    keys_ = scan->iss_ScanKeys;
    key_count_ = scan->iss_NumScanKeys;
    runtime_keys_ = scan->iss_RuntimeKeys;
    runtime_key_count_ = scan->iss_NumRuntimeKeys;
    runtime_context_ = scan->iss_RuntimeContext;
  }
}

void IndexConditions::End() { ExecEndNode(state_); }

void IndexConditions::Evaluate() {
  if (runtime_key_count_ == 0) return;
  ResetExprContext(runtime_context_);
  ExecIndexEvalRuntimeKeys(runtime_context_, runtime_keys_, runtime_key_count_);
}

}  // namespace omendb::exec
