// INSERT ... ON CONFLICT into tables that have unique indexes of ours.
#ifndef OMENDB_EXEC_ON_CONFLICT_H
#define OMENDB_EXEC_ON_CONFLICT_H

namespace omendb::exec {

// Sets the executor's hooks.
void InitOnConflict();

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_ON_CONFLICT_H
