#include <sys/socket.h>

#include "am/byte_types.h"
#include "am/text_order.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type_d.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/pg_locale.h"
#include "utils/typcache.h"
#include "utils/varbit.h"
#include "utils/varlena.h"
}

namespace omendb::am {

using core::ByteView;

namespace {

// ---- Orders ----

const char* Chars(ByteView view) { return reinterpret_cast<const char*>(view.data); }

// Of bytes with a number (4) behind them; those of a damaged page may be too few.
ByteView WithoutNumber(ByteView bytes) { return core::ByteOrder{nullptr, nullptr, sizeof(uint32), false}.KeyOf(bytes); }
uint32 NumberOf(ByteView bytes) {
  uint32 number = 0;
  if (bytes.size >= sizeof number) memcpy(&number, bytes.data + bytes.size - sizeof number, sizeof number);
  return number;
}

// varbit_cmp: the bytes, and among those that agree in them the number of bits.
int CompareBits(const void*, ByteView a, ByteView b) {
  const ByteView bytes_a = WithoutNumber(a), bytes_b = WithoutNumber(b);
  if (const int order = memcmp(a.data, b.data, Min(bytes_a.size, bytes_b.size))) return order;
  const uint32 bits_a = NumberOf(a), bits_b = NumberOf(b);
  return bits_a == bits_b ? 0 : bits_a < bits_b ? -1 : 1;
}

int CompareEnum(const void* state, ByteView a, ByteView b) {
  const Oid x = NumberOf(a), y = NumberOf(b);
  if (x == y) return 0;
  // As enum_cmp_internal: even OIDs are in the order of their numbers.
  if ((x & 1) == 0 && (y & 1) == 0) return x < y ? -1 : 1;
  return compare_values_of_enum(const_cast<TypeCacheEntry*>(static_cast<const TypeCacheEntry*>(state)), x, y);
}

// ---- numeric ----
//
//   class (1)   0x00 -infinity, 0x10 negative, 0x20 zero, 0x30 positive, 0x40 infinity, 0x50 NaN
//   weight (2)  of the first digit, from -32768 on, the most significant byte first
//   digits (2 each), base 10,000, the most significant byte first; one more than each is
//   end (2)     0xFFFF, if negative
//   scale (2)   digits behind the point to be shown; the tail, as 1.0 equals 1.00
//
// Where the number is negative, weight and digits are complements, so all of these are below
// the end.  A number's digits end with one that is not 0, so a number that has the digits of
// another and more is farther from 0.
//
// numeric_send and numeric_recv say what the parts are.

enum NumericClass : uint8 {
  kMinusInfinity = 0x00,
  kNegative = 0x10,
  kZero = 0x20,
  kPositive = 0x30,
  kInfinity = 0x40,
  kNaN = 0x50
};
// As they are sent.
constexpr uint16 kSentPositive = 0x0000, kSentNegative = 0x4000, kSentNaN = 0xC000, kSentInfinity = 0xD000,
                 kSentMinusInfinity = 0xF000;

uint16 LoadBig(const uint8* at) { return static_cast<uint16>(at[0] << 8 | at[1]); }
uint8* StoreBig(uint16 value, uint8* at) {
  at[0] = static_cast<uint8>(value >> 8);
  at[1] = static_cast<uint8>(value);
  return at + 2;
}

ByteView BytesOfNumeric(Datum datum) {
  const bytea* sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, datum));
  const uint8* from = reinterpret_cast<const uint8*>(VARDATA_ANY(sent));
  const int digits = LoadBig(from);
  const uint16 weight = LoadBig(from + 2), sign = LoadBig(from + 4), scale = LoadBig(from + 6);
  uint8* const bytes = static_cast<uint8*>(palloc(static_cast<Size>(digits) * 2 + 7));
  uint8* at = bytes;
  switch (sign) {
    case kSentMinusInfinity:
      *at++ = kMinusInfinity;
      break;
    case kSentInfinity:
      *at++ = kInfinity;
      break;
    case kSentNaN:
      *at++ = kNaN;
      break;
    default: {
      if (digits == 0) {
        *at++ = kZero;
        break;
      }
      const uint16 flip = sign == kSentNegative ? 0xFFFF : 0;
      *at++ = sign == kSentNegative ? kNegative : kPositive;
      at = StoreBig(static_cast<uint16>((weight ^ 0x8000) ^ flip), at);
      for (int d = 0; d < digits; d++) at = StoreBig((LoadBig(from + 8 + 2 * d) + 1) ^ flip, at);
      if (sign == kSentNegative) at = StoreBig(0xFFFF, at);
    }
  }
  at = StoreBig(scale, at);
  return {bytes, static_cast<uint32>(at - bytes)};
}

Datum NumericOfBytes(ByteView bytes) {
  const uint16 scale = LoadBig(bytes.data + bytes.size - 2);
  StringInfoData sent;
  initStringInfo(&sent);
  const auto send = [&](uint16 digits, uint16 weight, uint16 sign) {
    pq_sendint16(&sent, digits);
    pq_sendint16(&sent, weight);
    pq_sendint16(&sent, sign);
    pq_sendint16(&sent, scale);
  };
  const uint8 kind = bytes.data[0];
  switch (kind) {
    case kMinusInfinity:
      send(0, 0, kSentMinusInfinity);
      break;
    case kInfinity:
      send(0, 0, kSentInfinity);
      break;
    case kNaN:
      send(0, 0, kSentNaN);
      break;
    case kZero:
      send(0, 0, kSentPositive);
      break;
    default: {
      const bool negative = kind == kNegative;
      const uint16 flip = negative ? 0xFFFF : 0;
      const uint32 digits = (bytes.size - 5 - (negative ? 2 : 0)) / 2;
      send(static_cast<uint16>(digits), static_cast<uint16>((LoadBig(bytes.data + 1) ^ flip) ^ 0x8000),
           negative ? kSentNegative : kSentPositive);
      for (uint32 d = 0; d < digits; d++)
        pq_sendint16(&sent, static_cast<uint16>((LoadBig(bytes.data + 3 + 2 * d) ^ flip) - 1));
    }
  }
  const Datum datum =
      DirectFunctionCall3(numeric_recv, PointerGetDatum(&sent), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
  pfree(sent.data);
  return datum;
}

// ---- inet, cidr ----
//
//   family (1)  0 IPv4, 1 IPv6
//   network     the address, bits behind the mask being 0
//   mask (1)    bits of the network
//   address
//
// network_cmp_internal compares families, then as many bits as the shorter mask has, then
// masks, then addresses: of networks that agree in these bits, the one with the shorter mask
// has zeros where the other goes on.

ByteView BytesOfNetwork(Datum datum) {
  inet* value = DatumGetInetPP(datum);
  const uint32 size = static_cast<uint32>(ip_addrsize(value));
  uint8* const bytes = static_cast<uint8*>(palloc(2 + 2 * size));
  bytes[0] = ip_family(value) == PGSQL_AF_INET ? 0 : 1;
  for (uint32 i = 0; i < size; i++) {
    const int left = static_cast<int>(ip_bits(value)) - static_cast<int>(8 * i);
    const uint8 mask = left >= 8 ? 0xFF : left <= 0 ? 0 : static_cast<uint8>(0xFF << (8 - left));
    bytes[1 + i] = ip_addr(value)[i] & mask;
  }
  bytes[1 + size] = static_cast<uint8>(ip_bits(value));
  memcpy(bytes + 2 + size, ip_addr(value), size);
  return {bytes, 2 + 2 * size};
}

Datum NetworkOfBytes(ByteView bytes) {
  const uint32 size = (bytes.size - 2) / 2;
  inet* value = static_cast<inet*>(palloc0(sizeof(inet)));
  ip_family(value) = bytes.data[0] == 0 ? PGSQL_AF_INET : PGSQL_AF_INET6;
  ip_bits(value) = bytes.data[1 + size];
  memcpy(ip_addr(value), bytes.data + 2 + size, size);
  SET_INET_VARSIZE(value);
  return InetPGetDatum(value);
}

// ---- Parts and a number behind them ----

ByteView WithNumber(ByteView part, uint32 number) {
  uint8* const bytes = static_cast<uint8*>(palloc(part.size + sizeof number));
  memcpy(bytes, part.data, part.size);
  memcpy(bytes + part.size, &number, sizeof number);
  return {bytes, part.size + static_cast<uint32>(sizeof number)};
}

ByteView ViewOfVarlena(Datum datum) {
  const struct varlena* value = PG_DETOAST_DATUM_PACKED(datum);
  return {reinterpret_cast<const uint8*>(VARDATA_ANY(value)), static_cast<uint32>(VARSIZE_ANY_EXHDR(value))};
}

Datum VarlenaOf(ByteView bytes) {
  struct varlena* value = static_cast<struct varlena*>(palloc(bytes.size + VARHDRSZ));
  SET_VARSIZE(value, bytes.size + VARHDRSZ);
  memcpy(VARDATA(value), bytes.data, bytes.size);
  return PointerGetDatum(value);
}

}  // namespace

bool ByteTypeOfKey(Oid type, ByteType* result) {
  switch (type) {
    case TEXTOID:
    case VARCHAROID:
      *result = ByteType::kText;
      return true;
    case BPCHAROID:
      *result = ByteType::kBpchar;
      return true;
    case NAMEOID:
      *result = ByteType::kName;
      return true;
    case BYTEAOID:
      *result = ByteType::kBytea;
      return true;
    case NUMERICOID:
      *result = ByteType::kNumeric;
      return true;
    case INETOID:
    case CIDROID:
      *result = ByteType::kNetwork;
      return true;
    case BITOID:
    case VARBITOID:
      *result = ByteType::kBits;
      return true;
    case ANYENUMOID:
      *result = ByteType::kEnum;
      return true;
    default:
      return false;
  }
}

bool ByteTypeOfIncluded(Oid base_type, int16 length, ByteType* result) {
  if (base_type == NAMEOID) {
    *result = ByteType::kName;
    return true;
  }
  *result = length == -1 ? ByteType::kVarlena : ByteType::kFixed;
  return length == -1 || length > 0;
}

core::ByteOrder ByteOrderOf(ByteType type, Oid attribute_type, Oid collation, bool pattern, bool descending) {
  core::ByteOrder order = {nullptr, nullptr, 0, descending};
  const bool bytewise = pattern || lc_collate_is_c(collation);
  switch (type) {
    case ByteType::kText:
    case ByteType::kName:
      if (!bytewise) return CollatedOrder(collation, 0, descending);
      break;
    case ByteType::kBpchar:
      order.tail = sizeof(uint32);
      if (!bytewise) return CollatedOrder(collation, order.tail, descending);
      break;
    case ByteType::kNumeric:
      order.tail = sizeof(uint16);
      break;
    case ByteType::kBits:
      order.function = CompareBits;
      break;
    case ByteType::kEnum:
      order.function = CompareEnum;
      order.state = lookup_type_cache(getBaseType(attribute_type), 0);
      break;
    default:
      break;
  }
  return order;
}

ByteView BytesOfDatum(ByteType type, Datum datum, int16 length) {
  switch (type) {
    case ByteType::kText:
    case ByteType::kBytea:
    case ByteType::kVarlena:
      return ViewOfVarlena(datum);
    case ByteType::kBpchar: {
      const ByteView whole = ViewOfVarlena(datum);
      const uint32 size =
          static_cast<uint32>(bpchartruelen(const_cast<char*>(Chars(whole)), static_cast<int>(whole.size)));
      return WithNumber({whole.data, size}, whole.size - size);
    }
    case ByteType::kName: {
      const char* name = NameStr(*DatumGetName(datum));
      return {reinterpret_cast<const uint8*>(name), static_cast<uint32>(strnlen(name, NAMEDATALEN))};
    }
    case ByteType::kNumeric:
      return BytesOfNumeric(datum);
    case ByteType::kNetwork:
      return BytesOfNetwork(datum);
    case ByteType::kBits: {
      VarBit* bits = DatumGetVarBitP(datum);
      return WithNumber({VARBITS(bits), static_cast<uint32>(VARBITBYTES(bits))}, static_cast<uint32>(VARBITLEN(bits)));
    }
    case ByteType::kEnum: {
      Oid* value = static_cast<Oid*>(palloc(sizeof(Oid)));
      *value = DatumGetObjectId(datum);
      return {reinterpret_cast<const uint8*>(value), sizeof(Oid)};
    }
    case ByteType::kFixed:
      return {reinterpret_cast<const uint8*>(DatumGetPointer(datum)), static_cast<uint32>(length)};
  }
  pg_unreachable();
}

namespace {

// Whether a value can be made of the bytes: of those of a damaged page, perhaps not.
bool AreOfType(ByteType type, ByteView bytes, int16 length) {
  switch (type) {
    case ByteType::kText:
    case ByteType::kName:
    case ByteType::kBytea:
    case ByteType::kVarlena:
      return true;
    case ByteType::kBpchar:
      return bytes.size >= sizeof(uint32) && NumberOf(bytes) <= MaxAttrSize;
    case ByteType::kNumeric: {
      if (bytes.size < 3) return false;
      const uint8 kind = bytes.data[0];
      if (kind != kPositive && kind != kNegative) return true;
      return bytes.size >= (kind == kNegative ? 7 : 5) && bytes.size % 2 == 1;
    }
    case ByteType::kNetwork: {
      const uint32 size = bytes.size > 0 && bytes.data[0] == 0 ? 4 : 16;
      return bytes.size == 2 + 2 * size && bytes.data[1 + size] <= 8 * size;
    }
    case ByteType::kBits: {
      const uint32 bits = NumberOf(bytes), size = WithoutNumber(bytes).size, unused = size * BITS_PER_BYTE - bits;
      return bytes.size >= sizeof bits && size == (uint64{bits} + 7) / 8 &&
             (unused == 0 || (bytes.data[size - 1] & ((1u << unused) - 1)) == 0);
    }
    case ByteType::kEnum:
      return bytes.size == sizeof(Oid);
    case ByteType::kFixed:
      return bytes.size == static_cast<uint32>(length);
  }
  pg_unreachable();
}

}  // namespace

Datum DatumOfBytes(ByteType type, ByteView bytes, int16 length) {
  if (unlikely(!AreOfType(type, bytes, length)))
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("an omendb index contains a value that is none of its column's type"),
                    errhint("Please REINDEX it.")));
  switch (type) {
    case ByteType::kText:
    case ByteType::kBytea:
    case ByteType::kVarlena:
      return VarlenaOf(bytes);
    case ByteType::kBpchar: {
      const uint32 blanks = NumberOf(bytes), size = WithoutNumber(bytes).size;
      struct varlena* value = static_cast<struct varlena*>(palloc(VARHDRSZ + size + blanks));
      SET_VARSIZE(value, VARHDRSZ + size + blanks);
      memcpy(VARDATA(value), bytes.data, size);
      memset(VARDATA(value) + size, ' ', blanks);
      return PointerGetDatum(value);
    }
    case ByteType::kName: {
      NameData* name = static_cast<NameData*>(palloc0(sizeof(NameData)));
      memcpy(NameStr(*name), bytes.data, Min(bytes.size, static_cast<uint32>(NAMEDATALEN - 1)));
      return NameGetDatum(name);
    }
    case ByteType::kNumeric:
      return NumericOfBytes(bytes);
    case ByteType::kNetwork:
      return NetworkOfBytes(bytes);
    case ByteType::kBits: {
      const uint32 bits = NumberOf(bytes), size = WithoutNumber(bytes).size;
      VarBit* value = static_cast<VarBit*>(palloc(VARBITTOTALLEN(bits)));
      SET_VARSIZE(value, VARBITTOTALLEN(bits));
      VARBITLEN(value) = static_cast<int32>(bits);
      memcpy(VARBITS(value), bytes.data, size);
      return VarBitPGetDatum(value);
    }
    case ByteType::kEnum: {
      Oid value;
      memcpy(&value, bytes.data, sizeof value);
      return ObjectIdGetDatum(value);
    }
    case ByteType::kFixed: {
      char* value = static_cast<char*>(palloc(bytes.size));
      memcpy(value, bytes.data, bytes.size);
      return PointerGetDatum(value);
    }
  }
  pg_unreachable();
}

}  // namespace omendb::am
