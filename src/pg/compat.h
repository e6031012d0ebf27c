// What differs between PostgreSQL versions, and nothing else does.
#ifndef OMENDB_PG_COMPAT_H
#define OMENDB_PG_COMPAT_H

#include "pg/postgres.h"

extern "C" {
#include "access/genam.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
}

#if PG_VERSION_NUM < 150000
#error "omendb needs PostgreSQL 15 or newer"
#endif

namespace omendb::pg {

// A new block at the end of the relation, locked exclusively and all zeros.
inline Buffer ExtendRelation(Relation rel) {
#if PG_VERSION_NUM >= 160000
  return ExtendBufferedRel(BMR_REL(rel), MAIN_FORKNUM, nullptr, EB_LOCK_FIRST);
#else
  const bool shared = !RELATION_IS_LOCAL(rel);
  if (shared) LockRelationForExtension(rel, ExclusiveLock);
  const Buffer buffer = ReadBuffer(rel, P_NEW);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  if (shared) UnlockRelationForExtension(rel, ExclusiveLock);
  return buffer;
#endif
}

// Whether this backend holds the content lock of a pinned buffer.
inline bool IsLockedByMe(Buffer buffer) {
  if (BufferIsLocal(buffer)) return false;
  BufferDesc* descriptor = GetBufferDescriptor(static_cast<uint32>(buffer - 1));
  return LWLockHeldByMe(BufferDescriptorGetContentLock(descriptor));
}

// Raises "snapshot too old" where the version still has that feature.
inline void CheckOldSnapshot([[maybe_unused]] Snapshot snapshot, [[maybe_unused]] Relation rel,
                             [[maybe_unused]] Page page) {
#if PG_VERSION_NUM < 170000
  TestForOldSnapshot(snapshot, rel, page);
#endif
}

}  // namespace omendb::pg

#endif  // OMENDB_PG_COMPAT_H
