// Text in the order of a collation that is not bytewise.
#ifndef OMENDB_AM_TEXT_ORDER_H
#define OMENDB_AM_TEXT_ORDER_H

#include "core/bytes.h"

#include "pg/postgres.h"

namespace omendb::am {

// The function, state and head of the order of a collation; `tail`: bytes at the end that do
// not count.  The state is the backend's, for as long as it lives.
core::ByteOrder CollatedOrder(Oid collation, uint16_t tail, bool descending);

}  // namespace omendb::am

#endif  // OMENDB_AM_TEXT_ORDER_H
