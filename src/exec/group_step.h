// The steps that date_trunc and date_bin make of a column: which of its values are of one
// group.
#ifndef OMENDB_EXEC_GROUP_STEP_H
#define OMENDB_EXEC_GROUP_STEP_H

#include <type_traits>

#include "exec/aggregate_plan.h"

#include "pg/postgres.h"

extern "C" {
#include "datatype/timestamp.h"
#include "fmgr.h"
}

namespace omendb::exec {

class GroupStep {
 public:
  // `step` must outlive this.
  void Init(const Step& step);

  // The function's value: the first of the value's group.  It raises what errors it has.
  Timestamp FirstOf(Timestamp value);
  // The last value of the group that `value` is of, which begins at `first`.  Raises no error.
  Timestamp LastOf(Timestamp first, Timestamp value);

 private:
  const Step* step_;
  FmgrInfo function_;
  int64 width_;  // of the last group, or of all
  bool fixed_;   // of all
};

static_assert(std::is_trivially_destructible_v<GroupStep>);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_GROUP_STEP_H
