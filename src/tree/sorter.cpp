#include <new>
#include <type_traits>

#include "tree/sorter.h"

#include "tree/rows.h"

extern "C" {
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

namespace {

// A file of runs is
//
//   RunHeader | rows | RunHeader | rows | ... | RunHeader of no rows
struct RunHeader {
  uint64 count;
  uint64 with_classes;  // whether rows have classes
};

// Bytes of a run that are read at a time.
constexpr size_t kLeastBuffer = 8 * 1024, kLargestBuffer = 256 * 1024;
// Bytes that are written before the next look whether the user has cancelled.
constexpr size_t kWriteBytes = 1024 * 1024;

// Reads a sorted run, from memory or from a file.
struct Run {
  BufFile* file;  // null: the rows that are in memory
  int segment;    // of the file, and where in it the run goes on
  off_t offset;
  uint64 left;  // rows that are not in the buffer yet
  bool with_classes;
  char* buffer;
  size_t buffered, at;  // rows in the buffer, or in memory, and which comes next
  uint64* wide;         // the next row with classes, if only other runs have them
  const uint64* head;   // the row that comes next; null at the end
};

template <typename T>
T* Grow(T* array, int count, int* capacity) {
  if (count < *capacity) return array;
  *capacity = Max(8, 2 * *capacity);
  const Size bytes = static_cast<Size>(*capacity) * sizeof(T);
  return static_cast<T*>(array == nullptr ? palloc(bytes) : repalloc(array, bytes));
}

void ReadExactly(BufFile* file, void* to, size_t bytes) {
  if (BufFileRead(file, to, bytes) != bytes)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from temporary file of an index build")));
}

void Seek(BufFile* file, int segment, off_t offset) {
  if (BufFileSeek(file, segment, offset, SEEK_SET) != 0)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file of an index build")));
}

}  // namespace

class Sorter {
 public:
  Sorter(const Shape& shape, int memory_kb, FileSet* files, int part)
      : memory_(static_cast<size_t>(memory_kb) * 1024), files_(files), part_(part) {
    rows_.Init(shape, CurrentMemoryContext);
  }

  void Add(const Entry& entry) {
    if (likely(rows_.Add(entry, memory_))) return;
    WriteRun();
    if (!rows_.Add(entry, memory_)) elog(ERROR, "omendb: a row is larger than the memory of its sort");
  }

  void Perform() {
    if (own_file_ != nullptr) {
      WriteEnd();
      FindRuns(own_file_);
    }
    rows_.Sort();
    Run* in_memory = NewRun(nullptr);
    in_memory->buffered = rows_.count();
    in_memory->with_classes = rows_.with_classes();
    for (int r = 0; r < run_count_; r++) with_classes_ = with_classes_ || runs_[r].with_classes;
    compared_ = rows_.ComparedWords(with_classes_);
    buffer_bytes_ = Max(kLeastBuffer, Min(kLargestBuffer, memory_ / static_cast<size_t>(run_count_)));

    heap_ = static_cast<int*>(palloc(static_cast<Size>(run_count_) * sizeof(int)));
    for (int r = 0; r < run_count_; r++) {
      Run* run = &runs_[r];
      if (run->file != nullptr) run->buffer = static_cast<char*>(palloc(buffer_bytes_));
      if (with_classes_ && !run->with_classes) run->wide = static_cast<uint64*>(palloc(RowBytes(true)));
      Advance(run, 0);
      if (run->head != nullptr) heap_[heap_size_++] = r;
    }
    for (int at = heap_size_ / 2; at-- > 0;) SiftDown(at);
  }

  bool Next(uint32 capacity, core::Entries* out) {
    while (out->count < capacity && heap_size_ > 0) {
      Run* run = &runs_[heap_[0]];
      const size_t n = RowsBeforeOthers(run, capacity - out->count);
      if (n == 1 || rows_.AreAdjacent() || run->file != nullptr) {
        rows_.ToEntries(run->head, n, with_classes_, out, out->count);
      } else {
        for (size_t i = 0; i < n; i++) rows_.ToEntries(RowOf(*run, run->at + i), 1, with_classes_, out, out->count + i);
      }
      out->count += static_cast<uint32>(n);
      Advance(run, n);
      if (run->head == nullptr) heap_[0] = heap_[--heap_size_];
      SiftDown(0);
    }
    return heap_size_ > 0;
  }

  void End() {
    for (int r = 0; r < run_count_; r++) {
      if (runs_[r].buffer != nullptr) pfree(runs_[r].buffer);
      if (runs_[r].wide != nullptr) pfree(runs_[r].wide);
    }
    for (int f = 0; f < file_count_; f++) BufFileClose(file_[f]);
    if (own_file_ != nullptr) BufFileClose(own_file_);
    if (runs_ != nullptr) pfree(runs_);
    if (file_ != nullptr) pfree(file_);
    if (heap_ != nullptr) pfree(heap_);
    rows_.Free();
  }

  void HandOver() {
    WriteRun();
    WriteEnd();
    BufFileExportFileSet(own_file_);
    End();
  }

  void TakeOver(FileSet* files, int part) {
    char name[MAXPGPATH];
    file_ = Grow(file_, file_count_, &file_capacity_);
    BufFile* file = BufFileOpenFileSet(files, NameOf(part, name), O_RDONLY, false);
    file_[file_count_++] = file;
    FindRuns(file);
  }

 private:
  static char* NameOf(int part, char* name) {
    snprintf(name, MAXPGPATH, "omendb.%d", part);
    return name;
  }

  size_t RowBytes(bool with_classes) const { return static_cast<size_t>(rows_.Words(with_classes)) * sizeof(uint64); }

  // ---- Writing runs ----

  // Sorts what is in memory and writes it.
  void WriteRun() {
    if (own_file_ == nullptr) {
      char name[MAXPGPATH];
      PrepareTempTablespaces();
      own_file_ = files_ != nullptr ? BufFileCreateFileSet(files_, NameOf(part_, name)) : BufFileCreateTemp(false);
    }
    if (rows_.count() == 0) return;
    rows_.Sort();
    RunHeader header = {rows_.count(), rows_.with_classes()};
    BufFileWrite(own_file_, &header, sizeof header);
    const size_t bytes = RowBytes(rows_.with_classes());
    const size_t at_once = rows_.AreAdjacent() ? Max(kWriteBytes / bytes, size_t{1}) : 1;
    for (size_t i = 0; i < rows_.count(); i += at_once) {
      CHECK_FOR_INTERRUPTS();
      const size_t n = Min(at_once, rows_.count() - i);
      BufFileWrite(own_file_, const_cast<uint64*>(rows_.SortedRow(i)), n * bytes);
    }
    rows_.Clear();
  }

  void WriteEnd() {
    RunHeader header = {0, 0};
    BufFileWrite(own_file_, &header, sizeof header);
  }

  // ---- Reading them ----

  Run* NewRun(BufFile* file) {
    runs_ = Grow(runs_, run_count_, &run_capacity_);
    Run* run = &runs_[run_count_++];
    memset(run, 0, sizeof *run);
    run->file = file;
    return run;
  }

  void FindRuns(BufFile* file) {
    Seek(file, 0, 0);
    for (;;) {
      RunHeader header;
      ReadExactly(file, &header, sizeof header);
      if (header.count == 0) return;
      Run* run = NewRun(file);
      run->left = header.count;
      run->with_classes = header.with_classes != 0;
      BufFileTell(file, &run->segment, &run->offset);
      const off_t bytes = static_cast<off_t>(header.count * RowBytes(run->with_classes));
      Seek(file, run->segment, run->offset + bytes);
    }
  }

  void FillBuffer(Run* run) {
    const size_t bytes = RowBytes(run->with_classes);
    run->buffered = Min(static_cast<uint64>(Max(buffer_bytes_ / bytes, size_t{1})), run->left);
    run->at = 0;
    run->left -= run->buffered;
    if (run->buffered == 0) return;
    CHECK_FOR_INTERRUPTS();
    Seek(run->file, run->segment, run->offset);
    ReadExactly(run->file, run->buffer, run->buffered * bytes);
    BufFileTell(run->file, &run->segment, &run->offset);
  }

  const uint64* RowOf(const Run& run, size_t i) const {
    if (run.file == nullptr) return rows_.SortedRow(i);
    return reinterpret_cast<const uint64*>(run.buffer + i * RowBytes(run.with_classes));
  }

  // Moves the run's head by so many rows, which are in the buffer.
  void Advance(Run* run, size_t rows) {
    run->at += rows;
    if (run->at == run->buffered && run->file != nullptr) FillBuffer(run);
    run->head = run->at < run->buffered ? RowOf(*run, run->at) : nullptr;
    if (run->head != nullptr && run->wide != nullptr) {
      Entry entry;
      rows_.FromRow(run->head, false, &entry);
      rows_.ToRow(entry, true, run->wide);
      run->head = run->wide;
    }
  }

  // How many of the rows that the run has at hand come before all other runs' rows: one at
  // least, as its head is the least, and `most` at most.
  size_t RowsBeforeOthers(const Run* run, size_t most) const {
    if (run->wide != nullptr) return 1;
    most = Min(most, run->buffered - run->at);
    if (heap_size_ == 1) return most;
    // The least of the others stands in one of two places.
    const int other = heap_size_ > 2 && IsBefore(heap_[2], heap_[1]) ? heap_[2] : heap_[1];
    const uint64* bound = runs_[other].head;
    // Gallop: where runs lie apart that is far, and near where they are mixed.
    size_t before = 1, step = 1;
    while (before + step <= most && IsRowBefore(RowOf(*run, run->at + before + step - 1), bound)) {
      before += step;
      step *= 2;
    }
    size_t end = Min(before + step - 1, most);  // rows from here on are not known to come before, or do not
    while (before < end) {
      const size_t middle = before + (end - before) / 2;
      if (IsRowBefore(RowOf(*run, run->at + middle), bound))
        before = middle + 1;
      else
        end = middle;
    }
    return before;
  }

  bool IsRowBefore(const uint64* x, const uint64* y) const {
    for (int w = 0; w < compared_; w++)
      if (x[w] != y[w]) return x[w] < y[w];
    return false;
  }

  bool IsBefore(int a, int b) const { return IsRowBefore(runs_[a].head, runs_[b].head); }

  // The heap has the run whose row comes next at its top.
  void SiftDown(int at) {
    for (;;) {
      int least = 2 * at + 1;
      if (least >= heap_size_) return;
      if (least + 1 < heap_size_ && IsBefore(heap_[least + 1], heap_[least])) least++;
      if (!IsBefore(heap_[least], heap_[at])) return;
      const int moved = heap_[at];
      heap_[at] = heap_[least];
      heap_[least] = moved;
      at = least;
    }
  }

  Rows rows_;
  size_t memory_;
  FileSet* files_;  // where the runs of a part go
  int part_;
  BufFile* own_file_ = nullptr;  // runs that this process wrote
  BufFile** file_ = nullptr;     // those taken over
  int file_count_ = 0, file_capacity_ = 0;
  Run* runs_ = nullptr;
  int run_count_ = 0, run_capacity_ = 0;
  bool with_classes_ = false;  // whether rows are compared, and returned, with classes
  int compared_ = 0;
  size_t buffer_bytes_ = 0;
  int* heap_ = nullptr;
  int heap_size_ = 0;
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<Sorter>);

Sorter* BeginSort(const Shape& shape, int memory_kb) {
  return new (palloc(sizeof(Sorter))) Sorter(shape, memory_kb, nullptr, 0);
}

Sorter* BeginPartOfSort(const Shape& shape, int memory_kb, FileSet* files, int part) {
  return new (palloc(sizeof(Sorter))) Sorter(shape, memory_kb, files, part);
}

void AddToSort(Sorter* sorter, const Entry& entry) { sorter->Add(entry); }

void PerformSort(Sorter* sorter) { sorter->Perform(); }

bool NextSorted(Sorter* sorter, uint32 capacity, core::Entries* out) { return sorter->Next(capacity, out); }

void EndSort(Sorter* sorter) {
  sorter->End();
  pfree(sorter);
}

void HandOverPart(Sorter* sorter) {
  sorter->HandOver();
  pfree(sorter);
}

void TakeOverPart(Sorter* sorter, FileSet* files, int part) { sorter->TakeOver(files, part); }

}  // namespace omendb::tree
