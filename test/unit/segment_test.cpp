// Segments of the cold tier: that they give back what was put in, and that no damage makes them give anything else,
// read outside of the file or end the process.
#include "cold/segment.h"

#include <gtest/gtest.h>

#include <dirent.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include "unit/failing_allocation.h"
#include "unit/seeded_test.h"

// RocksDB loses some of its memory when more of it cannot be had.
extern "C" const char* __lsan_default_suppressions() { return "leak:FailEveryAllocation"; }

namespace omendb::test {
namespace {

using namespace omendb::cold;

constexpr Codec kCodecs[] = {Codec::kNone, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
constexpr size_t kLargestValue = 8192;

// A file in memory, whose callbacks can be told to fail.
struct File {
  std::string bytes;
  int calls_until_failure = kNever;
  int calls = 0;

  File() = default;
  explicit File(std::string contents) : bytes(std::move(contents)) {}

  bool Fails() {
    calls++;
    return calls_until_failure != kNever && calls > calls_until_failure;
  }

  Sink sink() {
    return {this, [](void* context, const char* data, size_t size) {
              auto* file = static_cast<File*>(context);
              if (file->Fails()) return false;
              file->bytes.append(data, size);
              return true;
            }};
  }

  Source source() {
    return {this, bytes.size(), [](void* context, uint64_t offset, size_t size, char* out) {
              auto* file = static_cast<File*>(context);
              EXPECT_GT(size, 0u);
              EXPECT_LE(offset, file->bytes.size());
              EXPECT_LE(size, file->bytes.size() - offset);
              if (file->Fails()) return false;
              file->bytes.copy(out, size, offset);
              return true;
            }};
  }
};

using Strings = std::vector<std::string>;

std::vector<Value> ValuesOf(const Strings& strings) {
  std::vector<Value> values;
  for (const std::string& s : strings) values.push_back({s.data(), s.size()});
  return values;
}

Status Build(const std::vector<Value>& values, Codec codec, File* file) {
  return kApi.build(values.data(), static_cast<uint32_t>(values.size()), codec, file->sink());
}

std::string Segment(const Strings& strings, Codec codec) {
  File file;
  EXPECT_EQ(Build(ValuesOf(strings), codec, &file), Status::kOk) << kApi.message();
  return file.bytes;
}

// An open segment, which closes itself; null if it could not be opened.
using OpenReader = std::unique_ptr<Reader, void (*)(Reader*)>;
OpenReader Open(File* file, Status* status) {
  Reader* reader;
  *status = kApi.open(file->source(), &reader);
  EXPECT_EQ(reader == nullptr, *status != Status::kOk);
  return OpenReader(reader, kApi.close);
}
OpenReader Open(File* file) {
  Status status;
  OpenReader reader = Open(file, &status);
  EXPECT_EQ(status, Status::kOk) << kApi.message();
  return reader;
}

Status Get(Reader* reader, size_t slot, std::string* value) {
  char out[kLargestValue];
  size_t size = 0;
  const Status status = kApi.get(reader, static_cast<uint32_t>(slot), out, sizeof out, &size);
  value->assign(out, status == Status::kOk ? size : 0);
  return status;
}

// Every slot either has its value, or is damaged.  Returns how many of them are.
size_t CountDamaged(File* file, const Strings& expected) {
  Status status;
  const OpenReader reader = Open(file, &status);
  if (status != Status::kOk) {
    EXPECT_EQ(status, Status::kDamaged) << kApi.message();
    return expected.size();
  }
  size_t damaged = 0;
  std::string value;
  for (size_t slot = 0; slot < expected.size(); slot++) {
    status = Get(reader.get(), slot, &value);
    if (status == Status::kOk) {
      EXPECT_EQ(value, expected[slot]) << slot;
    } else {
      EXPECT_EQ(status, Status::kDamaged) << kApi.message();
      damaged++;
    }
  }
  return damaged;
}

int Threads() {
  int n = 0;
  DIR* tasks = opendir("/proc/self/task");
  while (const dirent* task = readdir(tasks)) n += task->d_name[0] != '.';
  closedir(tasks);
  return n;
}

// Of malloc.  A sanitizer's own allocator makes it 0.
size_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

class SegmentTest : public SeededTest {
 protected:
  // Between random bytes and a few that repeat.
  std::string RandomValue(size_t size) {
    std::string s(size, '\0');
    const uint64_t alphabet = uint64_t{1} << random_.Below(9);
    const size_t random_bytes = random_.Below(size + 1);
    for (size_t i = 0; i < size; i++)
      s[i] = i < random_bytes ? static_cast<char>(random_.Below(alphabet)) : s[(i - random_bytes) % (size / 8 + 1)];
    return s;
  }

  Strings RandomValues(size_t count, size_t smallest, size_t largest) {
    Strings strings(count);
    for (std::string& s : strings) s = RandomValue(random_.Between(smallest, largest));
    return strings;
  }

  // Values of a few blocks that are alike, so that kZstd has a dictionary.
  Strings AlikeValues(size_t count) {
    const std::string common = RandomValue(600) + RandomValue(300);
    Strings strings(count);
    for (std::string& s : strings) {
      while (s.size() < 4000) s += common.substr(random_.Below(common.size()), random_.Below(60));
      s += RandomValue(8);
    }
    return strings;
  }
};

TEST_F(SegmentTest, GivesBackWhatWasPutIn) {
  for (const Codec codec : kCodecs) {
    for (int round = 0; round < 12; round++) {
      const size_t count = round < 2 ? 1 : round == 2 ? 1024 : random_.Between(1, 200);
      const size_t largest = round == 1 ? 1 : random_.OneIn(3) ? 64 : kLargestValue;
      Strings strings = RandomValues(count, 1, largest);
      if (random_.OneIn(4)) strings[random_.Below(count)].clear();
      File file(Segment(strings, codec));
      const OpenReader reader = Open(&file);
      for (size_t i = 0; i < 2 * count; i++) {
        const size_t slot = i < count ? i : random_.Below(count);
        std::string value;
        ASSERT_EQ(Get(reader.get(), slot, &value), Status::kOk) << kApi.message();
        ASSERT_EQ(value, strings[slot]);
      }
    }
  }
}

TEST_F(SegmentTest, ReadsAValueOnceAndNotWhatIsBesideIt) {
  const Strings strings = RandomValues(300, 5000, kLargestValue);
  for (const Codec codec : kCodecs) {
    File file(Segment(strings, codec));
    const OpenReader reader = Open(&file);
    for (int i = 0; i < 100; i++) {
      std::string value;
      file.calls = 0;
      ASSERT_EQ(Get(reader.get(), random_.Below(strings.size()), &value), Status::kOk);
      ASSERT_EQ(file.calls, 1);
    }
  }
}

TEST_F(SegmentTest, CompressesWhatIsAlike) {
  const Strings strings = AlikeValues(64);
  const size_t plain = Segment(strings, Codec::kNone).size();
  for (const Codec codec : {Codec::kSnappy, Codec::kLz4, Codec::kZstd})
    EXPECT_LT(Segment(strings, codec).size(), plain / 2);
  EXPECT_NE(Segment(strings, Codec::kZstd).find("rocksdb.compression_dict"), std::string::npos);
}

TEST_F(SegmentTest, StartsNoThread) {
  const int before = Threads();
  for (const Codec codec : kCodecs) {
    const Strings strings = AlikeValues(500);
    File file(Segment(strings, codec));
    EXPECT_EQ(CountDamaged(&file, strings), 0u);
    EXPECT_EQ(Threads(), before);
  }
}

TEST_F(SegmentTest, ReadersTakeLittleMemory) {
  constexpr size_t kReaders = 50, kMost = 48 << 10;
  const Strings strings = RandomValues(1024, 6000, kLargestValue);
  for (const Codec codec : kCodecs) {
    File file(Segment(strings, codec));
    // What the library needs once, such as the state of a decompressor.
    EXPECT_EQ(CountDamaged(&file, strings), 0u);
    const size_t before = AllocatedBytes();
    std::vector<OpenReader> readers;
    for (size_t i = 0; i < kReaders; i++) {
      readers.push_back(Open(&file));
      for (int k = 0; k < 20; k++) {
        std::string value;
        ASSERT_EQ(Get(readers.back().get(), random_.Below(strings.size()), &value), Status::kOk);
      }
    }
    EXPECT_LE(AllocatedBytes(), before + kReaders * kMost);
    readers.clear();
    EXPECT_LE(AllocatedBytes(), before + kMost);
  }
}

TEST_F(SegmentTest, KnowsWhichSlotsThereAre) {
  File file(Segment(RandomValues(10, 1, 500), Codec::kLz4));
  const OpenReader reader = Open(&file);
  file.calls = 0;
  for (const size_t slot : {size_t{10}, size_t{11}, size_t{0xFFFFFFFF}}) {
    std::string value;
    EXPECT_EQ(Get(reader.get(), slot, &value), Status::kNotFound);
  }
  EXPECT_EQ(file.calls, 0);
}

TEST_F(SegmentTest, WritesNotMoreThanThereIsRoomFor) {
  File file(Segment({std::string(100, 'x')}, Codec::kNone));
  const OpenReader reader = Open(&file);
  char out[100];
  for (size_t capacity = 0; capacity <= sizeof out; capacity++) {
    const auto exact = std::make_unique<char[]>(capacity);
    size_t size = 0;
    EXPECT_EQ(kApi.get(reader.get(), 0, exact.get(), capacity, &size),
              capacity < sizeof out ? Status::kTooLarge : Status::kOk);
    EXPECT_EQ(size, sizeof out);
  }
}

TEST_F(SegmentTest, TellsFailuresOfTheSource) {
  const Strings strings = AlikeValues(64);
  for (const Codec codec : kCodecs) {
    File file(Segment(strings, codec));
    Status status = Status::kFailed;
    for (file.calls_until_failure = 0; status == Status::kFailed; file.calls_until_failure++) {
      file.calls = 0;
      const OpenReader reader = Open(&file, &status);
      EXPECT_LE(file.calls, file.calls_until_failure + 1);
      ASSERT_LT(file.calls_until_failure, 100);
    }
    ASSERT_EQ(status, Status::kOk) << kApi.message();

    file.calls_until_failure = kNever;
    const OpenReader reader = Open(&file);
    std::string value;
    for (size_t slot = 0; slot < strings.size(); slot++) {
      file.calls = file.calls_until_failure = 0;
      EXPECT_EQ(Get(reader.get(), slot, &value), Status::kFailed);
      file.calls_until_failure = kNever;
      EXPECT_EQ(Get(reader.get(), slot, &value), Status::kOk);
      EXPECT_EQ(value, strings[slot]);
    }
  }
}

TEST_F(SegmentTest, TellsFailuresOfTheSink) {
  const Strings strings = RandomValues(100, 4000, kLargestValue);
  for (const Codec codec : kCodecs) {
    Status status = Status::kFailed;
    for (int until = 0; status == Status::kFailed; until++) {
      File file;
      file.calls_until_failure = until;
      status = Build(ValuesOf(strings), codec, &file);
      EXPECT_LE(file.calls, until + 1);
      ASSERT_LT(until, 100);
    }
    EXPECT_EQ(status, Status::kOk) << kApi.message();
  }
}

// Calls something with its first allocation failing, then with its second, and so on, until it succeeds for lack of
// allocations that could fail.
template <typename Body>
void FailEveryAllocation(Body body) {
  int failures = 0;
  for (bool failed = true; failed; failures++) {
    ASSERT_LT(failures, 10000);
    allocations_until_failure = failures;
    const Status status = body();
    failed = allocations_until_failure == kNever;
    allocations_until_failure = kNever;
    // Some failures RocksDB can do without.
    ASSERT_TRUE(status == Status::kOk || (failed && status == Status::kNoMemory)) << kApi.message();
  }
  EXPECT_GT(failures, 1);
}

TEST_F(SegmentTest, SurvivesAnAllocationThatFails) {
  const Strings strings = AlikeValues(12);
  const std::vector<Value> values = ValuesOf(strings);
  for (const Codec codec : {Codec::kNone, Codec::kZstd}) {
    File file(Segment(strings, codec));
    File written = file;
    FailEveryAllocation([&] {
      written.bytes.clear();
      return Build(values, codec, &written);
    });
    FailEveryAllocation([&] {
      Status status;
      Open(&file, &status);
      return status;
    });
    const OpenReader reader = Open(&file);
    FailEveryAllocation([&] {
      char out[kLargestValue];
      size_t size;
      return kApi.get(reader.get(), 5, out, sizeof out, &size);
    });
    EXPECT_EQ(CountDamaged(&file, strings), 0u);
  }
}

TEST_F(SegmentTest, NoticesEveryByteThatDiffers) {
  for (const Codec codec : kCodecs) {
    const Strings strings = codec == Codec::kZstd ? AlikeValues(12) : RandomValues(5, 1, 300);
    File file(Segment(strings, codec));
    ASSERT_EQ(CountDamaged(&file, strings), 0u);
    for (char& byte : file.bytes) {
      const char was = byte;
      for (const int flip : {0x01, 0x80, static_cast<int>(random_.Between(1, 255))}) {
        byte = static_cast<char>(was ^ flip);
        ASSERT_GT(CountDamaged(&file, strings), 0u) << "at " << &byte - file.bytes.data();
        if (codec == Codec::kZstd) break;
      }
      byte = was;
    }
  }
}

TEST_F(SegmentTest, NoticesWhereItIsCutOff) {
  for (const Codec codec : kCodecs) {
    const Strings strings = RandomValues(5, 1, 300);
    const std::string segment = Segment(strings, codec);
    for (size_t size = 0; size < segment.size(); size++) {
      File file(segment.substr(0, size));
      Status status;
      Open(&file, &status);
      ASSERT_EQ(status, Status::kDamaged);
      // Or a hole in it.
      file.bytes.resize(segment.size());
      ASSERT_GT(CountDamaged(&file, strings), 0u) << size;
    }
    File longer(segment + '\0');
    EXPECT_EQ(CountDamaged(&longer, strings), strings.size());
  }
}

// Bytes that were overwritten, by others or by those of another place.
TEST_F(SegmentTest, SurvivesAnyDamage) {
  for (const Codec codec : kCodecs) {
    const Strings strings = codec == Codec::kZstd ? AlikeValues(12) : RandomValues(8, 1, 2000);
    const std::string segment = Segment(strings, codec);
    for (int round = 0; round < 3000; round++) {
      File file(segment);
      for (uint64_t n = random_.Between(1, 3); n > 0; n--) {
        // Most of what can go wrong is at the end.
        const size_t reach = random_.OneIn(2) ? file.bytes.size() : std::min<size_t>(file.bytes.size(), 1500);
        const size_t at = file.bytes.size() - random_.Between(1, reach);
        const size_t size = random_.Between(1, std::min<size_t>(file.bytes.size() - at, random_.OneIn(2) ? 8 : 500));
        const size_t from = random_.Below(file.bytes.size() - size + 1);
        const uint64_t how = random_.Below(4);
        for (size_t i = 0; i < size; i++)
          file.bytes[at + i] = how == 0   ? '\0'
                               : how == 1 ? '\xFF'
                               : how == 2 ? static_cast<char>(random_.Next())
                                          : segment[from + i];
      }
      CountDamaged(&file, strings);
      ASSERT_FALSE(HasFailure()) << "round " << round;
    }
  }
}

// The footer has no checksum, so any handle can stand there.
TEST_F(SegmentTest, BelievesNoHandleInTheFooter) {
  const Strings strings = RandomValues(3, 1, 300);
  const std::string segment = Segment(strings, Codec::kNone);
  constexpr size_t kHandlesFromEnd = 52;
  const uint64_t size = segment.size();
  const uint64_t numbers[] = {0,           1, 5, size - 58, size - 53, size - 5, size, uint64_t{1} << 40, ~uint64_t{4},
                              ~uint64_t{0}};
  for (int round = 0; round < 10000; round++) {
    std::string handles;
    for (int i = 0; i < 4; i++) {
      uint64_t number = random_.OneIn(4) ? random_.Skewed() : numbers[random_.Below(std::size(numbers))];
      for (; number >= 0x80; number >>= 7) handles += static_cast<char>(number | 0x80);
      handles += static_cast<char>(number);
    }
    handles.resize(40);
    File file(segment);
    file.bytes.replace(file.bytes.size() - kHandlesFromEnd, handles.size(), handles);
    ASSERT_EQ(CountDamaged(&file, strings), strings.size());
  }
}

TEST_F(SegmentTest, RefusesWhatIsNoSegment) {
  for (int round = 0; round < 300; round++) {
    File file(RandomValue(random_.Below(500)));
    EXPECT_EQ(CountDamaged(&file, {"a value"}), 1u);
  }
}

// RocksDB's own environment in memory, for segments as RocksDB reads them and other tables that it writes.
class RocksdbTest : public SegmentTest {
 protected:
  rocksdb::Options Options(const rocksdb::BlockBasedTableOptions& table, rocksdb::CompressionType type) {
    rocksdb::Options options;
    options.env = env_.get();
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.compression = type;
    return options;
  }

  Status OpenTable(const rocksdb::BlockBasedTableOptions& table, rocksdb::CompressionType type) {
    const rocksdb::Options options = Options(table, type);
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
    EXPECT_TRUE(writer.Open("/table").ok());
    EXPECT_TRUE(writer.Put(std::string(4, '\0'), "a value").ok());
    EXPECT_TRUE(writer.Finish().ok());
    File file;
    EXPECT_TRUE(rocksdb::ReadFileToString(env_.get(), "/table", &file.bytes).ok());
    Status status;
    Open(&file, &status);
    return status;
  }

  const std::unique_ptr<rocksdb::Env> env_{rocksdb::NewMemEnv(rocksdb::Env::Default())};
};

TEST_F(RocksdbTest, ReadsSegments) {
  const Strings strings = AlikeValues(64);
  for (const Codec codec : kCodecs) {
    ASSERT_TRUE(rocksdb::WriteStringToFile(env_.get(), Segment(strings, codec), "/segment").ok());
    rocksdb::SstFileReader reader(Options({}, rocksdb::kNoCompression));
    ASSERT_TRUE(reader.Open("/segment").ok());
    EXPECT_TRUE(reader.VerifyChecksum().ok());
    const std::unique_ptr<rocksdb::Iterator> iterator(reader.NewIterator({}));
    iterator->SeekToFirst();
    for (const std::string& s : strings) {
      ASSERT_TRUE(iterator->Valid());
      EXPECT_EQ(iterator->value().ToStringView(), s);
      iterator->Next();
    }
    EXPECT_FALSE(iterator->Valid());
  }
}

TEST_F(RocksdbTest, TablesOfAnotherKindAreRefused) {
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kCRC32c;
  EXPECT_EQ(OpenTable(table, rocksdb::kLZ4Compression), Status::kOk) << kApi.message();
  EXPECT_EQ(OpenTable(table, rocksdb::kZlibCompression), Status::kUnknownCodec) << kApi.message();
  table.format_version = 4;
  EXPECT_EQ(OpenTable(table, rocksdb::kLZ4Compression), Status::kDamaged) << kApi.message();
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  EXPECT_EQ(OpenTable(table, rocksdb::kLZ4Compression), Status::kDamaged) << kApi.message();
}

}  // namespace
}  // namespace omendb::test
