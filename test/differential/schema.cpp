#include "differential/schema.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "differential/statement.h"

namespace omendb::differential {

using test::Distribution;

namespace {

constexpr size_t kKnownRows = 48;
constexpr size_t kForget = SIZE_MAX;

Source RandomSource(Base base, Random& random) {
  Source source{};
  // The extremes are mixed in below; any bit pattern is kFullRange.
  do {
    source.distribution = static_cast<Distribution>(random.Below(static_cast<uint64_t>(Distribution::kFlights) + 1));
  } while (source.distribution == Distribution::kExtremes);
  source.start = Pick<int64_t>({0, 0, 0, -50, INT16_MAX - 100, INT32_MAX - 100, INT32_MIN, INT64_MAX - 1000}, random);
  if (random.OneIn(8)) source.start = static_cast<int64_t>(random.Next());
  source.scale = Pick<int64_t>({1, 1, 1, 2, 7, -3, 60000000, 86400000000}, random);
  if (source.distribution == Distribution::kFlights && base == Base::kDate) source.scale = 1;
  source.float_start = Pick({0.0, 0.0, -10.0, 1e15, -0.5}, random);
  source.float_scale = Pick({1.0, 1.0, 0.5, 0.1, -0.25, 1e-310, 1e300}, random);
  source.distinct = random.OneIn(3) ? random.Between(1, 20) : random.OneIn(3) ? random.Between(20, 200) : 0;
  source.shuffled = random.OneIn(2);
  source.null_percent = Pick({0u, 0u, 0u, 2u, 2u, 30u, 100u}, random);
  source.extreme_percent = Pick({0u, 0u, 2u, 20u}, random);
  return source;
}

Value FromDistance(const Column& column, uint64_t distance, Random& random) {
  const Source& source = column.source;
  if (source.distinct > 0) distance %= source.distinct;
  if (source.distribution == Distribution::kFullRange && source.distinct == 0) return AnyValue(column.base, random);
  if (IsFloat(column.base))
    return FromDouble(column.base, source.float_start + static_cast<double>(distance) * source.float_scale);
  const uint64_t n = static_cast<uint64_t>(source.start) + distance * static_cast<uint64_t>(source.scale);
  return FromNumber(column.base, static_cast<int64_t>(n));
}

// Values for as many rows as there are in `place`, which says where to remember each row.
std::vector<std::string> RandomColumn(Column* column, const std::vector<size_t>& place, Random& random) {
  const size_t n = place.size();
  Source& source = column->source;
  std::vector<uint64_t> distances = test::Distances(source.distribution, n, random);
  const uint64_t before = source.at;
  if (!distances.empty() && source.distribution != Distribution::kZipf && random.OneIn(2))
    source.at += distances.back() + 1;
  if (source.shuffled)
    for (size_t i = distances.size(); i > 1; i--) std::swap(distances[i - 1], distances[random.Below(i)]);
  std::vector<std::string> out;
  out.reserve(n);
  for (size_t i = 0; i < n; i++) {
    std::optional<Value> value;
    if (random.Below(100) >= source.null_percent)
      value = random.Below(100) < source.extreme_percent ? PickOf(Extremes(column->base), random)
                                                         : FromDistance(*column, before + distances[i], random);
    if (place[i] != kForget) {
      if (column->known.size() <= place[i]) column->known.resize(place[i] + 1);
      column->known[place[i]] = value;
    }
    out.push_back(value ? Untyped(*value) : "NULL");
  }
  return out;
}

// An expression that cannot fail, of a type that omendb has.
Operand RandomExpression(const Table& table, Random& random) {
  const Column& column = PickOf(table.columns, random);
  const std::string name = '^' + column.name;
  const auto literal = [&] { return Literal(PickOf(Extremes(column.base), random)); };
  const Base wide = column.base == Base::kInt8 ? Base::kInt8 : Base::kInt4;
  switch (random.Below(5)) {
    case 0:
      if (IsInteger(column.base)) return {"(" + name + " % 7)", wide, -1};
      if (column.base == Base::kOid) return {"(" + name + "::int8 % 5)", Base::kInt8, -1};
      return {"(" + name + " IS NULL)", Base::kBool, -1};
    case 1:
      if (IsInteger(column.base)) return {"(" + name + " & 15)", wide, -1};
      return {"(" + name + " >= " + literal() + ")", Base::kBool, -1};
    case 2:
      return {"(^id % 10)", Base::kInt4, -1};
    case 3:
      return {"(" + name + " < " + literal() + ")", Base::kBool, -1};
    default:
      // A domain is not the type of an expression over it.
      if (column.base == Base::kBpchar)
        return {"coalesce(" + name + ", " + literal() + ")::" + ColumnType(column.base), column.base, -1};
      return {"coalesce(" + name + "::" + Name(column.base) + ", " + literal() + ")", column.base, -1};
  }
}

std::string DomainName(Base base) {
  std::string name = "d_";
  for (const char c : ColumnType(base))
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  return name;
}

// Columns of types that have no order here, made of what every row has.
struct Generated {
  const char* name;
  const char* definition;
};
constexpr Generated kGenerated[] = {
    {"x1", "jsonb GENERATED ALWAYS AS (('{\"v\": ' || v::text || '}')::jsonb) STORED"},
    {"x2", "int4[] GENERATED ALWAYS AS (array_append(array_append('{}'::int4[], id % 5), v)) STORED"},
    {"x3", "box GENERATED ALWAYS AS (box(point(id, v), point(0, 0))) STORED"},
};

// Mostly the default one.
std::string OpclassOf(Base base, Random& random) {
  if (!IsString(base) || base == Base::kName || !random.OneIn(10)) return "";
  return base == Base::kBpchar    ? " bpchar_pattern_ops"
         : base == Base::kVarchar ? " varchar_pattern_ops"
                                  : " text_pattern_ops";
}

std::string RandomPredicate(const Table& table, Random& random) {
  const Operand operand = ColumnOperand(table, random.Below(table.columns.size()));
  switch (random.Below(4)) {
    case 0:
      return "^v < " + std::to_string(random.Between(10, 90));
    case 1:
      return operand.sql + " IS NOT NULL";
    default:
      return operand.sql + Pick({" < ", " >= ", " > ", " <= "}, random) +
             Literal(RandomValue(table, operand, RandomRow(random), random));
  }
}

}  // namespace

std::string Column::TypeName() const { return domain ? DomainName(base) : ColumnType(base); }

// What ON CONFLICT asks.
std::vector<std::string> Table::UniqueTexts(Random& random) const {
  const auto create = [&](const std::string& suffix, const std::string& table, const std::string& rest) {
    return "CREATE UNIQUE INDEX " + name + suffix + " ON @" + table + ' ' + rest;
  };
  std::vector<std::string> out;
  if (!unique) return out;
  if (partitioned) {
    // That of the whole table has to be a btree; rows are routed to partitions that have others.
    out.push_back(create("_id", name, "(id)"));
    for (const char* partition : {"_p0", "_p1"})
      if (random.OneIn(2)) out.push_back(create(std::string(partition) + "_id", name + partition, "USING ~ (id)"));
    return out;
  }
  out.push_back(create("_id", name, random.OneIn(5) ? "(id)" : "USING ~ (id)"));
  if (also_unique.empty()) return out;
  out.push_back(create("_also", name,
                       "USING ~ (" + also_unique + (random.OneIn(2) ? Optional(" DESC") : "") + ')' +
                           (random.OneIn(3) ? Optional(" INCLUDE (v)") : "") +
                           (random.OneIn(2) ? Optional(" NULLS NOT DISTINCT") : "") +
                           (random.OneIn(3) ? OnlyOmendb(" WITH (" + ColdCompression(random) + ')') : "")));
  return out;
}

std::vector<std::string> Table::CreateTexts(Random& random) const {
  std::string text = "TABLE @" + name + " (id int4, v int4";
  for (const Column& column : columns) text += ", " + column.name + ' ' + column.TypeName();
  for (const Generated& column : kGenerated)
    if (std::find(generated.begin(), generated.end(), column.name) != generated.end())
      text += std::string(", ") + column.name + ' ' + column.definition;
  text += ')';
  if (!partitioned) {
    if (random.OneIn(3)) text += Optional(" WITH (fillfactor = " + std::to_string(random.Between(10, 100)) + ")");
    std::vector<std::string> out{(random.OneIn(10) ? "CREATE UNLOGGED " : "CREATE ") + text};
    for (const std::string& index : UniqueTexts(random)) out.push_back(index);
    return out;
  }
  std::vector<std::string> out{"CREATE " + text + " PARTITION BY HASH (id)"};
  for (const char* remainder : {"0", "1"})
    out.push_back("CREATE TABLE @" + name + "_p" + remainder + " PARTITION OF @" + name +
                  " FOR VALUES WITH (MODULUS 2, REMAINDER " + remainder + ")");
  for (const std::string& index : UniqueTexts(random)) out.push_back(index);
  return out;
}

Table RandomTable(const std::string& name, const Table* like, Random& random) {
  Table table;
  table.name = name;
  table.partitioned = random.OneIn(8);
  table.unique = random.OneIn(3);
  const uint64_t columns = like != nullptr ? like->columns.size() : random.Between(1, 5);
  for (uint64_t i = 0; i < columns; i++) {
    Column column;
    column.name = "k" + std::to_string(i + 1);
    do {
      column.base =
          like != nullptr ? PickOf(Family(like->columns[i].base), random) : static_cast<Base>(random.Below(kBases));
    } while (column.base == Base::kTextLong && columns > 1);
    column.domain = random.OneIn(8);
    column.source = RandomSource(column.base, random);
    // Rows to join with are those of the same place.
    if (like != nullptr && random.OneIn(2)) column.source = like->columns[i].source;
    table.columns.push_back(column);
  }
  for (const Generated& column : kGenerated)
    if (random.OneIn(4)) table.generated.push_back(column.name);
  if (!table.partitioned && random.OneIn(2)) table.also_unique = "id, " + PickOf(table.columns, random).name;
  return table;
}

const Index& AddIndex(Table* table, Random& random) {
  Index index;
  index.name = table->name + "_i" + std::to_string(table->next_index++);
  std::vector<size_t> order(table->columns.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random.Below(i)]);
  const size_t keys = std::min<size_t>(order.size(), random.Between(1, 4));
  // A btree on the keys of another index, or on the same table anyhow: the planner has the choice.
  index.is_btree = !table->indexes.empty() && random.OneIn(6);
  if (index.is_btree && random.OneIn(2)) {
    index.keys = PickOf(table->indexes, random).keys;
  } else {
    for (size_t i = 0; i < keys; i++) {
      IndexKey key{ColumnOperand(*table, order[i]), random.OneIn(3), false};
      if (random.OneIn(12)) key.operand = RandomExpression(*table, random);
      // The same column twice is allowed, too.
      if (i > 0 && random.OneIn(20)) key.operand = index.keys[0].operand;
      key.nulls_first = random.OneIn(3) ? !key.descending : key.descending;
      index.keys.push_back(key);
    }
  }
  std::string list;
  for (size_t i = 0; i < index.keys.size(); i++) {
    const IndexKey& key = index.keys[i];
    std::string text = (i > 0 ? ", " : "") + WithAlias(key.operand.sql, "");
    text += OpclassOf(key.operand.base, random);
    if (key.descending) text += " DESC";
    if (key.nulls_first != key.descending) text += key.nulls_first ? " NULLS FIRST" : " NULLS LAST";
    list += i > 0 ? Optional(text) : text;
  }
  index.text = index.name + " ON @" + table->name + " USING " + (index.is_btree ? "btree" : "~") + " (" + list + ')';
  if (random.OneIn(4)) {
    for (const char* name : Pick<std::vector<const char*>>({{"v"}, {"id"}, {"id", "v"}}, random))
      index.included.push_back({std::string("^") + name, Base::kInt4, -1});
    for (size_t i = 0; i < order.size(); i++)
      if (random.OneIn(i < keys ? 8 : 2)) index.included.push_back(ColumnOperand(*table, order[i]));
    std::vector<std::string> generated;
    for (const std::string& name : table->generated)
      if (random.OneIn(2)) generated.push_back(name);
    std::string include;
    for (const Operand& operand : index.included) include += (include.empty() ? "" : ", ") + WithAlias(operand.sql, "");
    for (const std::string& name : generated) include += ", " + name;
    index.text += Optional(" INCLUDE (" + include + ")");
  }
  const std::string compression = index.is_btree || random.OneIn(3) ? "" : ColdCompression(random);
  if (random.OneIn(3))
    index.text += Optional(" WITH (fillfactor = " + std::to_string(random.Between(10, 100)) +
                           (compression.empty() ? "" : OnlyOmendb(", " + compression)) + ")");
  else if (!compression.empty())
    index.text += Optional(OnlyOmendb(" WITH (" + compression + ")"));
  if (random.OneIn(8)) {
    index.predicate = RandomPredicate(*table, random);
    index.text += Optional(" WHERE " + WithAlias(index.predicate, ""));
  }
  table->indexes.push_back(index);
  return table->indexes.back();
}

std::vector<std::string> RandomRows(Table* table, uint64_t n, Random& random) {
  std::vector<std::string> rows(n);
  for (std::string& row : rows) row = "(" + std::to_string(table->next_id++) + ", " + std::to_string(random.Below(100));
  std::vector<size_t> place(n, kForget);
  for (size_t i = 0; i < n; i++)
    if (table->remembered < kKnownRows)
      place[i] = table->remembered++;
    else if (random.OneIn(n / 16 + 2))
      place[i] = random.Below(kKnownRows);
  for (Column& column : table->columns) {
    const std::vector<std::string> values = RandomColumn(&column, place, random);
    for (size_t i = 0; i < n; i++) rows[i] += ", " + values[i];
  }
  for (std::string& row : rows) row += ')';
  table->rows_at_most += n;
  return rows;
}

size_t RandomRow(Random& random) { return random.Below(kKnownRows); }

Value RandomValue(const Table& table, const Operand& operand, size_t row, Random& random) {
  if (operand.column < 0) {
    if (operand.base == Base::kBool || !random.OneIn(4))
      return FromNumber(operand.base, static_cast<int64_t>(random.Below(16)));
    return PickOf(Extremes(operand.base), random);
  }
  const Column& column = table.columns[static_cast<size_t>(operand.column)];
  const uint64_t kind = random.Below(40);
  if (kind < 2) return PickOf(Extremes(column.base), random);
  if (kind < 4) return AnyValue(column.base, random);
  if (kind < 6 || column.known.empty()) return FromDistance(column, random.Below(column.source.at + 200), random);
  if (random.OneIn(5)) row = RandomRow(random);
  const std::optional<Value>& known = column.known[row % column.known.size()];
  if (!known) return FromDistance(column, random.Below(20), random);
  if (kind < 11) return Neighbour(*known, random.OneIn(2) ? 1 : -1);
  return *known;
}

Operand ColumnOperand(const Table& table, size_t column) {
  return {'^' + table.columns[column].name, table.columns[column].base, static_cast<int>(column)};
}

std::string ColdCompression(Random& random) {
  return std::string("cold_compression = ") + Pick({"none", "snappy", "lz4", "zstd"}, random);
}

std::vector<std::string> Domains() {
  std::vector<std::string> out;
  for (int i = 0; i < kBases; i++) {
    const Base base = static_cast<Base>(i);
    std::string domain = "CREATE DOMAIN " + DomainName(base) + " AS " + ColumnType(base);
    if (std::find(out.begin(), out.end(), domain) == out.end()) out.push_back(std::move(domain));
  }
  return out;
}

std::string WithAlias(const std::string& sql, const std::string& alias) {
  std::string out;
  for (char c : sql) {
    if (c == '^')
      out += alias;
    else
      out += c;
  }
  return out;
}

}  // namespace omendb::differential
