#include "cold/segment.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <string>

#include <rocksdb/convenience.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>

#include "cold/callback_file.h"
#include "cold/file_system.h"
#include "cold/tail_check.h"

namespace omendb::cold {

struct Reader {
  explicit Reader(const Source& source);

  InputFile file;
  const std::unique_ptr<rocksdb::Env> env;
  rocksdb::SstFileReader table;
  uint64_t count = 0;  // of values
};

namespace {

// A value is an image of a page, and most are larger than this: a block holds one.
constexpr size_t kBlockBytes = 4096;
// Of an index entry little more is kept than in which way it differs from the one before.
constexpr int kIndexRestartInterval = 16;

// The dictionary of kZstd is trained on a sample of the values, and the larger the more there are.  All are kept for
// that until there are kDictionaryBufferBytes of them.
constexpr uint32_t kMostDictionaryBytes = 32 << 10;
constexpr uint32_t kDictionaryBytesPerValue = 160;
constexpr uint32_t kTrainingBytes = 512 << 10;
constexpr uint64_t kDictionaryBufferBytes = 8 << 20;
// The levels above gain a percent at most, and take 1.6 to 4 times as long.
constexpr int kZstdLevel = 9;

constexpr size_t kWriteBufferBytes = 64 << 10;

// In the order of Codec.
struct Compression {
  rocksdb::CompressionType type;
  const char* name;  // as the properties of a table have it
};
constexpr Compression kCompressions[] = {
    {rocksdb::kNoCompression, "NoCompression"},
    {rocksdb::kSnappyCompression, "Snappy"},
    {rocksdb::kLZ4Compression, "LZ4"},
    {rocksdb::kZSTD, "ZSTD"},
};

// ---- What went wrong ----

char last_message[512] = "";

Status Fail(Status status, const char* message) {
  std::snprintf(last_message, sizeof last_message, "%s", message);
  return status;
}

// Whatever RocksDB made of it, a callback's failure is the cause.
Status Fail(const rocksdb::Status& status, bool callback_failed) {
  const Status ours = callback_failed ? Status::kFailed : status.IsMemoryLimit() ? Status::kNoMemory : Status::kDamaged;
  return Fail(ours, status.ToString().c_str());
}

// No exception leaves the library.
template <typename Body>
Status Guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return Fail(Status::kNoMemory, "out of memory");
  } catch (const std::exception& e) {
    return Fail(Status::kDamaged, e.what());
  } catch (...) {
    return Fail(Status::kDamaged, "unknown exception");
  }
}

// ---- RocksDB's options ----

bool IsSupported(rocksdb::CompressionType type) {
  const auto supported = rocksdb::GetSupportedCompressions();
  return std::find(supported.begin(), supported.end(), type) != supported.end();
}

rocksdb::Options MakeOptions() {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  table.checksum = kChecksumType;
  table.format_version = kFormatVersion;
  table.block_size = kBlockBytes;
  table.index_block_restart_interval = kIndexRestartInterval;
  table.enable_index_compression = false;

  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.writable_file_max_buffer_size = kWriteBufferBytes;
  options.db_host_id.clear();  // not the business of who reads the segment
  return options;
}

// To make them takes longer than to open a segment.
const rocksdb::Options& DefaultOptions() {
  static const rocksdb::Options& options = *new rocksdb::Options(MakeOptions());
  return options;
}

rocksdb::Options OptionsIn(rocksdb::Env* env) {
  rocksdb::Options options = DefaultOptions();
  options.env = env;
  return options;
}

rocksdb::Options OptionsIn(rocksdb::Env* env, rocksdb::CompressionType type, uint32_t count) {
  rocksdb::Options options = OptionsIn(env);
  options.compression = type;
  if (type == rocksdb::kZSTD) {
    options.compression_opts.level = kZstdLevel;
    options.compression_opts.max_dict_bytes =
        static_cast<uint32_t>(std::min<uint64_t>(kMostDictionaryBytes, uint64_t{count} * kDictionaryBytesPerValue));
    options.compression_opts.zstd_max_train_bytes = kTrainingBytes;
    options.compression_opts.max_dict_buffer_bytes = kDictionaryBufferBytes;
  }
  return options;
}

// The key of a slot: keys are ordered as slots are.
class Key {
 public:
  explicit Key(uint32_t slot) {
    for (size_t i = 0; i < sizeof bytes_; i++) bytes_[i] = static_cast<char>(slot >> 8 * (sizeof bytes_ - 1 - i));
  }
  rocksdb::Slice slice() const { return rocksdb::Slice(bytes_, sizeof bytes_); }

 private:
  char bytes_[sizeof(uint32_t)];
};

// ---- The entry points ----

Status Build(const Value* values, uint32_t count, Codec codec, const Sink& sink) {
  return Guarded([&] {
    const auto [type, name] = kCompressions[static_cast<size_t>(codec)];
    if (!IsSupported(type)) return Fail(Status::kUnknownCodec, name);

    OutputFile file(sink);
    const std::unique_ptr<rocksdb::Env> env = NewEnv(&file);
    const rocksdb::Options options = OptionsIn(env.get(), type, count);
    auto writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(options), options, nullptr, false);
    try {
      rocksdb::Status status = writer->Open(kFileName);
      for (uint32_t slot = 0; slot < count && status.ok() && !file.failed(); slot++)
        status = writer->Put(Key(slot).slice(), rocksdb::Slice(values[slot].data, values[slot].size));
      if (status.ok()) status = writer->Finish();
      return status.ok() && !file.failed() ? Status::kOk : Fail(status, file.failed());
    } catch (...) {
      // Where memory has run out the writer's destructor would end the process: it needs some, too, and asserts that
      // the file is not half finished.  So the writer is lost.
      (void)writer.release();
      throw;
    }
  });
}

Status Open(const Source& source, Reader** reader) {
  *reader = nullptr;
  return Guarded([&] {
    auto opened = std::make_unique<Reader>(source);
    InputFile& file = opened->file;
    if (const char* fault = FaultInTail(&file)) return Fail(file.failed() ? Status::kFailed : Status::kDamaged, fault);

    const rocksdb::Status status = opened->table.Open(kFileName);
    if (!status.ok() || file.failed()) return Fail(status, file.failed());
    const auto properties = opened->table.GetTableProperties();
    // An error of reading them is not one of opening the table.
    if (properties == nullptr) return Fail(Status::kDamaged, "no properties");
    const std::string& name = properties->compression_name;
    const auto* compression = std::find_if(std::begin(kCompressions), std::end(kCompressions),
                                           [&](const Compression& c) { return name == c.name; });
    if (compression == std::end(kCompressions) || !IsSupported(compression->type))
      return Fail(Status::kUnknownCodec, name.c_str());

    opened->count = properties->num_entries;
    *reader = opened.release();
    return Status::kOk;
  });
}

Status Get(Reader* reader, uint32_t slot, char* out, size_t capacity, size_t* size) {
  return Guarded([&] {
    if (slot >= reader->count) return Fail(Status::kNotFound, "no such slot");
    InputFile& file = reader->file;
    file.ForgetFailure();
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    options.fill_cache = false;
    // It keeps the block, so there is none that stays.
    const std::unique_ptr<rocksdb::Iterator> iterator(reader->table.NewIterator(options));
    const Key key(slot);
    iterator->Seek(key.slice());
    if (!iterator->status().ok() || file.failed()) return Fail(iterator->status(), file.failed());
    if (!iterator->Valid() || iterator->key() != key.slice()) return Fail(Status::kDamaged, "a slot is missing");
    const rocksdb::Slice value = iterator->value();
    *size = value.size();
    if (value.size() > capacity) return Fail(Status::kTooLarge, "the value is larger than expected");
    if (value.size() > 0) std::memcpy(out, value.data(), value.size());
    return Status::kOk;
  });
}

void Close(Reader* reader) { delete reader; }

const char* Message() { return last_message; }

}  // namespace

Reader::Reader(const Source& source) : file(source), env(NewEnv(&file)), table(OptionsIn(env.get())) {}

#define OMENDB_STRING_OF(x) #x
#define OMENDB_STRING(x) OMENDB_STRING_OF(x)
#define OMENDB_ROCKSDB_VERSION \
  OMENDB_STRING(ROCKSDB_MAJOR) "." OMENDB_STRING(ROCKSDB_MINOR) "." OMENDB_STRING(ROCKSDB_PATCH)

const Api kApi = {kApiVersion, OMENDB_ROCKSDB_VERSION, Build, Open, Get, Close, Message};

}  // namespace omendb::cold
