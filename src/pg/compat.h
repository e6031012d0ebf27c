// What differs between PostgreSQL versions, and nothing else does.
#ifndef OMENDB_PG_COMPAT_H
#define OMENDB_PG_COMPAT_H

#include "core/prefetch.h"

#include "pg/postgres.h"

extern "C" {
#include "access/genam.h"
#include "nodes/nodeFuncs.h"
#include "pgstat.h"
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

// The file of a relation: what identifies its pages in shared buffers.
#if PG_VERSION_NUM >= 160000
using FileNode = RelFileLocator;
inline uint32 FileNumberOf(const FileNode& node) { return node.relNumber; }
inline Oid DatabaseOf(const FileNode& node) { return node.dbOid; }
inline const FileNode& FileNodeOf(Relation rel) { return rel->rd_locator; }
inline bool FileNodesEqual(const FileNode& a, const FileNode& b) { return RelFileLocatorEquals(a, b); }
#else
using FileNode = RelFileNode;
inline uint32 FileNumberOf(const FileNode& node) { return node.relNode; }
inline Oid DatabaseOf(const FileNode& node) { return node.dbNode; }
inline const FileNode& FileNodeOf(Relation rel) { return rel->rd_node; }
inline bool FileNodesEqual(const FileNode& a, const FileNode& b) { return RelFileNodeEquals(a, b); }
#endif

// Fetches what pinning a buffer reads.
inline void PrefetchBufferHeader(Buffer buffer) {
  core::Prefetch(GetBufferDescriptor(static_cast<uint32>(buffer - 1)));
}

// Whether a block probably still is in the buffer that it was last seen in: a look at the
// buffer's tag without its lock.
inline bool IsProbablyIn(Relation rel, BlockNumber block, Buffer recent) {
  const BufferTag& tag = GetBufferDescriptor(static_cast<uint32>(recent - 1))->tag;
#if PG_VERSION_NUM >= 160000
  return tag.blockNum == block && BufTagMatchesRelFileLocator(&tag, &FileNodeOf(rel));
#else
  return tag.blockNum == block && FileNodesEqual(tag.rnode, FileNodeOf(rel));
#endif
}

// Pins the buffer that a block was last seen in, if it is still there, and counts that
// as ReadBuffer would.  REQUIRES: `recent` is valid, and not one of a temporary table.
inline bool PinRecentBuffer(Relation rel, BlockNumber block, Buffer recent) {
  if (!ReadRecentBuffer(FileNodeOf(rel), MAIN_FORKNUM, block, recent)) return false;
  pgstat_count_buffer_read(rel);
  pgstat_count_buffer_hit(rel);
  // ReadRecentBuffer leaves the usage count as it is: a page that is only ever found
  // this way would be taken for one that nobody wants.
  BufferDesc* descriptor = GetBufferDescriptor(static_cast<uint32>(recent - 1));
  uint32 state = pg_atomic_read_u32(&descriptor->state);
  while (unlikely(BUF_STATE_GET_USAGECOUNT(state) < BM_MAX_USAGE_COUNT) && (state & BM_LOCKED) == 0) {
    if (pg_atomic_compare_exchange_u32(&descriptor->state, &state, state + BUF_USAGECOUNT_ONE)) break;
  }
  return true;
}

// Whether this backend holds the content lock of a pinned buffer.
inline bool IsLockedByMe(Buffer buffer) {
  if (BufferIsLocal(buffer)) return false;
  BufferDesc* descriptor = GetBufferDescriptor(static_cast<uint32>(buffer - 1));
  return LWLockHeldByMe(BufferDescriptorGetContentLock(descriptor));
}

// expression_tree_walker, whose callback has no prototype before 16.
inline bool WalkExpression(Node* node, bool (*walker)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
  return expression_tree_walker(node, walker, context);
#else
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)), context);
#endif
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
