#include "tree/log.h"

#include "tree/killed.h"

extern "C" {
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "utils/guc.h"
}

namespace omendb::tree {

namespace {

// The number of the resource manager: none that PostgreSQL's wiki has in its list.
constexpr int kDefaultManager = 219;
int resource_manager = kDefaultManager;
bool registered;

// The pages' copies, and what is logged of them.  A recoded page's data are at most as
// long as its image, or it is logged as one.
struct alignas(core::kCacheLine) Scratch {
  char image[BLCKSZ];
  char data[BLCKSZ];
};
Scratch scratch[Change::kMaxPages];

// Where the parts of a recoded page's data wait that come behind the head.
constexpr size_t kRestOffset = BLCKSZ / 4;

PageHeader HeaderOf(Page page) { return reinterpret_cast<PageHeader>(page); }

// Copies a page but for its hole, which becomes zeros.
void CopyPage(Page to, const char* from) {
  const PageHeaderData& header = *reinterpret_cast<const PageHeaderData*>(from);
  const uint16 lower = header.pd_lower, upper = header.pd_upper;
  memcpy(to, from, lower);
  memset(to + lower, 0, upper - lower);
  memcpy(to + upper, from + upper, BLCKSZ - upper);
}

// Collects the fragments of a page that differ.
class PatchWriter {
 public:
  explicit PatchWriter(char* out) : out_(out), bytes_(0) {}

  // Of [begin, end) of the new page, of which the old one has valid bytes in
  // [old_begin, old_end).  False if there is too much for a patch.
  bool Compare(const char* old_page, const char* page, uint32 begin, uint32 end, uint32 old_begin, uint32 old_end) {
    const auto equal = [&](uint32 i) { return i >= old_begin && i < old_end && old_page[i] == page[i]; };
    uint32 i = begin;
    while (i < end) {
      // Most of a page is as it was.
      while (i + sizeof(uint64) <= end && i >= old_begin && i + sizeof(uint64) <= old_end &&
             memcmp(old_page + i, page + i, sizeof(uint64)) == 0)
        i += sizeof(uint64);
      if (i >= end) break;
      if (equal(i)) {
        i++;
        continue;
      }
      uint32 last = i;  // that differs
      for (uint32 j = i + 1; j < end && j - last <= kHeader; j++)
        if (!equal(j)) last = j;
      if (!Write(page, i, last + 1 - i)) return false;
      i = last + 1;
    }
    return true;
  }

  uint32 bytes() const { return bytes_; }

 private:
  static constexpr uint32 kHeader = 2 * sizeof(uint16);

  bool Write(const char* page, uint32 offset, uint32 length) {
    if (bytes_ + kHeader + length > BLCKSZ / 2) return false;
    const uint16 header[] = {static_cast<uint16>(offset), static_cast<uint16>(length)};
    memcpy(out_ + bytes_, header, kHeader);
    memcpy(out_ + bytes_ + kHeader, page + offset, length);
    bytes_ += kHeader + length;
    return true;
  }

  char* out_;
  uint32 bytes_;
};

// Writes the patch that makes the old page the new one; false if the image is shorter.
bool WritePatch(Page old_page, Page page, char* out, uint32* bytes) {
  PatchWriter writer(out);
  if (PageIsNew(old_page) ||
      !writer.Compare(old_page, page, 0, HeaderOf(page)->pd_lower, 0, HeaderOf(old_page)->pd_lower) ||
      !writer.Compare(old_page, page, HeaderOf(page)->pd_upper, BLCKSZ, HeaderOf(old_page)->pd_upper, BLCKSZ))
    return false;
  *bytes = writer.bytes();
  return true;
}

// What a recoded page's data begin with, all but what its copy says.
bool WriteMore(const core::Entries* more, char* out, uint32 room, uint16* bytes) {
  *bytes = 0;
  if (more == nullptr || more->count == 0) return true;
  if (more->count > core::kMaxEntries) return false;
  // A copy: planning writes to the entries, and these may be a part of others that were
  // planned before.
  const size_t memory_bytes = core::EntriesBytes(more->count, more->shape(), more->inner);
  void* memory = palloc(memory_bytes);
  core::Entries copy;
  core::LayOutEntries(&copy, memory, more->count, more->shape(), more->inner);
  core::AppendEntries(&copy, *more);
  core::NodePlan plan;
  core::Key low;
  core::SetMinusInfinity(&low, copy.key_columns);
  core::PlanNode(copy, nullptr, &plan);
  const bool fits = plan.size <= room;
  if (fits) {
    core::WriteNode(copy, plan, copy.inner ? 1 : 0, low, nullptr, reinterpret_cast<uint8_t*>(out));
    *bytes = static_cast<uint16>(plan.size);
  }
  pfree(memory);
  return fits;
}

}  // namespace

bool Change::CanSayConflict(Relation rel) { return registered || !RelationNeedsWAL(rel); }

void Change::Begin(const Index& index, Action action) {
  index_ = index;
  action_ = action;
  parts_ = 0;
  horizon_ = InvalidTransactionId;
  generic_ = !registered && RelationNeedsWAL(index.rel) ? GenericXLogStart(index.rel) : nullptr;
}

Page Change::Register(Buffer buffer, PageOp op) {
  Assert(parts_ < kMaxPages);
  part_[parts_] = {buffer, op, 0, 0};
  const int i = parts_++;
  if (generic_ != nullptr)
    return GenericXLogRegisterBuffer(generic_, buffer, op == PageOp::kImage ? GENERIC_XLOG_FULL_IMAGE : 0);
  memcpy(scratch[i].image, BufferGetPage(buffer), BLCKSZ);
  return scratch[i].image;
}

Page Change::RewriteAs(Buffer buffer, const Recode& recode) {
  const int i = parts_;
  const Page image = Register(buffer, PageOp::kImage);
  if (generic_ != nullptr || !RelationNeedsWAL(index_.rel) || index_.shape.bytes_columns != 0) return image;
  RecodeHeader header;
  memset(&header, 0, sizeof header);
  header.keep_begin = static_cast<uint16>(recode.keep_begin);
  header.keep_end = static_cast<uint16>(recode.keep_end);
  header.removed_count = static_cast<uint16>(recode.removed_count);
  // The head comes between the header and the rest, once it is known (Finish).
  const size_t removed_bytes = recode.removed_count * sizeof(uint16);
  if (removed_bytes > BLCKSZ / 4) return image;
  char* const rest = scratch[i].data + kRestOffset;
  if (removed_bytes > 0) memcpy(rest, recode.removed, removed_bytes);
  const size_t more_at = MAXALIGN(removed_bytes);
  if (!WriteMore(recode.more, rest + more_at, static_cast<uint32>(BLCKSZ - kRestOffset - more_at), &header.more_bytes))
    return image;
  memcpy(scratch[i].data, &header, sizeof header);
  part_[i].op = PageOp::kRecode;
  return image;
}

void Change::BeginAppend(Buffer buffer) {
  const int i = parts_;
  if (generic_ != nullptr) {
    Register(buffer, PageOp::kAppend);
    return;
  }
  part_[i] = {buffer, PageOp::kAppend, 0, 0};
  parts_++;
}

void Change::Append(const Entry& entry) {
  const int i = parts_ - 1;
  Part& part = part_[i];
  const NodePage page(BufferGetPage(part.buffer), index_.shape);
  const size_t size = EncodedDeltaBytes(index_.shape, page.inner(), entry);
  if (page.node().header().bytes_columns != 0) {
    const AppendedHeader header = {static_cast<uint8>(DeltaRankOf(page, index_.shape, entry) + part.entries),
                                   static_cast<uint16>(size)};
    memcpy(scratch[i].data + part.bytes, &header, sizeof header);
    part.bytes += sizeof header;
  }
  EncodeDelta(index_.shape, page.inner(), entry, reinterpret_cast<uint8_t*>(scratch[i].data + part.bytes));
  part.bytes += static_cast<uint32>(size);
  part.entries++;
}

// Changes the page itself, as replay will.
void Change::Apply(int i) const {
  const Part& part = part_[i];
  const Page page = BufferGetPage(part.buffer);
  if (part.op == PageOp::kAppend)
    ApplyAppended(page, BufferGetBlockNumber(part.buffer), scratch[i].data, part.bytes);
  else
    CopyPage(page, scratch[i].image);
}

void Change::Finish() {
  // Appending moves no entry, so hints at dead ones remain true.
  uint32 killed[kMaxPages][KilledHints::kMaxWords];
  uint32 killed_words[kMaxPages] = {};
  for (int i = 0; i < parts_; i++)
    if (part_[i].op == PageOp::kAppend && MayHaveKilled(BufferGetPage(part_[i].buffer)))
      killed_words[i] = KilledHints(BufferGetPage(part_[i].buffer)).Save(killed[i]);

  if (generic_ != nullptr) {
    for (int i = 0; i < parts_; i++)
      if (part_[i].op == PageOp::kAppend)
        // It was registered before: that gives its copy again.
        ApplyAppended(GenericXLogRegisterBuffer(generic_, part_[i].buffer, 0), BufferGetBlockNumber(part_[i].buffer),
                      scratch[i].data, part_[i].bytes);
    GenericXLogFinish(generic_);
  } else {
    const bool logged = RelationNeedsWAL(index_.rel);
    for (int i = 0; logged && i < parts_; i++) {
      Part& part = part_[i];
      const Page image = scratch[i].image;
      char* const data = scratch[i].data;
      if (part.op == PageOp::kPatch && !WritePatch(BufferGetPage(part.buffer), image, data, &part.bytes))
        part.op = PageOp::kImage;
      if (part.op == PageOp::kRecode) {
        RecodeHeader header;
        memcpy(&header, data, sizeof header);
        const uint8_t* node = reinterpret_cast<const uint8_t*>(image) + SizeOfPageHeaderData;
        const size_t head = core::NodeHeadBytes(node);
        const size_t removed = header.removed_count * sizeof(uint16);
        const size_t bytes = sizeof header + head + removed + header.more_bytes;
        if (sizeof header + head > kRestOffset || bytes >= HeaderOf(image)->pd_lower) {
          part.op = PageOp::kImage;
          continue;
        }
        header.special = *SpecialOf(image);
        header.head_bytes = static_cast<uint16>(head);
        memcpy(data, &header, sizeof header);
        memcpy(data + sizeof header, node, head);
        char* const rest = data + sizeof header + head;
        memmove(rest, data + kRestOffset, removed);
        memmove(rest + removed, data + kRestOffset + MAXALIGN(removed), header.more_bytes);
        part.bytes = static_cast<uint32>(bytes);
      }
    }
    if (logged) XLogBeginInsert();
    PageOp ops[kMaxPages];
    START_CRIT_SECTION();
    for (int i = 0; i < parts_; i++) {
      const Part& part = part_[i];
      Apply(i);
      MarkBufferDirty(part.buffer);
      if (!logged) continue;
      const bool whole = part.op == PageOp::kImage;
      XLogRegisterBuffer(static_cast<uint8>(i), part.buffer,
                         static_cast<uint8>(REGBUF_STANDARD | (whole ? REGBUF_FORCE_IMAGE : 0)));
      if (part.bytes > 0) XLogRegisterBufData(static_cast<uint8>(i), scratch[i].data, static_cast<int>(part.bytes));
      ops[i] = part.op;
    }
    if (logged) {
      XLogRegisterData(reinterpret_cast<char*>(ops), parts_);
      if (TransactionIdIsValid(horizon_)) XLogRegisterData(reinterpret_cast<char*>(&horizon_), sizeof horizon_);
      const XLogRecPtr lsn = XLogInsert(static_cast<RmgrId>(resource_manager), static_cast<uint8>(action_));
      for (int i = 0; i < parts_; i++) PageSetLSN(BufferGetPage(part_[i].buffer), lsn);
    }
    END_CRIT_SECTION();
  }

  for (int i = 0; i < parts_; i++) {
    if (killed_words[i] == 0) continue;
    KilledHints::Put(BufferGetPage(part_[i].buffer), killed[i], killed_words[i]);
    MarkBufferDirtyHint(part_[i].buffer, true);
  }
}

void RegisterResourceManager() {
  DefineCustomIntVariable("omendb.wal_resource_manager", "Sets the number of omendb's WAL resource manager.",
                          "All servers that replay this one's WAL need the same.", &resource_manager, kDefaultManager,
                          RM_MIN_CUSTOM_ID, RM_MAX_CUSTOM_ID, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  RmgrData manager = kResourceManager;
  RegisterCustomRmgr(static_cast<RmgrId>(resource_manager), &manager);
  registered = true;
}

}  // namespace omendb::tree
