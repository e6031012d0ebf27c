#include "cold/file_system.h"

#include <string>
#include <vector>

#include <rocksdb/file_system.h>

namespace omendb::cold {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using std::string;

class ReadableFile : public rocksdb::FSRandomAccessFile {
 public:
  explicit ReadableFile(InputFile* file) : file_(file) {}

  // Fewer bytes than were asked for are the end of the file, and no error here.
  IOStatus Read(uint64_t offset, size_t size, const IOOptions&, rocksdb::Slice* result, char* scratch,
                IODebugContext*) const override {
    size_t got;
    if (!file_->Read(offset, size, scratch, &got)) return IOStatus::IOError("the source failed");
    *result = rocksdb::Slice(scratch, got);
    return IOStatus::OK();
  }

  // Says that nothing is to be gained by it.  Otherwise RocksDB reads the last half megabyte when it opens a file.
  IOStatus Prefetch(uint64_t, size_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  InputFile* const file_;
};

class WritableFile : public rocksdb::FSWritableFile {
 public:
  explicit WritableFile(OutputFile* file) : file_(file) {}

  using FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions&, IODebugContext*) override {
    return file_->Append(data.data(), data.size()) ? IOStatus::OK() : IOStatus::IOError("the sink failed");
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  OutputFile* const file_;
};

IOStatus NotSupported() { return IOStatus::NotSupported("not in a segment's file system"); }

// What is the same whether the file is read or written: there is nothing else.
class FileSystem : public rocksdb::FileSystem {
 public:
  const char* Name() const override { return "omendb_segment"; }

  IOStatus NewSequentialFile(const string&, const FileOptions&, std::unique_ptr<rocksdb::FSSequentialFile>*,
                             IODebugContext*) override {
    return NotSupported();
  }
  IOStatus NewRandomAccessFile(const string&, const FileOptions&, std::unique_ptr<rocksdb::FSRandomAccessFile>*,
                               IODebugContext*) override {
    return NotSupported();
  }
  IOStatus NewWritableFile(const string&, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>*,
                           IODebugContext*) override {
    return NotSupported();
  }
  IOStatus NewLogger(const string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>*, IODebugContext*) override {
    return NotSupported();
  }
  IOStatus NewDirectory(const string&, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>*,
                        IODebugContext*) override {
    return NotSupported();
  }
  IOStatus CreateDir(const string&, const IOOptions&, IODebugContext*) override { return NotSupported(); }
  IOStatus CreateDirIfMissing(const string&, const IOOptions&, IODebugContext*) override { return NotSupported(); }
  IOStatus DeleteDir(const string&, const IOOptions&, IODebugContext*) override { return NotSupported(); }
  IOStatus GetChildren(const string&, const IOOptions&, std::vector<string>*, IODebugContext*) override {
    return NotSupported();
  }
  IOStatus IsDirectory(const string&, const IOOptions&, bool*, IODebugContext*) override { return NotSupported(); }
  IOStatus GetTestDirectory(const IOOptions&, string*, IODebugContext*) override { return NotSupported(); }
  IOStatus GetAbsolutePath(const string&, const IOOptions&, string*, IODebugContext*) override {
    return NotSupported();
  }
  IOStatus FileExists(const string&, const IOOptions&, IODebugContext*) override { return NotSupported(); }
  IOStatus DeleteFile(const string&, const IOOptions&, IODebugContext*) override { return NotSupported(); }
  IOStatus RenameFile(const string&, const string&, const IOOptions&, IODebugContext*) override {
    return NotSupported();
  }
  IOStatus GetFileSize(const string&, const IOOptions&, uint64_t*, IODebugContext*) override { return NotSupported(); }
  IOStatus GetFileModificationTime(const string&, const IOOptions&, uint64_t*, IODebugContext*) override {
    return NotSupported();
  }
  IOStatus LockFile(const string&, const IOOptions&, rocksdb::FileLock**, IODebugContext*) override {
    return NotSupported();
  }
  IOStatus UnlockFile(rocksdb::FileLock*, const IOOptions&, IODebugContext*) override { return NotSupported(); }
};

class InputFileSystem : public FileSystem {
 public:
  explicit InputFileSystem(InputFile* file) : file_(file) {}

  IOStatus NewRandomAccessFile(const string&, const FileOptions&, std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    result->reset(new ReadableFile(file_));
    return IOStatus::OK();
  }
  IOStatus GetFileSize(const string&, const IOOptions&, uint64_t* size, IODebugContext*) override {
    *size = file_->size();
    return IOStatus::OK();
  }

 private:
  InputFile* const file_;
};

class OutputFileSystem : public FileSystem {
 public:
  explicit OutputFileSystem(OutputFile* file) : file_(file) {}

  IOStatus NewWritableFile(const string&, const FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    result->reset(new WritableFile(file_));
    return IOStatus::OK();
  }

 private:
  OutputFile* const file_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewEnv(InputFile* file) {
  return rocksdb::NewCompositeEnv(std::make_shared<InputFileSystem>(file));
}

std::unique_ptr<rocksdb::Env> NewEnv(OutputFile* file) {
  return rocksdb::NewCompositeEnv(std::make_shared<OutputFileSystem>(file));
}

}  // namespace omendb::cold
