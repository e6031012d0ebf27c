// What omendb.so knows of omendb_cold.so: building segments, and reading them.
//
// A segment is one of RocksDB's table files (SST): immutable, its values compressed in blocks with a
// checksum each. Values are numbered by slots, 0, 1, 2, ... Where the file's bytes are is the caller's
// concern: RocksDB reads and writes them through callbacks.
//
// The library is a module of its own since it is linked with librocksdb, which a server that has
// nothing offloaded need not have. It is found by its one symbol, omendb_cold_api.
//
// Nothing here throws, and no callback may throw or jump: what is between are RocksDB's frames. No thread is
// started. Not for use by several threads.
#ifndef OMENDB_COLD_API_H
#define OMENDB_COLD_API_H

#include <cstddef>
#include <cstdint>

namespace omendb::cold {

inline constexpr uint32_t kApiVersion = 1;

enum class Codec : uint8_t { kNone, kSnappy, kLz4, kZstd };

struct Value {
  const char* data;
  size_t size;
};

// Where the bytes of a new segment go, in their order.  False: it cannot take them.
struct Sink {
  void* context;
  bool (*append)(void* context, const char* data, size_t size);
};

// Where the bytes of a segment come from.  Reads [offset, offset + size) of the file, which lie inside it, into
// `out`.  False: they could not be read; why, the context knows.
struct Source {
  void* context;
  uint64_t file_size;
  bool (*read)(void* context, uint64_t offset, size_t size, char* out);
};

// An open segment: RocksDB's reader, which keeps the index of its blocks in memory, the dictionary of kZstd, and no
// values.  Of 1000 values these are 13 KB, and a dictionary of up to 32 KB.
struct Reader;

enum class Status : uint8_t {
  kOk,
  kFailed,    // a callback returned false
  kDamaged,   // a checksum does not match, the bytes are no segment, or RocksDB found anything else wrong
  kNotFound,  // there is no such slot
  kTooLarge,  // the value has more bytes than the caller has room for
  kNoMemory,
  kUnknownCodec,  // librocksdb was built without it
};

struct Api {
  uint32_t version;  // kApiVersion
  const char* rocksdb_version;

  // Writes a segment with values[0 ... count), at least one, to the sink. To train its dictionary, kZstd takes up to
  // 30 MB of memory meanwhile; the others take next to none.
  Status (*build)(const Value* values, uint32_t count, Codec codec, const Sink& sink);
  // Opens a segment, whose source's context has to stay as long as the reader.
  Status (*open)(const Source& source, Reader** reader);
  // Copies the value of a slot to `out`, which has room for `capacity` bytes; *size gets its size.
  Status (*get)(Reader* reader, uint32_t slot, char* out, size_t capacity, size_t* size);
  void (*close)(Reader* reader);

  // What the last call that did not return kOk found: for the error's detail. Valid until the next call.
  const char* (*message)();
};

}  // namespace omendb::cold

extern "C" const omendb::cold::Api* omendb_cold_api();

#endif  // OMENDB_COLD_API_H
