// The file system that RocksDB sees: one file, which is a callback's.
#ifndef OMENDB_COLD_FILE_SYSTEM_H
#define OMENDB_COLD_FILE_SYSTEM_H

#include <memory>

#include <rocksdb/env.h>

#include "cold/callback_file.h"

namespace omendb::cold {

// Its name; any other would do as well.
inline constexpr char kFileName[] = "segment";

// An environment with nothing but this file in it, which has to stay as long.  RocksDB knows the real file system
// and threads by their environment only: it reaches neither through this one.
std::unique_ptr<rocksdb::Env> NewEnv(InputFile* file);
std::unique_ptr<rocksdb::Env> NewEnv(OutputFile* file);

}  // namespace omendb::cold

#endif  // OMENDB_COLD_FILE_SYSTEM_H
