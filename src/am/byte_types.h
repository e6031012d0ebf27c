// Types of variable width: how a value becomes bytes of a bytes column (core/bytes.h), in
// which order these are, and back.
//
//   type                    bytes                                           order
//   text, varchar           as they are                                     bytewise (C), or the collation's
//   bpchar                  without blanks at the end | how many (4, tail)  the same
//   name                    without the zeros at the end                    the same
//   bytea                   as they are                                     bytewise
//   numeric                 see byte_types.cpp | scale (2, tail)            bytewise
//   inet, cidr              family, network, mask, address                  bytewise
//   bit, varbit             bits, padded | how many (4)                     as varbit_cmp
//   enum                    its OID (4)                                     as enum_cmp
//   INCLUDE, any varlena    what follows the header                         none
//   INCLUDE, fixed width    as they are                                     none
#ifndef OMENDB_AM_BYTE_TYPES_H
#define OMENDB_AM_BYTE_TYPES_H

#include "core/bytes.h"

#include "pg/postgres.h"

namespace omendb::am {

enum class ByteType : uint8 {
  kText,
  kBpchar,
  kName,
  kBytea,
  kNumeric,
  kNetwork,
  kBits,
  kEnum,
  kVarlena,  // INCLUDE attributes only
  kFixed,
};

// Of a key of this type (an operator class's input type); false if it is none of these.
bool ByteTypeOfKey(Oid type, ByteType* result);

// Of an INCLUDE attribute of any type that is passed by reference, by its typlen; false if
// there is none.
bool ByteTypeOfIncluded(Oid base_type, int16 length, ByteType* result);

// The order of a key.  `attribute_type`: of the index's attribute, whatever the operator
// class's input type; `pattern`: of an operator class that compares bytes whatever the
// collation.
core::ByteOrder ByteOrderOf(ByteType type, Oid attribute_type, Oid collation, bool pattern, bool descending);

// The bytes of a value.  They are the value's own, or palloc'd.
core::ByteView BytesOfDatum(ByteType type, Datum datum, int16 length);

// The value of bytes, palloc'd unless it is passed by value.  ERRCODE_INDEX_CORRUPTED if it
// cannot be one.
Datum DatumOfBytes(ByteType type, core::ByteView bytes, int16 length);

}  // namespace omendb::am

#endif  // OMENDB_AM_BYTE_TYPES_H
