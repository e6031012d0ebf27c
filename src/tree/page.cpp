#include "tree/page.h"

#include "tree/cold_page.h"
#include "tree/index_cache.h"
#include "tree/killed.h"
#include "tree/segment.h"

#include "pg/compat.h"

extern "C" {
#include "access/htup_details.h"
#include "port/pg_crc32c.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace omendb::tree {

using core::Bound;
using core::Direction;
using core::Key;
using core::Node;
using core::NodeHeader;

namespace {

const uint8_t* BodyOf(Page page) { return reinterpret_cast<const uint8_t*>(page) + SizeOfPageHeaderData; }

bool HoldsNode(const PageSpecial& special) { return (special.flags & kNoNode) == 0; }

pg_crc32c BaseCrc(Page page) {
  const NodeHeader* header = reinterpret_cast<const NodeHeader*>(BodyOf(page));
  pg_crc32c crc;
  INIT_CRC32C(crc);
  COMP_CRC32C(crc, BodyOf(page), header->size);
  FIN_CRC32C(crc);
  return crc;
}

uint8_t* MutableBodyOf(Page page) { return reinterpret_cast<uint8_t*>(page) + SizeOfPageHeaderData; }

// What a page with a new node has besides: no delta.
void FinishNode(Page page) {
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  PageSpecial* special = SpecialOf(page);
  header->pd_lower =
      static_cast<LocationIndex>(SizeOfPageHeaderData + reinterpret_cast<const NodeHeader*>(BodyOf(page))->size);
  header->pd_upper = header->pd_special;
  special->delta_count = 0;
  special->base_crc = BaseCrc(page);
}

// Everything but the LSN and checksum that PostgreSQL maintains, the hole, the
// node image, and the field itself.  The block number guards against exchanged pages.
pg_crc32c PageCrc(Page page, BlockNumber block) {
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  PageSpecial special = *SpecialOf(page);
  special.page_crc = 0;
  size_t after_base = SizeOfPageHeaderData;
  if (HoldsNode(special)) after_base += reinterpret_cast<const NodeHeader*>(BodyOf(page))->size;
  pg_crc32c crc;
  INIT_CRC32C(crc);
  COMP_CRC32C(crc, &block, sizeof block);
  COMP_CRC32C(crc, &header->pd_lower, sizeof header->pd_lower);
  COMP_CRC32C(crc, &header->pd_upper, sizeof header->pd_upper);
  COMP_CRC32C(crc, page + after_base, header->pd_lower - after_base);
  COMP_CRC32C(crc, page + header->pd_upper, header->pd_special - header->pd_upper);
  COMP_CRC32C(crc, &special, sizeof special);
  FIN_CRC32C(crc);
  return crc;
}

// Whether the TIDs of a leaf can be given to PostgreSQL: it trusts that offsets are
// possible ones, and to read the block InvalidBlockNumber extends a table.
bool TidsAreValid(const NodePage& page) {
  const auto is_valid = [](uint32 offset) { return offset >= FirstOffsetNumber && offset <= MaxHeapTuplesPerPage; };
  const core::Node& node = page.node();
  const NodeHeader& header = node.header();
  if (header.count > 0) {
    const uint32 last_offset = uint32{header.tid_bias} + header.tid_span;
    if (!is_valid(header.tid_bias) || !is_valid(last_offset)) return false;
    const uint64_t limit = uint64_t{InvalidBlockNumber} * (uint64{header.tid_span} + 1);
    // The column's header alone vouches for those of almost every page.
    const bool all_below = node.tid_column().IsBelow(limit, header.count);
    uint64_t numbers[256], largest = 0;
    for (uint32 begin = 0; !all_below && begin < header.count; begin += lengthof(numbers)) {
      const uint32 end = Min(header.count, begin + lengthof(numbers));
      node.tid_column().Decode(begin, end, numbers);
      for (uint32 i = 0; i < end - begin; i++) largest = Max(largest, numbers[i]);
    }
    if (largest >= limit) return false;
  }
  for (uint32 rank = 0; rank < page.delta_count(); rank++) {
    const core::Tid tid = page.DeltaTidAt(rank);
    if (!is_valid(static_cast<uint32>(core::TidOffset(tid))) || core::TidBlock(tid) == InvalidBlockNumber) return false;
  }
  return true;
}

constexpr const char* kUnknownVersion = "its format version is not known";

// Checks a page that this backend has not met, and remembers that it is sound.
void Verify(Relation rel, const Shape& shape, Buffer buffer) {
  const BlockNumber block = BufferGetBlockNumber(buffer);
  const Page page = BufferGetPage(buffer);
  const char* problem;
  if (!PageIsSound(page, shape, block, &problem)) ReportUnsound(rel, page, block, problem);
  RememberVerified(rel, block);
}

// Past the end of the file the error would be PostgreSQL's, and say nothing of a
// damaged index; and to read InvalidBlockNumber would extend the file.
void ExpectInFile(Relation rel, BlockNumber block) {
  if (block >= RelationGetNumberOfBlocks(rel))
    ReportCorruption(rel, block,
                     block <= kRootBlock ? "the file ends before it" : "a link leads to it, but the file ends before");
}

// Verifies a page that this backend has not met, and before it the metapage:
// whoever comes by a cold relation also learns whether it is ours at all.
void VerifyFirst(Relation rel, const Shape& shape, Buffer buffer) {
  if (!IsVerified(rel, kMetaBlock) && BufferGetBlockNumber(buffer) != kMetaBlock) {
    const Buffer meta = ReadBuffer(rel, kMetaBlock);
    LockBuffer(meta, BUFFER_LOCK_SHARE);
    Verify(rel, shape, meta);
    if ((SpecialOf(BufferGetPage(meta))->flags & kMetaPage) == 0)
      ReportCorruption(rel, kMetaBlock, "it is not a metapage");
    UnlockReleaseBuffer(meta);
  }
  Verify(rel, shape, buffer);
}

template <typename T>
T LoadUnaligned(const uint8_t* at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

// Reads the fields of a delta entry with `values` value columns.
core::Tid DeltaTid(const uint8_t* entry, int values) {
  const uint8_t* at = entry + 8 * values;
  return static_cast<core::Tid>(LoadUnaligned<uint32>(at)) << core::kTidOffsetBits | LoadUnaligned<uint16>(at + 4);
}
uint8 DeltaClass(const uint8_t* entry, int values, int column) { return entry[8 * values + 6 + column]; }
uint64 DeltaValue(const uint8_t* entry, int values, const Shape& shape, int column) {
  const uint64 value = LoadUnaligned<uint64>(entry + 8 * column);
  const bool is_bytes = shape.is_bytes(column) && DeltaClass(entry, values, column) == core::kValue;
  return unlikely(is_bytes) ? core::WordOf(entry + value) : value;
}
void DeltaKey(const uint8_t* entry, int values, const Shape& shape, Key* key) {
  key->tid = DeltaTid(entry, values);
  for (int c = 0; c < shape.key_columns; c++) {
    key->cls[c] = DeltaClass(entry, values, c);
    key->ordinal[c] = DeltaValue(entry, values, shape, c);
  }
}

}  // namespace

void EntryKey(const Entry& entry, const Shape& shape, Key* key) {
  key->tid = entry.tid;
  for (int c = 0; c < shape.key_columns; c++) {
    key->cls[c] = entry.cls[c];
    key->ordinal[c] = entry.cls[c] == core::kValue ? entry.value[c] : 0;
  }
}

size_t NodePage::delta_bytes() const {
  const PageHeader header = reinterpret_cast<PageHeader>(page_);
  return static_cast<size_t>(header->pd_special - header->pd_upper) + delta_count() * DeltaPlace(shape_, inner());
}

bool NodePage::HasDeltaRoom(size_t bytes) const { return delta_count() < MaxDeltaEntries() && FitsDelta(bytes); }

bool NodePage::FitsDelta(size_t bytes) const {
  const PageHeader header = reinterpret_cast<PageHeader>(page_);
  return delta_count() < kMaxDelta &&
         static_cast<size_t>(header->pd_upper - header->pd_lower) >= bytes + DeltaPlace(shape_, inner());
}

core::Tid NodePage::DeltaTidAt(uint32_t rank) const { return DeltaTid(DeltaAt(rank), value_columns()); }

void NodePage::DeltaKeyAt(uint32_t rank, Key* key) const { DeltaKey(DeltaAt(rank), value_columns(), shape_, key); }

void NodePage::DeltaEntryAt(uint32_t rank, Entry* out) const {
  const uint8_t* entry = DeltaAt(rank);
  const int values = value_columns();
  out->tid = DeltaTid(entry, values);
  for (int c = 0; c < values; c++) {
    out->cls[c] = DeltaClass(entry, values, c);
    out->value[c] = DeltaValue(entry, values, shape_, c);
  }
  out->child = inner() ? LoadUnaligned<uint32>(entry + 9 * values + 6) : InvalidBlockNumber;
}

bool NodePage::DeltaIsSound() const {
  const PageHeader header = reinterpret_cast<PageHeader>(page_);
  if (node_.header().bytes_columns == 0) return header->pd_upper == header->pd_special - delta_count() * delta_stride();
  const Shape shape = node_.shape();
  uint32 end = header->pd_special;
  for (uint32 slot = 0; slot < delta_count(); slot++) {
    const uint32 begin = DeltaOffsetAt(slot);
    if (begin < header->pd_upper || begin + delta_stride() > end) return false;
    const uint8_t* entry = reinterpret_cast<const uint8_t*>(page_) + begin;
    size_t values = 0;
    for (uint64 left = shape.bytes_columns; left != 0; left &= left - 1) {
      const int c = __builtin_ctzll(left);
      if (DeltaClass(entry, value_columns(), c) != core::kValue) continue;
      const uint64 at = LoadUnaligned<uint64>(entry + 8 * c);
      // (First by itself: the sum may overflow.)
      if (at < delta_stride() || at > end - begin || at + core::kValueSizeBytes > end - begin) return false;
      values += core::StoredBytes(core::WordOf(entry + at));
      if (at + core::StoredBytes(core::WordOf(entry + at)) > end - begin) return false;
    }
    if (values > core::kMaxEntryBytes) return false;
    end = begin;
  }
  return end == header->pd_upper;
}

BlockNumber NodePage::DeltaChildAt(uint32_t rank) const {
  return LoadUnaligned<uint32>(DeltaAt(rank) + 9 * value_columns() + 6);
}

uint32_t NodePage::DeltaLowerBound(const Bound& bound) const {
  uint32_t begin = 0, end = delta_count();
  const int values = value_columns();
  while (begin < end) {
    const uint32_t middle = (begin + end) / 2;
    const uint8_t* entry = DeltaAt(middle);
    bool below;
    // The first column decides almost always.
    const uint64 ordinal = LoadUnaligned<uint64>(entry);
    if (bound.columns > 0 && !shape_.is_bytes(0) && bound.key.cls[0] == core::kValue &&
        DeltaClass(entry, values, 0) == core::kValue && ordinal != bound.key.ordinal[0]) {
      below = ordinal < bound.key.ordinal[0];
    } else {
      Key key;
      DeltaKeyAt(middle, &key);
      below = core::CompareBound(bound, key, shape_) > 0;
    }
    if (below)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

BlockNumber NodePage::ChildFor(const Bound& bound, Direction direction) const {
  // The base's candidate is never missing: its first separator is the low fence.
  const uint32_t index = node_.ChildFor(bound, direction);
  if (delta_count() == 0) return node_.ChildAt(index);

  Key key;
  uint32_t rank = DeltaLowerBound(bound);
  if (direction == Direction::kForward && rank < delta_count()) {
    DeltaKeyAt(rank, &key);
    if (core::CompareBound(bound, key, shape_) == 0) return DeltaChildAt(rank);
  }
  if (rank == 0) return node_.ChildAt(index);
  rank--;
  // Both are candidates: the later separator is the closer one.
  Key base_key;
  core::KeyBytes memory;
  DeltaKeyAt(rank, &key);
  node_.KeyAt(index, &memory, &base_key);
  return core::CompareKeys(base_key, key, shape_) > 0 ? node_.ChildAt(index) : DeltaChildAt(rank);
}

void InitPage(Page page, BlockNumber left, BlockNumber right, uint16 flags) {
  PageInit(page, BLCKSZ, sizeof(PageSpecial));
  PageSpecial* special = SpecialOf(page);
  special->left = left;
  special->right = right;
  special->flags = flags;
  special->version = kFormatVersion;
  special->page_id = kPageId;
}

void PutNode(Page page, const core::Entries& entries, const core::NodePlan& plan, uint32 level, const Key& low,
             const Key* high) {
  if (unlikely(plan.size > kPageCapacity)) elog(ERROR, "omendb: a node of %zu bytes does not fit a page", plan.size);
  core::WriteNode(entries, plan, level, low, high, MutableBodyOf(page));
  FinishNode(page);
}

void PutTail(Page page, const core::Entries& tail, uint32 from, const core::NodePlan& plan) {
  core::WriteTail(tail, from, plan, MutableBodyOf(page));
  FinishNode(page);
}

size_t EncodedDeltaBytes(const Shape& shape, bool inner, const Entry& entry) {
  size_t bytes = NodePage::DeltaStride(shape, inner);
  for (uint64 left = (inner ? shape.Inner() : shape).bytes_columns; left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    if (entry.cls[c] == core::kValue) bytes += core::StoredBytes(entry.value[c]);
  }
  return bytes;
}

void EncodeDelta(const Shape& shape, bool inner, const Entry& entry, uint8_t* bytes) {
  const int values = inner ? shape.key_columns : shape.value_columns;
  uint8_t* const start = bytes;
  uint8_t* next = start + NodePage::DeltaStride(shape, inner);
  for (int c = 0; c < values; c++, bytes += 8) {
    uint64 value = entry.cls[c] == core::kValue ? entry.value[c] : 0;
    if (shape.is_bytes(c) && entry.cls[c] == core::kValue) {
      value = static_cast<uint64>(next - start);
      next = core::StoreBytes(core::ViewOf(entry.value[c]), next);
    }
    memcpy(bytes, &value, 8);
  }
  const uint32 block = static_cast<uint32>(core::TidBlock(entry.tid));
  const uint16 offset = static_cast<uint16>(core::TidOffset(entry.tid));
  memcpy(bytes, &block, 4);
  memcpy(bytes + 4, &offset, 2);
  memcpy(bytes + 6, entry.cls, static_cast<size_t>(values));
  if (inner) memcpy(bytes + 6 + values, &entry.child, 4);
}

uint32_t DeltaRankOf(const NodePage& page, const Shape& shape, const Entry& entry) {
  Key key;
  Bound bound;
  EntryKey(entry, shape, &key);
  core::SetBoundBefore(&bound, key, shape.key_columns);
  return page.DeltaLowerBound(bound);
}

uint32_t DeltaRankOfEncoded(const NodePage& page, const Shape& shape, const uint8_t* bytes) {
  Key key;
  Bound bound;
  DeltaKey(bytes, page.value_columns(), shape, &key);
  core::SetBoundBefore(&bound, key, shape.key_columns);
  return page.DeltaLowerBound(bound);
}

void AppendEncodedDelta(Page page, const Shape& shape, const uint8_t* bytes, size_t size, uint32_t rank) {
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  PageSpecial* special = SpecialOf(page);
  const NodePage view(page, shape);
  const uint32_t count = special->delta_count;
  const bool with_offsets = view.node().header().bytes_columns != 0;

  header->pd_upper = static_cast<LocationIndex>(header->pd_upper - size);
  memcpy(page + header->pd_upper, bytes, size);
  uint8_t* order = reinterpret_cast<uint8_t*>(page) + SizeOfPageHeaderData + view.node().header().size;
  // The offsets, if there are any, follow the order, and the new one comes last.
  uint8_t* offsets = order + count;
  if (with_offsets) {
    memmove(offsets + 1, offsets, count * sizeof(uint16));
    memcpy(offsets + 1 + count * sizeof(uint16), &header->pd_upper, sizeof(uint16));
  }
  memmove(order + rank + 1, order + rank, count - rank);
  order[rank] = static_cast<uint8_t>(count);
  header->pd_lower = static_cast<LocationIndex>(header->pd_lower + (with_offsets ? 3 : 1));
  special->delta_count++;
}

void AppendDelta(Page page, const Shape& shape, const Entry& entry) {
  uint8_t bytes[9 * core::kMaxValueColumns + 10 + core::kMaxEntryBytes];
  const NodePage view(page, shape);
  const size_t size = EncodedDeltaBytes(shape, view.inner(), entry);
  if (unlikely(!view.FitsDelta(size))) elog(ERROR, "omendb: an entry of %zu bytes does not fit its page", size);
  EncodeDelta(shape, view.inner(), entry, bytes);
  AppendEncodedDelta(page, shape, bytes, size, DeltaRankOf(view, shape, entry));
}

void InitMetaPage(Page page, const Shape& shape) {
  InitPage(page, InvalidBlockNumber, InvalidBlockNumber, kMetaPage);
  MetaBody* meta = MetaBodyOf(page);
  memset(meta, 0, sizeof *meta);
  meta->magic = kMagic;
  meta->version = kFormatVersion;
  meta->key_columns = static_cast<uint32>(shape.key_columns);
  meta->value_columns = static_cast<uint32>(shape.value_columns);
  meta->bytes_columns = shape.bytes_columns;
  reinterpret_cast<PageHeader>(page)->pd_lower = SizeOfPageHeaderData + sizeof(MetaBody);
  SealPage(page, kMetaBlock);
}

void InitDeletedPage(Page page, BlockNumber left, BlockNumber right, FullTransactionId safe_xid) {
  InitPage(page, left, right, kDeletedPage);
  DeletedBodyOf(page)->safe_xid = safe_xid;
  reinterpret_cast<PageHeader>(page)->pd_lower = SizeOfPageHeaderData + sizeof(DeletedBody);
}

void SealPage(Page page, BlockNumber block) {
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  if (MayHaveKilled(page)) {
    // Generic WAL zeroes the hole of logged pages only.
    memset(page + header->pd_lower, 0, header->pd_upper - header->pd_lower);
    header->pd_flags &= static_cast<uint16>(~PD_HAS_FREE_LINES);
  }
  SpecialOf(page)->page_crc = PageCrc(page, block);
}

bool PageIsSound(Page page, const Shape& shape, BlockNumber block, const char** problem) {
  const auto fails = [problem](const char* what) {
    *problem = what;
    return false;
  };
  const PageHeader header = reinterpret_cast<PageHeader>(page);
  if (PageIsNew(page)) return fails("it is all zeros");
  if (PageGetPageSize(page) != BLCKSZ || header->pd_special != BLCKSZ - sizeof(PageSpecial) ||
      header->pd_lower < SizeOfPageHeaderData || header->pd_lower > header->pd_upper ||
      header->pd_upper > header->pd_special)
    return fails("its page header is damaged");
  const PageSpecial& special = *SpecialOf(page);
  if (special.page_id != kPageId) return fails("it is not a page of an omendb index");
  if (special.version != kFormatVersion) return fails(kUnknownVersion);

  const size_t body = header->pd_lower - SizeOfPageHeaderData;
  if (HoldsNode(special)) {
    if (body < sizeof(NodeHeader) || reinterpret_cast<const NodeHeader*>(BodyOf(page))->size > body)
      return fails("its node is larger than the page");
  } else if (body < ((special.flags & kMetaPage) != 0      ? sizeof(MetaBody)
                     : (special.flags & kDeletedPage) != 0 ? sizeof(DeletedBody)
                                                           : sizeof(SegmentBody))) {
    return fails("its body is too short");
  }
  if (special.page_crc != PageCrc(page, block)) return fails("its checksum does not match");
  if (!HoldsNode(special)) {
    if ((special.flags & kMetaPage) == 0) return true;
    const MetaBody& meta = *MetaBodyOf(page);
    if (meta.magic != kMagic) return fails("its magic number is wrong");
    if (meta.version != kFormatVersion) return fails(kUnknownVersion);
    if (meta.key_columns != static_cast<uint32>(shape.key_columns) ||
        meta.value_columns != static_cast<uint32>(shape.value_columns) || meta.bytes_columns != shape.bytes_columns)
      return fails("its columns are not those of the index");
    return true;
  }
  if (special.base_crc != BaseCrc(page)) return fails("its node's checksum does not match");
  if ((special.flags & kColdPage) != 0) return ColdPageIsSound(page, shape, body, problem);
  if (!Node::IsValid(BodyOf(page), body, shape)) return fails("its node is malformed");
  // From here on the node can be read; now the delta.
  const NodePage view(page, shape);
  const uint32_t count = special.delta_count;
  if (count > kMaxDelta ||
      header->pd_lower !=
          SizeOfPageHeaderData + view.node().header().size + count * NodePage::DeltaPlace(shape, view.inner()) ||
      !view.DeltaIsSound())
    return fails("its delta is malformed");
  const uint8_t* order = BodyOf(page) + view.node().header().size;
  uint64 seen = 0;
  for (uint32_t rank = 0; rank < count; rank++) {
    if (order[rank] >= count || (seen >> order[rank] & 1) != 0) return fails("its delta order is malformed");
    seen |= UINT64CONST(1) << order[rank];
  }
  if (view.inner() && view.node().count() == 0) return fails("it is an inner page without children");
  if (view.node().has_high_fence() != (view.right() != InvalidBlockNumber))
    return fails("it must have a high fence exactly if it has a right sibling");
  if (!view.inner() && !TidsAreValid(view)) return fails("an entry's TID is not valid");
  return true;
}

Buffer PinPage(Relation rel, BlockNumber block, BufferAccessStrategy strategy) {
  if (!IsVerified(rel, block)) ExpectInFile(rel, block);
  return ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
}

void LockPage(Relation rel, const Shape& shape, Buffer buffer, int lock_mode) {
  LockBuffer(buffer, lock_mode);
  if (likely(IsVerified(rel, BufferGetBlockNumber(buffer)))) return;
  VerifyFirst(rel, shape, buffer);
}

Buffer GetPage(Relation rel, const Shape& shape, BlockNumber block, int lock_mode) {
  const bool verified = IsVerified(rel, block);
  if (unlikely(!verified)) ExpectInFile(rel, block);
  const Buffer buffer = ReadBuffer(rel, block);
  PrefetchPage(buffer);
  LockBuffer(buffer, lock_mode);
  if (unlikely(!verified)) VerifyFirst(rel, shape, buffer);
  return buffer;
}

Buffer GetPageAgain(Relation rel, const Shape& shape, BlockNumber block, Buffer recent, int lock_mode) {
  if (!BufferIsValid(recent) || BufferIsLocal(recent) || !pg::PinRecentBuffer(rel, block, recent))
    return GetPage(rel, shape, block, lock_mode);
  LockPage(rel, shape, recent, lock_mode);
  return recent;
}

Buffer GetFurtherPage(Relation rel, const Shape& shape, BlockNumber block, int lock_mode) {
  const Buffer buffer = PinPage(rel, block, nullptr);
  if (pg::IsLockedByMe(buffer)) ReportCorruption(rel, block, "a link leads back to it");
  LockPage(rel, shape, buffer, lock_mode);
  return buffer;
}

bool IsRecyclable(Page page) {
  if (PageIsNew(page)) return true;
  return IsDeleted(page) && GlobalVisCheckRemovableFullXid(nullptr, DeletedBodyOf(page)->safe_xid);
}

Buffer AllocatePage(const Index& index) {
  for (;;) {
    const BlockNumber block = GetFreeIndexPage(index.rel);
    if (block == InvalidBlockNumber) break;
    const Buffer buffer = ReadBuffer(index.rel, block);
    // Another backend, or this one, may hold the page's lock already: then it is not free.
    if (ConditionalLockBuffer(buffer)) {
      const char* problem;
      const Page page = BufferGetPage(buffer);
      if (PageIsNew(page) || (PageIsSound(page, index.shape, block, &problem) && IsRecyclable(page))) {
        pg::ReachTestPoint(pg::TestPoint::kPageRecycled);
        return buffer;
      }
      LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    }
    ReleaseBuffer(buffer);
  }
  const Buffer buffer = pg::ExtendRelation(index.rel);
  pg::ReachTestPoint(pg::TestPoint::kPageExtended);
  return buffer;
}

void ReportUnsound(Relation rel, Page page, BlockNumber block, const char* problem) {
  if (problem == kUnknownVersion) {
    const uint32 of_page = SpecialOf(page)->version;
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\" has a format that this version of omendb does not know",
                           RelationGetRelationName(rel)),
                    errdetail("Block %u has format version %u; version %u is known.", block,
                              of_page != kFormatVersion ? of_page : MetaBodyOf(page)->version, kFormatVersion),
                    errhint("Install the version of omendb that wrote it, or REINDEX it.")));
  }
  ReportCorruption(rel, block, problem);
}

void ReportCorruption(Relation rel, BlockNumber block, const char* problem) {
  ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                  errmsg("index \"%s\" contains a corrupted page at block %u", RelationGetRelationName(rel), block),
                  errdetail("Block %u: %s.", block, problem), errhint("Please REINDEX it.")));
  pg_unreachable();
}

}  // namespace omendb::tree
