// Which index has which table of fences, and what became of lookups.
//
// Lookups take no lock and write nothing that another process reads often: a slot's
// version is protected by a hazard of this process (core/hazard.h), announced by
// the first lookup of a transaction and taken back at its end.  What lookups have to
// say of themselves is counted here and added to the slot now and then.
#ifndef OMENDB_HOT_DIRECTORY_H
#define OMENDB_HOT_DIRECTORY_H

#include <atomic>

#include "core/hazard.h"
#include "hot/table.h"

#include "pg/postgres.h"

extern "C" {
#include "datatype/timestamp.h"
}

namespace omendb::hot {

// What became of lookups.
enum class Outcome : uint8 {
  kHit,         // the page that was named is the one
  kMovedRight,  // the search went on from it by right-links
  kRestarted,   // the search began again at the root
  kNoTable,     // there was no table
};
inline constexpr int kOutcomes = 4;

// Where a leaf was that is in a segment.
enum class ColdOutcome : uint8 {
  kHit,   // in memory
  kRead,  // it was read from its segment
};
inline constexpr int kColdOutcomes = 2;

// An index's place in the directory.
struct alignas(PG_CACHE_LINE_SIZE) Slot {
  // Read by every lookup; written when a table is published or evicted.
  std::atomic<uint64> version{core::kNoVersion};
  std::atomic<uint32> generation{0};  // counts the indexes that the slot had

  // Written now and then.
  alignas(PG_CACHE_LINE_SIZE) std::atomic<uint32> rebuilder{0};  // who is building: number of the process + 1
  std::atomic<uint64> misses{0};      // lookups since the last build that a better table would have served
  std::atomic<uint64> rebuild_at{0};  // the misses at which building pays
  std::atomic<int64> last_used{0};
  std::atomic<uint64> outcomes[kOutcomes] = {};
  std::atomic<uint64> rebuilds{0};
  std::atomic<uint64> cold[kColdOutcomes] = {};

  // Under the region's lock.
  pg::FileNode node = {};
  uint32 next_free = 0;
  int32 chosen_model = kAutoModel;  // by measuring, when the table had chosen_count fences
  uint32 chosen_count = 0;
};

// What a process remembers of an index, in its relation cache entry.  Zeros at first.
struct Handle {
  Slot* slot;
  uint32 generation;
  uint32 use;  // which of this process's hazards, probably
  bool rebuild_due;
};

// Where a search may begin.
struct Guess {
  const Table* table;
  uint32 protection;  // which of this process's, see IsProtected
  uint32 position;
  uint32 level;
  uint64_t prefix;  // of the bound
  BlockNumber block;
  Buffer buffer;  // that the page was last seen in, or invalid
};

// Whether lookups of the index may use the directory.
bool IsRouted(Relation rel);

// False if there is no table.  The guess holds until the next call; later, if IsProtected.
bool Lookup(Handle* handle, const pg::FileNode& node, const core::Shape& shape, const core::Bound& bound,
            core::Direction direction, Guess* guess);

// Whether the table of a guess is still protected: whoever makes several guesses asks
// before it gives one to any function below.  Block and buffer are hints in any case.
bool IsProtected(const Guess& guess);
// From a guess to the page behind it on its level; false if there is none.
inline bool MoveToNext(Guess* guess) {
  if (guess->position + 1 >= guess->table->count) return false;
  const Target target = guess->table->targets()[++guess->position].load(std::memory_order_relaxed);
  guess->block = TargetBlock(target);
  guess->buffer = TargetBuffer(target);
  return true;
}
// The buffer of the page that many pages behind it; InvalidBuffer if that is not known.
inline Buffer BufferAhead(const Guess& guess, uint32 pages) {
  if (guess.position + pages >= guess.table->count) return InvalidBuffer;
  return TargetBuffer(guess.table->targets()[guess.position + pages].load(std::memory_order_relaxed));
}

// Says in which buffer the guessed page was found.
void RememberBuffer(const Guess& guess, Buffer buffer);
// Says that the level has grown at its right end: its last page is now this one.
void RememberLastPage(const Guess& guess, BlockNumber block, Buffer buffer);

// Fetches into the cache what a lookup will read of the guessed page, if its layout is known.
void PrefetchWords(const Guess& guess, const char* page);
// Says what the layout of the guessed page is.
inline void RememberLayout(const Guess& guess, PageLayout layout) {
  std::atomic<PageLayout>& known = guess.table->layouts()[guess.position];
  const PageLayout old = known.load(std::memory_order_relaxed);
  if (unlikely(memcmp(&old, &layout, sizeof old) != 0)) known.store(layout, std::memory_order_relaxed);
}

// Counts what became of a lookup, or of several that went well.
void Count(Handle* handle, Outcome outcome, uint32 lookups = 1);

// Counts a leaf that was in a segment.
void CountCold(Handle* handle, ColdOutcome outcome);

// Whether a new table may pay for itself; a lookup or Count said so.
inline bool IsRebuildDue(const Handle& handle) { return handle.rebuild_due; }
// Claims the building of a table for this process, if it pays for an index of this many
// blocks: until Publish, GiveUpRebuild or the end of the transaction.
bool ClaimRebuild(Handle* handle, BlockNumber blocks);
// Makes a table of the fences (and child blocks) of all pages of a level the current
// one.  False if there is no room: then the level above may have fewer.
bool Publish(const Handle& handle, const pg::FileNode& node, const core::Entries& fences, uint32 level, int model);
void GiveUpRebuild();

// For omendb_stat_index: a copy of what is known; false if the index has no slot.
struct Description {
  bool has_table;
  core::FenceModel model;
  uint32 level;
  Size bytes;
  uint64 outcomes[kOutcomes];
  uint64 rebuilds;
  uint64 cold[kColdOutcomes];
};
bool Describe(const pg::FileNode& node, Description* description);

}  // namespace omendb::hot

#endif  // OMENDB_HOT_DIRECTORY_H
