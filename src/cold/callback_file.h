// The file of a segment, whose bytes callbacks give and take.  It remembers whether its callback failed, since what
// RocksDB makes of that is another status in each place, or none at all; and does not call it again, then.
#ifndef OMENDB_COLD_CALLBACK_FILE_H
#define OMENDB_COLD_CALLBACK_FILE_H

#include <algorithm>

#include "cold/api.h"

namespace omendb::cold {

class InputFile {
 public:
  explicit InputFile(const Source& source) : source_(source) {}
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return source_.file_size; }

  // Reads that part of [offset, offset + size) that lies in the file; *got is its size.
  bool Read(uint64_t offset, size_t size, char* out, size_t* got) {
    *got = 0;
    if (offset >= source_.file_size || size == 0) return true;
    const size_t inside = static_cast<size_t>(std::min<uint64_t>(size, source_.file_size - offset));
    failed_ = failed_ || !source_.read(source_.context, offset, inside, out);
    if (!failed_) *got = inside;
    return !failed_;
  }

  bool failed() const { return failed_; }
  void ForgetFailure() { failed_ = false; }

 private:
  const Source source_;
  bool failed_ = false;
};

class OutputFile {
 public:
  explicit OutputFile(const Sink& sink) : sink_(sink) {}
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  bool Append(const char* data, size_t size) {
    failed_ = failed_ || !sink_.append(sink_.context, data, size);
    return !failed_;
  }

  bool failed() const { return failed_; }

 private:
  const Sink sink_;
  bool failed_ = false;
};

}  // namespace omendb::cold

#endif  // OMENDB_COLD_CALLBACK_FILE_H
