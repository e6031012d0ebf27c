// What the test build (make OMENDB_TEST=1) has and the ordinary one has not:
// named points in the code, at which a test can raise an error, kill the process
// or make it wait, and limits that make pages small.  In the ordinary build all
// of it is constant or empty.
//
//   omendb.test_point          'name=action:n, ...': at the n-th time (default 1)
//                              that the process reaches the point it does, once,
//                                error  raise an error
//                                kill   SIGKILL itself, as a crash would
//                                pause  wait as long as somebody has
//                                       pg_advisory_lock(1); only at points where
//                                       no page is locked
//                              The name `any` stands for every point.
//   omendb.test_points         (to read) the names
//   omendb.test_page_entries   most entries that a page is given (default 8192)
//   omendb.test_delta_entries  most entries of a delta (default 64)
//   omendb.test_rebuild_misses lookups that the hot index serves badly before it is
//                              built anew (default 0: as many as pay for it)
//   omendb.test_segment_leaves most leaves of a segment (default 1024)
//   omendb.test_first_inserts  inserts of a transaction into an index that do not wait
//                              for others (default 16)
#ifndef OMENDB_PG_TEST_BUILD_H
#define OMENDB_PG_TEST_BUILD_H

#include "pg/postgres.h"

namespace omendb::pg {

// Point, name.  "No lock" says that no page is locked there.
#define OMENDB_TEST_POINTS(POINT)                                                                    \
  POINT(kDescend, "descend")                    /* below a downlink; no lock */                      \
  POINT(kMoveRight, "move-right")               /* behind a right-link; no lock */                   \
  POINT(kLeafRead, "leaf-read")                 /* by a scan; no lock */                             \
  POINT(kInsertLocked, "insert-locked")         /* the leaf for a new entry is locked */             \
  POINT(kBatchWritten, "batch-written")         /* a batch's entries are in a leaf */                \
  POINT(kDeltaMerged, "delta-merged")           /* the delta is in the base, its entry to come */    \
  POINT(kPageRecycled, "page-recycled")         /* taken from the free space map */                  \
  POINT(kPageExtended, "page-extended")         /* new at the end of the file, all zeros */          \
  POINT(kSplitWritten, "split-written")         /* both halves; the downlink is missing */           \
  POINT(kDownlinkInserted, "downlink-inserted") /* the split is complete */                          \
  POINT(kRootSplit, "root-split")               /* the tree has become higher */                     \
  POINT(kShareLocked, "share-locked")           /* leaf, sibling and parent are locked */            \
  POINT(kShareWritten, "share-written")         /* entries have moved to the sibling */              \
  POINT(kVacuumLeaf, "vacuum-leaf")             /* before the cleanup lock; no lock */               \
  POINT(kLeafCleaned, "leaf-cleaned")           /* dead entries are gone */                          \
  POINT(kUnlinkLocked, "unlink-locked")         /* page, siblings and parent are locked */           \
  POINT(kUnlinkWritten, "unlink-written")       /* the page is deleted */                            \
  POINT(kParentUnlinked, "parent-unlinked")     /* of an only child, which comes next; no lock */    \
  POINT(kCollapseLocked, "collapse-locked")     /* root and only child are locked */                 \
  POINT(kCollapseWritten, "collapse-written")   /* the tree has become lower */                      \
  POINT(kRecycleRecorded, "recycle-recorded")   /* a deleted page is in the free space map */        \
  POINT(kRecycleCounted, "recycle-counted")     /* the metapage knows how many are left */           \
  POINT(kSegmentsListed, "segments-listed")     /* VACUUM knows which are in use; no lock */         \
  POINT(kSegmentData, "segment-data")           /* some blocks of a segment are written; no lock */  \
  POINT(kSegmentWritten, "segment-written")     /* all of them, and nothing leads there; no lock */  \
  POINT(kLeafFrozen, "leaf-frozen")             /* a leaf has become a cold page; no lock */         \
  POINT(kColdAbsorbed, "cold-absorbed")         /* and is in its left sibling; no lock */            \
  POINT(kColdWanted, "cold-wanted")             /* a leaf is to be read from its segment; no lock */ \
  POINT(kColdRead, "cold-read")                 /* out of a segment, not yet looked at; no lock */   \
  POINT(kLeafThawed, "leaf-thawed")             /* a cold page has become a leaf; no lock */         \
  POINT(kLeavesRedirected, "leaves-redirected") /* to the segment that they are in now; no lock */   \
  POINT(kSegmentFreed, "segment-freed")         /* a block of a segment is free */                   \
  POINT(kPartHandedOver, "part-handed-over")    /* a worker of a build is done; no lock */           \
  POINT(kBuildPage, "build-page")               /* a page of a new index is in its buffer */         \
  POINT(kBuildWritten, "build-written")         /* all of them are, not yet logged; no lock */       \
  POINT(kBuildLogged, "build-logged")           /* the new index is in the WAL; no lock */           \
  POINT(kFencesCollected, "fences-collected")   /* for the hot index, not yet published; no lock */  \
  /* Replay of a record of each action (tree/log.h): its pages have changed and are still locked. */ \
  POINT(kReplayedAppend, "replayed-append")                                                          \
  POINT(kReplayedMerge, "replayed-merge")                                                            \
  POINT(kReplayedSplit, "replayed-split")                                                            \
  POINT(kReplayedSplitRoot, "replayed-split-root")                                                   \
  POINT(kReplayedDownlink, "replayed-downlink")                                                      \
  POINT(kReplayedShare, "replayed-share")                                                            \
  POINT(kReplayedClean, "replayed-clean")                                                            \
  POINT(kReplayedUnlink, "replayed-unlink")                                                          \
  POINT(kReplayedCollapse, "replayed-collapse")                                                      \
  POINT(kReplayedCount, "replayed-count")                                                            \
  POINT(kReplayedSegment, "replayed-segment")                                                        \
  POINT(kReplayedFreeze, "replayed-freeze")                                                          \
  POINT(kReplayedAbsorb, "replayed-absorb")                                                          \
  POINT(kReplayedThaw, "replayed-thaw")                                                              \
  POINT(kReplayedFree, "replayed-free")                                                              \
  POINT(kReplayedRedirect, "replayed-redirect")

enum class TestPoint : uint8 {
#define OMENDB_TEST_POINT_ENUMERATOR(point, name) point,
  OMENDB_TEST_POINTS(OMENDB_TEST_POINT_ENUMERATOR)
#undef OMENDB_TEST_POINT_ENUMERATOR
};

#ifdef OMENDB_TEST_BUILD

extern int test_page_entries;
extern int test_delta_entries;
extern int test_rebuild_misses;
extern int test_first_inserts;
extern int test_segment_leaves;
inline uint32 MaxPageEntries(uint32) { return static_cast<uint32>(test_page_entries); }
inline uint32 MaxDeltaEntries(uint32) { return static_cast<uint32>(test_delta_entries); }
inline uint64 RebuildMisses(uint64 misses) {
  return test_rebuild_misses > 0 ? static_cast<uint64>(test_rebuild_misses) : misses;
}
inline uint32 FirstInserts(uint32) { return static_cast<uint32>(test_first_inserts); }
inline uint32 MaxSegmentLeaves(uint32) { return static_cast<uint32>(test_segment_leaves); }
void ReachTestPoint(TestPoint point);
void DefineTestSettings();

#else

inline constexpr uint32 MaxPageEntries(uint32 most) { return most; }
inline constexpr uint32 MaxDeltaEntries(uint32 most) { return most; }
inline constexpr uint64 RebuildMisses(uint64 misses) { return misses; }
inline constexpr uint32 FirstInserts(uint32 most) { return most; }
inline constexpr uint32 MaxSegmentLeaves(uint32 most) { return most; }
inline void ReachTestPoint(TestPoint) {}
inline void DefineTestSettings() {}

#endif

}  // namespace omendb::pg

#endif  // OMENDB_PG_TEST_BUILD_H
