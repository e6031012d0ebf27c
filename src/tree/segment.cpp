#include "tree/segment.h"

#include <algorithm>

#include "tree/cold_library.h"
#include "tree/log.h"
#include "tree/search.h"

#include "pg/compat.h"

extern "C" {
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

namespace {

constexpr const char* kGone = "it is no block of the segment that it is named for";

constexpr uint32 kSealedBytes = offsetof(StoredLeaf, segment);  // of a stored leaf, before what its checksum covers

uint32 CrcOf(const char* stored, size_t bytes) {
  pg_crc32c crc;
  INIT_CRC32C(crc);
  COMP_CRC32C(crc, stored + kSealedBytes, bytes - kSealedBytes);
  FIN_CRC32C(crc);
  return crc;
}

PageHeader HeaderOf(Page page) { return reinterpret_cast<PageHeader>(page); }

[[noreturn]] void ReportBuild(const Index& index, cold::Status status, const char* message) {
  if (status == cold::Status::kUnknownCodec)
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("RocksDB was built without the compression of index \"%s\"", RelationGetRelationName(index.rel)),
             errdetail("%s", message), errhint("Set another one with ALTER INDEX ... SET (cold_compression).")));
  if (status == cold::Status::kNoMemory)
    ereport(ERROR,
            (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"), errdetail("RocksDB failed to make a segment.")));
  ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                  errmsg("could not make a segment of index \"%s\"", RelationGetRelationName(index.rel)),
                  errdetail("RocksDB says: %s", message)));
  pg_unreachable();
}

// Collects the file in memory.
struct FileMemory {
  MemoryContext context;
  char* bytes;
  size_t size, capacity;
};

bool AppendToFile(void* context, const char* data, size_t size) {
  FileMemory* file = static_cast<FileMemory*>(context);
  if (file->size + size > file->capacity) {
    const size_t capacity = Max(2 * file->capacity, file->size + size);
    char* bytes =
        static_cast<char*>(MemoryContextAllocExtended(file->context, capacity, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM));
    if (bytes == nullptr) return false;
    if (file->size > 0) memcpy(bytes, file->bytes, file->size);
    if (file->bytes != nullptr) pfree(file->bytes);
    file->bytes = bytes;
    file->capacity = capacity;
  }
  memcpy(file->bytes + file->size, data, size);
  file->size += size;
  return true;
}

// A block of a segment, locked; InvalidBuffer if it is not one.
Buffer GetSegmentBlock(Relation rel, const Shape& shape, BlockNumber block, uint64 segment, uint32 number,
                       const char** problem) {
  if (block >= RelationGetNumberOfBlocks(rel)) {
    *problem = "a segment has it, but the file ends before";
    return InvalidBuffer;
  }
  const Buffer buffer = ReadBuffer(rel, block);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  // (Verified at every visit: a block may have another life since.)
  if (PageIsNew(page) || !PageIsSound(page, shape, block, problem)) {
    if (PageIsNew(page)) *problem = "it is all zeros";
  } else if (!IsSegment(page) || SegmentBodyOf(page)->segment != segment || SegmentBodyOf(page)->block != number) {
    *problem = kGone;
  } else {
    return buffer;
  }
  ReleasePage(buffer);
  return InvalidBuffer;
}

void InitSegmentPage(Page image, uint64 segment, uint32 block) {
  InitPage(image, InvalidBlockNumber, InvalidBlockNumber, kSegmentPage);
  SegmentBody* body = SegmentBodyOf(image);
  body->segment = segment;
  body->block = block;
  body->reserved = 0;
}

void SetBodyBytes(Page image, size_t bytes) {
  HeaderOf(image)->pd_lower = static_cast<LocationIndex>(SizeOfPageHeaderData + bytes);
}

}  // namespace

void SegmentBuilder::Begin(const Index& index) {
  index_ = index;
  context_ = AllocSetContextCreate(CurrentMemoryContext, "omendb segment", ALLOCSET_DEFAULT_SIZES);
  if (!pg_strong_random(&segment_, sizeof segment_))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random segment number")));
  count_ = 0;
}

void SegmentBuilder::Add(Page page, BlockNumber block, ColdLeaf* leaf) {
  const PageHeader header = HeaderOf(page);
  const size_t lower = header->pd_lower, upper = BLCKSZ - header->pd_upper;
  const size_t size = sizeof(StoredLeaf) + lower + upper;
  char* const stored = static_cast<char*>(MemoryContextAllocZero(context_, size));
  StoredLeaf* const head = reinterpret_cast<StoredLeaf*>(stored);
  head->magic = kStoredMagic;
  head->segment = segment_;
  head->slot = count_;
  head->block = block;
  char* const body = stored + sizeof(StoredLeaf);
  memcpy(body, page, lower);
  memcpy(body + lower, page + header->pd_upper, upper);
  // What is PostgreSQL's of the page, and changes without it.
  PageHeaderData own;
  memcpy(&own, body, SizeOfPageHeaderData);
  own.pd_lsn = PageXLogRecPtr{};
  own.pd_checksum = 0;
  own.pd_flags = 0;
  memcpy(body, &own, SizeOfPageHeaderData);
  head->crc = CrcOf(stored, size);
  value_[count_] = {stored, size};

  leaf->segment = segment_;
  leaf->head = InvalidBlockNumber;
  leaf->slot = count_++;
  leaf->crc = head->crc;
  const NodePage view(page, index_.shape);
  leaf->entries = view.entry_count();
  leaf->first_heap = InvalidBlockNumber;
  leaf->last_heap = 0;
  const auto cover = [leaf](core::Tid tid) {
    const BlockNumber heap = static_cast<BlockNumber>(core::TidBlock(tid));
    leaf->first_heap = Min(leaf->first_heap, heap);
    leaf->last_heap = Max(leaf->last_heap, heap);
  };
  core::Tid tids[256];
  for (uint32 begin = 0; begin < view.node().count(); begin += lengthof(tids)) {
    const uint32 end = Min(view.node().count(), begin + static_cast<uint32>(lengthof(tids)));
    view.node().DecodeTids(begin, end, tids);
    for (uint32 i = 0; i < end - begin; i++) cover(tids[i]);
  }
  for (uint32 rank = 0; rank < view.delta_count(); rank++) cover(view.DeltaTidAt(rank));
}

bool SegmentBuilder::IsUnchanged(uint32 slot, Page page) const {
  const char* const stored = value_[slot].data + sizeof(StoredLeaf);
  PageHeaderData header;
  memcpy(&header, stored, SizeOfPageHeaderData);
  if (HeaderOf(page)->pd_lower != header.pd_lower || HeaderOf(page)->pd_upper != header.pd_upper) return false;
  const size_t body = header.pd_lower - SizeOfPageHeaderData, delta = header.pd_special - header.pd_upper;
  PageSpecial special;
  memcpy(&special, stored + header.pd_lower + delta, sizeof special);
  return special.flags == SpecialOf(page)->flags && special.delta_count == SpecialOf(page)->delta_count &&
         memcmp(page + SizeOfPageHeaderData, stored + SizeOfPageHeaderData, body) == 0 &&
         memcmp(page + header.pd_upper, stored + header.pd_lower, delta) == 0;
}

bool SegmentBuilder::Compress(cold::Codec codec) {
  const cold::Api& library = ColdLibrary();
  FileMemory file = {context_, nullptr, 0, 0};
  HOLD_INTERRUPTS();
  const cold::Status status = library.build(value_, count_, codec, cold::Sink{&file, AppendToFile});
  RESUME_INTERRUPTS();
  if (status != cold::Status::kOk) ReportBuild(index_, status, library.message());
  file_ = file.bytes;
  file_bytes_ = file.size;
  if (DataBlocks() > kMaxDataBlocks) elog(ERROR, "omendb: a segment of %zu bytes has too many blocks", file_bytes_);
  return DataBlocks() + 1 < count_;
}

BlockNumber SegmentBuilder::Write() {
  const uint32 data_blocks = DataBlocks();
  BlockNumber* const numbers =
      static_cast<BlockNumber*>(MemoryContextAlloc(context_, data_blocks * sizeof(BlockNumber)));
  for (uint32 begin = 0; begin < data_blocks;) {
    CHECK_FOR_INTERRUPTS();
    Buffer buffers[Change::kMaxPages];
    const uint32 end = Min(data_blocks, begin + Change::kMaxPages);
    for (uint32 i = begin; i < end; i++) buffers[i - begin] = AllocatePage(index_);
    Change change;
    change.Begin(index_, Action::kSegment);
    for (uint32 i = begin; i < end; i++) {
      const Buffer buffer = buffers[i - begin];
      numbers[i] = BufferGetBlockNumber(buffer);
      const Page image = change.Rewrite(buffer);
      InitSegmentPage(image, segment_, i);
      const size_t offset = i * kDataBytes, bytes = Min(kDataBytes, file_bytes_ - offset);
      memcpy(SegmentBodyOf(image) + 1, file_ + offset, bytes);
      SetBodyBytes(image, sizeof(SegmentBody) + bytes);
      SealPage(image, numbers[i]);
    }
    change.Finish();
    for (uint32 i = begin; i < end; i++) ReleasePage(buffers[i - begin]);
    pg::ReachTestPoint(pg::TestPoint::kSegmentData);
    begin = end;
  }
  const Buffer buffer = AllocatePage(index_);
  const BlockNumber block = BufferGetBlockNumber(buffer);
  Change change;
  change.Begin(index_, Action::kSegment);
  const Page image = change.Rewrite(buffer);
  InitSegmentPage(image, segment_, kHeadBlock);
  *SegmentHeadOf(image) = SegmentHead{file_bytes_, data_blocks, count_};
  memcpy(DataBlocksOf(image), numbers, data_blocks * sizeof(BlockNumber));
  SetBodyBytes(image, sizeof(SegmentBody) + sizeof(SegmentHead) + data_blocks * sizeof(BlockNumber));
  SealPage(image, block);
  change.Finish();
  ReleasePage(buffer);
  pg::ReachTestPoint(pg::TestPoint::kSegmentWritten);
  return block;
}

void SegmentBuilder::End() { MemoryContextDelete(context_); }

uint32 SegmentsOf(const Index& index) {
  const Buffer buffer = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_SHARE);
  const uint32 result = MetaBodyOf(BufferGetPage(buffer))->segments;
  ReleasePage(buffer);
  return result;
}

namespace {

void SetSegmentsOf(const Index& index, uint32 segments) {
  const Buffer meta = GetPage(index.rel, index.shape, kMetaBlock, BUFFER_LOCK_EXCLUSIVE);
  Change change;
  change.Begin(index, Action::kCount);
  const Page image = change.Patch(meta);
  MetaBodyOf(image)->segments = segments;
  SealPage(image, kMetaBlock);
  change.Finish();
  ReleasePage(meta);
}

}  // namespace

void ExpectUnusedSegments(const Index& index) {
  if (SegmentsOf(index) != MetaBody::kMayBeUnused) SetSegmentsOf(index, MetaBody::kMayBeUnused);
}

bool BeginSegmentCheck(const Index& index) {
  if (SegmentsOf(index) == MetaBody::kNoSegments) return false;
  SetSegmentsOf(index, MetaBody::kBeingChecked);
  return true;
}

void FreeSegmentBlock(const Index& index, Buffer buffer, uint64 segment) {
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  const Page page = BufferGetPage(buffer);
  if (!PageIsNew(page) && IsSegment(page) && SegmentBodyOf(page)->segment == segment) {
    Change change;
    change.Begin(index, Action::kFree);
    const Page image = change.Rewrite(buffer);
    // Who still reads the segment finds that it is gone, and asks the cold page again.
    InitDeletedPage(image, InvalidBlockNumber, InvalidBlockNumber, kNoTransaction);
    SealPage(image, BufferGetBlockNumber(buffer));
    change.Finish();
    pg::ReachTestPoint(pg::TestPoint::kSegmentFreed);
  }
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
}

void FreeSegment(const Index& index, uint64 segment, BlockNumber head) {
  const char* problem;
  Buffer buffer = GetSegmentBlock(index.rel, index.shape, head, segment, kHeadBlock, &problem);
  if (!BufferIsValid(buffer)) ReportCorruption(index.rel, head, problem);
  const Page page = BufferGetPage(buffer);
  const uint32 count = Min(SegmentHeadOf(page)->data_blocks, kMaxDataBlocks);
  BlockNumber* const blocks = static_cast<BlockNumber*>(palloc((count + 1) * sizeof(BlockNumber)));
  memcpy(blocks, DataBlocksOf(page), count * sizeof(BlockNumber));
  ReleasePage(buffer);
  blocks[count] = head;
  for (uint32 i = 0; i <= count; i++) {
    CHECK_FOR_INTERRUPTS();
    buffer = GetSegmentBlock(index.rel, index.shape, blocks[i], segment, i < count ? i : kHeadBlock, &problem);
    if (!BufferIsValid(buffer)) ReportCorruption(index.rel, blocks[i], problem);
    FreeSegmentBlock(index, buffer, segment);
    ReleasePage(buffer);
    RecordFreeIndexPage(index.rel, blocks[i]);
  }
  pfree(blocks);
}

uint32 SlotsOf(const Index& index, uint64 segment, BlockNumber head) {
  const char* problem;
  const Buffer buffer = GetSegmentBlock(index.rel, index.shape, head, segment, kHeadBlock, &problem);
  if (!BufferIsValid(buffer)) ReportCorruption(index.rel, head, problem);
  const uint32 slots = SegmentHeadOf(BufferGetPage(buffer))->slots;
  ReleasePage(buffer);
  return slots;
}

namespace {

// A segment that this backend has open.
struct OpenSegment {
  cold::Reader* reader;  // null: none
  pg::FileNode file;
  BlockNumber head;
  uint64 segment;
  uint64 used;  // when, for the least recently used one to go
  BlockNumber* blocks;
  uint32 block_count;
  // During a call of the library:
  Relation rel;
  Shape shape;
  ErrorData* error;     // raised meanwhile
  const char* problem;  // or what is wrong with a block
  BlockNumber block;
};

// A reader keeps some 17 KB.
constexpr int kMaxOpen = 64;
OpenSegment open_segments[kMaxOpen];
uint64 open_clock;
MemoryContext open_context;

bool ReadFile(OpenSegment* open, uint64_t offset, size_t size, char* out) {
  while (size > 0) {
    const uint32 number = static_cast<uint32>(offset / kDataBytes);
    const size_t begin = offset % kDataBytes, bytes = Min(size, kDataBytes - begin);
    if (number >= open->block_count) {
      open->problem = "the segment is read behind its end";
      return false;
    }
    open->block = open->blocks[number];
    const Buffer buffer = GetSegmentBlock(open->rel, open->shape, open->block, open->segment, number, &open->problem);
    if (!BufferIsValid(buffer)) return false;
    const Page page = BufferGetPage(buffer);
    const bool inside = SizeOfPageHeaderData + sizeof(SegmentBody) + begin + bytes <= HeaderOf(page)->pd_lower;
    if (inside) memcpy(out, reinterpret_cast<char*>(SegmentBodyOf(page) + 1) + begin, bytes);
    ReleasePage(buffer);
    if (!inside) {
      open->problem = "it has fewer bytes of its segment than there should be";
      return false;
    }
    out += bytes;
    offset += bytes;
    size -= bytes;
  }
  return true;
}

// What the library calls: an error must not jump over its frames, and is raised again behind them.
bool ReadFileGuarded(void* context, uint64_t offset, size_t size, char* out) {
  OpenSegment* open = static_cast<OpenSegment*>(context);
  const MemoryContext memory = CurrentMemoryContext;
  const uint32 holdoff = InterruptHoldoffCount;  // (which an error sets to 0)
  volatile bool done = false;
  PG_TRY();
  { done = ReadFile(open, offset, size, out); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(memory);
    open->error = CopyErrorData();
    FlushErrorState();
    InterruptHoldoffCount = holdoff;
  }
  PG_END_TRY();
  return done;
}

void Close(OpenSegment* open) {
  if (open->reader != nullptr) ColdLibrary().close(open->reader);
  if (open->blocks != nullptr) pfree(open->blocks);
  open->reader = nullptr;
  open->blocks = nullptr;
}

// Calls the library; returns what is wrong, or null.
template <typename Call>
const char* CallLibrary(OpenSegment* open, const Index& index, Call call) {
  open->rel = index.rel;
  open->shape = index.shape;
  open->error = nullptr;
  open->problem = nullptr;
  open->block = open->head;
  HOLD_INTERRUPTS();
  const cold::Status status = call();
  RESUME_INTERRUPTS();
  if (status == cold::Status::kOk) return nullptr;
  if (open->error != nullptr) {
    ErrorData* const error = open->error;
    Close(open);
    ReThrowError(error);
  }
  if (status == cold::Status::kNoMemory) {
    Close(open);
    ereport(ERROR,
            (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"), errdetail("RocksDB failed to read a segment.")));
  }
  if (open->problem != nullptr) return open->problem;
  open->block = open->head;
  return status == cold::Status::kNotFound ? "its segment lacks a leaf" : "its segment is damaged";
}

// The segment of a leaf, open; null if there is a problem.
OpenSegment* Open(const Index& index, const ColdLeaf& leaf, const char** problem, BlockNumber* block) {
  OpenSegment* oldest = &open_segments[0];
  for (OpenSegment& open : open_segments) {
    if (open.reader != nullptr && open.segment == leaf.segment && open.head == leaf.head &&
        pg::FileNodesEqual(open.file, pg::FileNodeOf(index.rel))) {
      open.used = ++open_clock;
      return &open;
    }
    if (oldest->reader != nullptr && (open.reader == nullptr || open.used < oldest->used)) oldest = &open;
  }
  const cold::Api& library = ColdLibrary();
  OpenSegment* const open = oldest;
  Close(open);
  *block = leaf.head;
  const Buffer buffer = GetSegmentBlock(index.rel, index.shape, leaf.head, leaf.segment, kHeadBlock, problem);
  if (!BufferIsValid(buffer)) return nullptr;
  const Page page = BufferGetPage(buffer);
  const SegmentHead head = *SegmentHeadOf(page);
  const size_t body = HeaderOf(page)->pd_lower - SizeOfPageHeaderData;
  const bool sound = body >= sizeof(SegmentBody) + sizeof(SegmentHead) && head.data_blocks <= kMaxDataBlocks &&
                     body == sizeof(SegmentBody) + sizeof(SegmentHead) + head.data_blocks * sizeof(BlockNumber) &&
                     (head.file_bytes + kDataBytes - 1) / kDataBytes == head.data_blocks && leaf.slot < head.slots;
  if (sound) {
    if (open_context == nullptr)
      open_context = AllocSetContextCreate(TopMemoryContext, "omendb open segments", ALLOCSET_SMALL_SIZES);
    open->block_count = head.data_blocks;
    open->blocks = static_cast<BlockNumber*>(
        MemoryContextAllocExtended(open_context, head.data_blocks * sizeof(BlockNumber), MCXT_ALLOC_NO_OOM));
    if (open->blocks != nullptr) memcpy(open->blocks, DataBlocksOf(page), head.data_blocks * sizeof(BlockNumber));
  }
  ReleasePage(buffer);
  if (!sound) {
    *problem = "it is a malformed head of a segment";
    return nullptr;
  }
  if (open->blocks == nullptr) ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
  open->file = pg::FileNodeOf(index.rel);
  open->head = leaf.head;
  open->segment = leaf.segment;
  open->used = ++open_clock;
  const cold::Source source = {open, head.file_bytes, ReadFileGuarded};
  *problem = CallLibrary(open, index, [&] { return library.open(source, &open->reader); });
  if (*problem == nullptr) return open;
  *block = open->block;
  Close(open);
  return nullptr;
}

struct alignas(core::kCacheLine) StoredRoom {
  char bytes[sizeof(StoredLeaf) + BLCKSZ];
};
StoredRoom stored_room;

}  // namespace

const char* ReadStoredLeaf(const Index& index, const ColdLeaf& leaf, Page page, BlockNumber* block) {
  const char* problem = nullptr;
  OpenSegment* const open = Open(index, leaf, &problem, block);
  if (open == nullptr) return problem;
  const cold::Api& library = ColdLibrary();
  char* const stored = stored_room.bytes;
  size_t size = 0;
  problem = CallLibrary(open, index,
                        [&] { return library.get(open->reader, leaf.slot, stored, sizeof stored_room.bytes, &size); });
  if (problem != nullptr) {
    *block = open->block;
    Close(open);
    return problem;
  }
  *block = leaf.head;
  StoredLeaf head;
  if (size < sizeof head + SizeOfPageHeaderData) return "a leaf in its segment is too short";
  memcpy(&head, stored, sizeof head);
  if (head.magic != kStoredMagic) return "a leaf in its segment has a wrong magic number";
  if (head.segment != leaf.segment || head.slot != leaf.slot) return "a leaf in its segment belongs to another place";
  if (head.crc != leaf.crc || head.crc != CrcOf(stored, size))
    return "the checksum of a leaf in its segment does not match";
  PageHeaderData header;
  memcpy(&header, stored + sizeof head, SizeOfPageHeaderData);
  const size_t upper = BLCKSZ - header.pd_upper;
  if (header.pd_lower < SizeOfPageHeaderData || header.pd_upper > BLCKSZ || header.pd_lower > header.pd_upper ||
      size != sizeof head + header.pd_lower + upper)
    return "a leaf in its segment has a damaged page header";
  memcpy(page, stored + sizeof head, header.pd_lower);
  memset(page + header.pd_lower, 0, header.pd_upper - header.pd_lower);
  memcpy(page + header.pd_upper, stored + sizeof head + header.pd_lower, upper);
  if (!PageIsSound(page, index.shape, head.block, &problem)) return problem;
  const NodePage view(page, index.shape);
  if (!IsNode(page) || IsCold(page) || view.level() != 0 || view.incomplete_split())
    return "what is in its segment is no leaf";
  if (view.entry_count() != leaf.entries) return "a leaf in its segment has not as many entries as there should be";
  *block = head.block;
  return nullptr;
}

}  // namespace omendb::tree
