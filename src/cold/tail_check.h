// The part of a damaged file that RocksDB would trust.
//
// A block is parsed after its checksum was verified, so what is parsed is what was written.  There are two
// exceptions.  The footer at the end of the file has no checksum: the place of a block that it names is read
// whatever it is, and a size close to 2^64 overflows.  And the properties are parsed before they are verified, by
// code with assertions, which are compiled in in Debian's librocksdb: they would take the server down.
//
// So this looks at both beforehand.  It knows of RocksDB's format no more than that takes:
//
//   footer, the last 53 bytes    checksum type (1), handles of metaindex and index (40 with zeros behind),
//                                format version (4), magic number (8)
//   handle                       offset (varint), size (varint) of a block, which its trailer follows
//   trailer                      compression type (1), checksum of the block and that byte (4)
//   metaindex, a block           names of other blocks -> their handles
//   entry of it                  0, size of the name, size of the handle (all varint), name, handle
//   behind the entries           places of entries (4 each), how many of them (4)
#ifndef OMENDB_COLD_TAIL_CHECK_H
#define OMENDB_COLD_TAIL_CHECK_H

#include <rocksdb/table.h>

#include "cold/callback_file.h"

namespace omendb::cold {

// What segments are written with.  Anything else is no segment.
inline constexpr uint32_t kFormatVersion = 5;
inline constexpr rocksdb::ChecksumType kChecksumType = rocksdb::kCRC32c;

// Returns null if RocksDB may open the file, and otherwise what is wrong with it.
const char* FaultInTail(InputFile* file);

}  // namespace omendb::cold

#endif  // OMENDB_COLD_TAIL_CHECK_H
