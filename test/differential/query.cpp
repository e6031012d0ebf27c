#include "differential/query.h"

#include <algorithm>
#include <utility>

#include "differential/statement.h"

namespace omendb::differential {

namespace {

std::string Comma(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

// "'...'::type[]" of some constants, of the operand's type or another of its family; NULLs and duplicates among them.
std::string RandomArray(const Focus& focus, const Operand& operand, Random& random) {
  const Base base = random.OneIn(5) ? PickOf(Family(operand.base), random) : operand.base;
  uint64_t count = random.Below(6);
  if (random.OneIn(8)) count = random.Below(80);
  std::string elements;
  for (uint64_t i = 0; i < count; i++) {
    const std::string element =
        random.OneIn(12)
            ? "NULL"
            : Literal(Convert(
                  RandomValue(*focus.table, operand, random.OneIn(2) ? focus.row : RandomRow(random), random), base));
    elements += i == 0 ? element : Optional(", " + element);
  }
  return "ARRAY[" + elements + "]::" + Name(base) + "[]";
}

const char* RandomOperator(bool equality_likely, Random& random) {
  if (equality_likely && random.OneIn(2)) return "=";
  return Pick({"<", "<=", "=", ">=", ">"}, random);
}

// The columns of an ORDER BY, each with a direction: those of the index, the reverse, or neither.
struct Ordering {
  std::string columns;   // for the select list
  std::string text;      // " ORDER BY ..."
  std::string numbered;  // the same by the columns' numbers
  std::string plain;     // the same without marks, for what is not the order of the result
};

Ordering RandomOrdering(const Focus& focus, const std::string& alias, Random& random) {
  const uint64_t way = random.Below(10);  // 0..3 as the index, 4..6 its reverse, 7, 8 only the first column, 9 anything
  Ordering ordering;
  const size_t count = random.OneIn(2) ? focus.operands.size() : random.Between(1, focus.operands.size());
  for (size_t i = 0; i < count; i++) {
    bool descending = random.OneIn(2), nulls_first = random.OneIn(2);
    if (focus.index != nullptr && (way < 7 || (way < 9 && i == 0))) {
      const bool reverse = way >= 4 && way <= 7;
      descending = focus.index->keys[i].descending != reverse;
      nulls_first = focus.index->keys[i].nulls_first != reverse;
    }
    const std::string sql = WithAlias(focus.operands[i].sql, alias);
    ordering.columns += (i > 0 ? ", " : "") + sql;
    const std::string comma = i > 0 ? ", " : " ORDER BY ";
    const std::string direction =
        std::string(descending ? " DESC" : " ASC") + (nulls_first ? " NULLS FIRST" : " NULLS LAST");
    const auto add = [&](std::string* to, const std::string& key) { *to += i > 0 ? Optional(key) : key; };
    add(&ordering.text, comma + sql + direction + kSortKey);
    add(&ordering.numbered, comma + std::to_string(i + 1) + direction + kSortKey);
    ordering.plain += comma + sql + direction;
  }
  return ordering;
}

std::string RandomLimit(Random& random) {
  std::string limit;
  if (!random.OneIn(4)) limit += " LIMIT " + std::to_string(random.OneIn(3) ? random.Below(200) : random.Below(12));
  if (random.OneIn(4)) limit += " OFFSET " + std::to_string(random.Below(30));
  return limit.empty() ? limit : Optional(limit + kLimited);
}

// The columns that a query shows: those of the index only, so that it needs no table; or the rows' ids, too.
std::string RandomList(const Focus& focus, const std::string& alias, Random& random) {
  std::vector<std::string> list;
  for (const Operand& operand : focus.operands)
    if (random.OneIn(2)) list.push_back(WithAlias(operand.sql, alias));
  if (list.empty() || random.OneIn(2)) list.push_back(alias + "id");
  if (random.OneIn(8)) list.push_back(alias + "v");
  for (const std::string& name : focus.table->generated)
    if (random.OneIn(6)) list.push_back(alias + name);
  return Comma(list);
}

std::string From(const Table& table) { return " FROM @" + table.name; }

// Rows of a table that are the outer side of a join: some of them, as the subquery is no more planned with the rest;
// and perhaps not known beforehand.
std::string OuterEnd(const std::string& alias, Random& random) {
  std::string out;
  if (random.OneIn(12)) out += Optional(" AND random() < 2");
  // By all that a row has, as rows may differ in one column only.
  if (random.OneIn(8))
    out += Optional(" ORDER BY " + alias + "::text COLLATE \"C\" LIMIT " + std::to_string(random.Below(50)));
  return out;
}

// Keeps the product of two tables small: about 60 rows of each.
std::string Thinned(const Table& table, const std::string& alias, Random& random) {
  const uint64_t modulus = table.rows_at_most / 60;
  if (modulus < 2) return "";
  return " AND " + alias + "id % " + std::to_string(modulus) + " = " + std::to_string(random.Below(modulus));
}

// The text of a constant, and its value.
std::pair<std::string, Value> TypedConstant(const Focus& focus, const Operand& operand, Random& random) {
  Value value = RandomValue(*focus.table, operand, focus.row, random);
  if (random.OneIn(4)) {
    value = Convert(value, PickOf(Family(operand.base), random));
    if (random.OneIn(3)) value = Neighbour(value, random.OneIn(2) ? 1 : -1);
  }
  return {random.OneIn(12) ? "(SELECT " + Literal(value) + ")" : Literal(value), value};
}

// "'...%'" of the beginning of a string that is there.
std::string RandomPattern(const Focus& focus, const Operand& operand, Random& random) {
  std::string text = Text(RandomValue(*focus.table, operand, focus.row, random));
  size_t size = random.Below(text.size() + 1);
  // Not within a character.
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) size--;
  return '\'' + text.substr(0, size) + "%'";
}

bool InOneFamily(Base a, Base b) {
  const std::vector<Base> family = Family(a);
  return std::find(family.begin(), family.end(), b) != family.end();
}

// ", count(k1), sum(k1), ...": what Omendb Aggregate can do, as far as the type has it; the count once in so many
// times.
std::string Totals(const Operand& operand, uint64_t count_one_in, Random& random) {
  const std::string sql = WithAlias(operand.sql, "");
  std::string out;
  if (random.OneIn(count_one_in)) out += ", count(" + sql + ")";
  if (IsInteger(operand.base) && random.OneIn(2)) out += std::string(", ") + Pick({"sum(", "avg("}, random) + sql + ")";
  // bool and "char" have no min.
  if (HasMinMax(operand.base) && random.OneIn(2)) out += std::string(", ") + Pick({"min(", "max("}, random) + sql + ")";
  return out;
}

// "a.k1 = b.k1 AND ...": a pair of columns of one family, sometimes more pairs, sometimes another operator.
std::string JoinCondition(const Table& left, const Table& right, Random& random) {
  std::string out;
  const bool inequality = random.OneIn(10);
  size_t start = random.Below(left.columns.size());
  // Mostly by what an index begins with.
  const Table& indexed = random.OneIn(2) ? left : right;
  if (!indexed.indexes.empty() && !random.OneIn(4)) {
    const Operand& operand = PickOf(indexed.indexes, random).keys[0].operand;
    if (operand.column >= 0) {
      start = static_cast<size_t>(operand.column);
    } else if (!random.OneIn(4)) {
      // The other table has such columns, too.
      out = WithAlias(operand.sql, "a.") + " = " + WithAlias(operand.sql, "b.");
      if (random.OneIn(2)) return out;
    }
  }
  for (size_t i = 0; i < left.columns.size(); i++) {
    const size_t l = (start + i) % left.columns.size();
    size_t r = l;
    // Tables made for each other match by place; other pairs do where the types allow.
    if (random.OneIn(3)) r = random.Below(right.columns.size());
    if (r >= right.columns.size() || !InOneFamily(left.columns[l].base, right.columns[r].base)) r = l;
    const std::string condition = "a." + left.columns[l].name +
                                  (inequality ? std::string(" ") + RandomOperator(false, random) + " " : " = ") + "b." +
                                  right.columns[r].name;
    out += out.empty() ? condition : Optional(" AND " + condition);
    if (!random.OneIn(3)) break;
  }
  return out;
}

}  // namespace

Focus RandomFocus(const Table& table, Random& random) {
  Focus focus{&table, nullptr, {}, RandomRow(random)};
  const bool several = table.indexes.size() > 1 && random.OneIn(6);
  if (!table.indexes.empty() && !several && !random.OneIn(10)) {
    focus.index = &PickOf(table.indexes, random);
    for (const IndexKey& key : focus.index->keys) focus.operands.push_back(key.operand);
    return focus;
  }
  if (several) return SeveralIndexesFocus(table, random);
  for (size_t i = 0; i < table.columns.size(); i++)
    if (focus.operands.empty() || random.OneIn(2)) focus.operands.push_back(ColumnOperand(table, i));
  return focus;
}

Focus SeveralIndexesFocus(const Table& table, Random& random) {
  if (table.indexes.size() < 2) return RandomFocus(table, random);
  Focus focus{&table, nullptr, {}, RandomRow(random)};
  for (const Index& index : table.indexes)
    if (focus.operands.size() < 3) focus.operands.push_back(index.keys[0].operand);
  return focus;
}

std::string RandomConstant(const Focus& focus, const Operand& operand, Random& random) {
  if (random.OneIn(60)) return std::string("NULL::") + Name(operand.base);
  return TypedConstant(focus, operand, random).first;
}

std::string RandomCondition(const Focus& focus, const Operand& operand, const std::string& alias, Random& random) {
  const std::string sql = WithAlias(operand.sql, alias);
  const auto constant = [&] { return RandomConstant(focus, operand, random); };
  const auto same = [&] { return Literal(RandomValue(*focus.table, operand, focus.row, random)); };
  // Two bounds, mostly in the right order.
  const auto range = [&](const char* from, const char* between, const char* to) {
    const Focus other{focus.table, focus.index, {}, RandomRow(random)};
    std::pair<std::string, Value> low = TypedConstant(focus, operand, random);
    std::pair<std::string, Value> high = TypedConstant(random.OneIn(2) ? focus : other, operand, random);
    if (Less(Convert(high.second, operand.base), Convert(low.second, operand.base)) && !random.OneIn(6))
      std::swap(low, high);
    return sql + from + low.first + between + to + high.first;
  };
  const auto comparison = [&] { return sql + ' ' + RandomOperator(true, random) + ' ' + constant(); };
  if (IsString(operand.base) && random.OneIn(8)) return sql + " LIKE " + RandomPattern(focus, operand, random);
  switch (random.Below(24)) {
    case 0:
    case 1:
      return range(" BETWEEN ", " AND ", "");
    case 2:
    case 3:
    case 4:
      return sql + " = ANY (" + RandomArray(focus, operand, random) + ")";
    case 5:
      // Of one type: to make them of one, PostgreSQL would convert, which may fail, if it is evaluated.
      return sql + " IN (" + same() + Optional(", " + same()) + Optional(", " + same()) + ")";
    case 6:
      return sql + ' ' + RandomOperator(false, random) + " ANY (" + RandomArray(focus, operand, random) + ")";
    case 7:
      return sql + " IS NULL";
    case 8:
      return sql + " IS NOT NULL";
    case 9:
      return constant() + ' ' + RandomOperator(true, random) + ' ' + sql;
    case 10:
      return "(" + comparison() + Optional(" OR " + comparison()) + Optional(" OR " + sql + " IS NULL") + ")";
    case 11:
      return "NOT (" + comparison() + ")";
    case 12:
      if (operand.base == Base::kBool) return random.OneIn(2) ? sql : "NOT " + sql;
      return sql + " <> " + constant();
    case 13:
    case 14:
    case 15:
      return range(Pick({" > ", " >= "}, random), " AND ", (sql + Pick({" < ", " <= "}, random)).c_str());
    default:
      return comparison();
  }
}

std::string RandomRowComparison(const Focus& focus, const std::string& alias, Random& random) {
  const size_t first = random.OneIn(4) ? random.Below(focus.operands.size() - 1) : 0;
  const size_t count = random.Between(2, focus.operands.size() - first);
  std::string columns, constants;
  for (size_t i = first; i < first + count; i++) {
    columns += (i > first ? ", " : "") + WithAlias(focus.operands[i].sql, alias);
    constants += (i > first ? ", " : "") + RandomConstant(focus, focus.operands[i], random);
  }
  if (random.OneIn(3)) std::swap(columns, constants);
  return "(" + columns + ") " + RandomOperator(false, random) + " (" + constants + ")";
}

std::string RandomWhere(const Focus& focus, const std::string& alias, Random& random) {
  std::string out = " WHERE true";
  const auto add = [&](const std::string& condition) { out += Optional(" AND " + condition); };
  if (focus.index != nullptr && !focus.index->predicate.empty() && !random.OneIn(4))
    add(WithAlias(focus.index->predicate, alias));
  for (const Operand& operand : focus.operands) {
    if (random.OneIn(4)) continue;  // a gap, or a filter behind one
    add(RandomCondition(focus, operand, alias, random));
    if (random.OneIn(6)) add(RandomCondition(focus, operand, alias, random));
    if (focus.index != nullptr && random.OneIn(2)) break;
  }
  for (int i = 0; i < 2 && focus.operands.size() > 1 && random.OneIn(6); i++)
    add(RandomRowComparison(focus, alias, random));
  if (random.OneIn(10)) add(alias + "v < " + std::to_string(random.Below(100)));
  return out;
}

std::string SelectQuery(const Focus& focus, Random& random) {
  const std::string query =
      "SELECT " + RandomList(focus, "", random) + From(*focus.table) + RandomWhere(focus, "", random);
  return random.OneIn(20) ? query + Optional(random.OneIn(2) ? " FOR UPDATE" : " FOR SHARE") : query;
}

std::string OrderedQuery(const Focus& focus, bool may_limit, Random& random) {
  const Ordering ordering = RandomOrdering(focus, "", random);
  std::string query = "SELECT " + ordering.columns;
  if (random.OneIn(2)) query += ", id";
  query += From(*focus.table) + RandomWhere(focus, "", random) + ordering.text;
  return may_limit && !random.OneIn(3) ? query + RandomLimit(random) : query;
}

std::string SeveralIndexesQuery(const Table& table, Random& random) {
  const Focus focus = SeveralIndexesFocus(table, random);
  std::string query = random.OneIn(2) ? "SELECT id" : "SELECT count(*), sum(id)";
  query += From(table) + " WHERE true";
  // Wide ranges: none of them alone is worth much.
  const std::string between = random.OneIn(6) ? " OR " : " AND ";
  std::string conditions;
  for (const Operand& operand : focus.operands) {
    const std::string condition = WithAlias(operand.sql, "") + Pick({" < ", " <= ", " >= ", " > ", " = "}, random) +
                                  TypedConstant(focus, operand, random).first;
    conditions += conditions.empty() ? condition : Optional(between + condition);
  }
  return query + " AND (" + conditions + ")";
}

std::string MinMaxQuery(const Focus& focus, Random& random) {
  std::string list;
  for (const Operand& operand : focus.operands) {
    if (!HasMinMax(operand.base)) continue;
    list += (list.empty() ? "" : ", ") + std::string(Pick({"min(", "max("}, random)) + WithAlias(operand.sql, "") + ")";
    if (random.OneIn(2)) break;
  }
  if (list.empty()) list = "count(*)";
  return "SELECT " + list + kLoose + From(*focus.table) + RandomWhere(focus, "", random);
}

std::string AggregateQuery(const Focus& focus, Random& random) {
  std::string list = "count(*)";
  if (random.OneIn(2)) {
    // What an index can answer.
    for (const Operand& operand : focus.operands) {
      list += Totals(operand, 2, random);
      if (random.OneIn(2)) break;
    }
    return "SELECT " + list + kLoose + From(*focus.table) + RandomWhere(focus, "", random);
  }
  for (const Operand& operand : focus.operands) {
    const std::string sql = WithAlias(operand.sql, "");
    if (random.OneIn(2)) list += ", count(" + sql + ")";
    if (random.OneIn(3)) list += ", count(DISTINCT " + sql + ")";
    if (IsInteger(operand.base)) list += ", sum(" + sql + ")";
    if (operand.base == Base::kBool) list += ", bool_and(" + sql + "), bool_or(" + sql + ")";
  }
  if (random.OneIn(3)) list += ", sum(id)";
  return "SELECT " + list + From(*focus.table) + RandomWhere(focus, "", random);
}

std::string GroupQuery(const Focus& focus, Random& random) {
  const Ordering ordering = RandomOrdering(focus, "", random);
  std::string query = "SELECT " + ordering.columns + ", count(*)" + kLoose;
  if (random.OneIn(3)) query += ", sum(id)";
  query += From(*focus.table) + RandomWhere(focus, "", random) + " GROUP BY " + ordering.columns;
  if (random.OneIn(6)) query += Optional(" HAVING count(*) > " + std::to_string(random.Below(4)));
  if (!random.OneIn(3)) query += ordering.text + (random.OneIn(3) ? RandomLimit(random) : "");
  return query;
}

namespace {

// A column, or for a time, perhaps, what stretch of time it is in.
std::string RandomGroupKey(const Operand& operand, Random& random) {
  const std::string sql = WithAlias(operand.sql, "");
  const bool local = operand.base == Base::kTimestamp;
  if ((!local && operand.base != Base::kTimestamptz) || random.OneIn(3)) return sql;
  if (random.OneIn(3)) {
    const std::string stride = Pick({"1 microsecond", "7 minutes", "36 hours", "100 days"}, random);
    return "date_bin('" + stride + "', " + sql + ", '" + Pick({"2000-01-01", "1969-07-20 20:17:40"}, random) + "')";
  }
  const std::string unit = Pick({"second", "hour", "day", "week", "month", "year"}, random);
  return "date_trunc('" + unit + "', " + sql + (local || random.OneIn(3) ? ")" : ", 'UTC')");
}

}  // namespace

// What Omendb Aggregate can do, over what stands in one index, and a little more.
std::string TotalsQuery(const Focus& focus, Random& random) {
  std::string list = "count(*)";
  std::vector<Operand> arguments = focus.operands;
  if (focus.index != nullptr)
    arguments.insert(arguments.end(), focus.index->included.begin(), focus.index->included.end());
  for (const Operand& operand : arguments) list += Totals(operand, 3, random);
  std::string keys;
  if (random.OneIn(2)) {
    const size_t count = random.Between(1, focus.operands.size());
    for (size_t i = 0; i < count; i++) keys += (i > 0 ? ", " : "") + RandomGroupKey(focus.operands[i], random);
  }
  std::string query = "SELECT " + (keys.empty() ? "" : keys + ", ") + list + kLoose + From(*focus.table);
  if (!random.OneIn(4)) query += RandomWhere(focus, "", random);
  if (!keys.empty()) query += " GROUP BY " + keys;
  if (random.OneIn(5)) query += Optional(" HAVING count(*) > " + std::to_string(random.Below(4)));
  return query;
}

std::string DistinctQuery(const Focus& focus, Random& random) {
  const Ordering ordering = RandomOrdering(focus, "", random);
  std::string query = "SELECT DISTINCT ";
  if (random.OneIn(3)) query += "ON (" + ordering.columns + ") ";
  query += ordering.columns + kLoose + From(*focus.table) + RandomWhere(focus, "", random);
  if (!random.OneIn(3)) query += ordering.text + RandomLimit(random);
  return query;
}

std::string WindowQuery(const Focus& focus, Random& random) {
  const Ordering ordering = RandomOrdering(focus, "", random);
  const std::string function = Pick({"rank()", "dense_rank()", "count(*)"}, random);
  return "SELECT id, " + function + " OVER (" + ordering.plain + ")" + From(*focus.table) +
         RandomWhere(focus, "", random);
}

std::string UnionQuery(const Focus& focus, Random& random) {
  const Ordering ordering = RandomOrdering(focus, "", random);
  const auto half = [&] { return "SELECT " + ordering.columns + From(*focus.table) + RandomWhere(focus, "", random); };
  std::string query = half() + " UNION ALL " + half();
  if (!random.OneIn(4)) query += ordering.numbered + RandomLimit(random);
  return query;
}

std::string JoinQuery(const Table& left, const Table& right, Random& random) {
  const Focus a = RandomFocus(left, random), b = RandomFocus(right, random);
  const std::string kind = Pick({" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "}, random);
  // Of a key there may be many rows on one side.
  const bool show = random.OneIn(2), many = !show && random.OneIn(2);
  std::string query = show ? "SELECT a.id, b.id" : "SELECT count(*), sum(a.id), sum(b.id), count(b.v)";
  query += " FROM (SELECT * FROM @" + left.name + " AS a" +
           (random.OneIn(2) ? RandomWhere(a, "a.", random) : " WHERE true") + Thinned(left, "a.", random) +
           OuterEnd("a", random) + ") AS a" + kind;
  query += "(SELECT * FROM @" + right.name + " AS b" +
           (random.OneIn(3) ? RandomWhere(b, "b.", random) : " WHERE true") +
           (many ? "" : Thinned(right, "b.", random)) + ") AS b";
  query += " ON " + JoinCondition(left, right, random);
  if (random.OneIn(4)) query += RandomWhere(a, "a.", random);
  return query;
}

std::string SemiJoinQuery(const Table& left, const Table& right, Random& random) {
  const Focus a = RandomFocus(left, random), b = RandomFocus(right, random);
  std::string query = "SELECT a.id FROM ";
  const std::string restrictions = RandomWhere(a, "a.", random) + (random.OneIn(3) ? "" : Thinned(left, "a.", random));
  if (random.OneIn(4))
    query += "(SELECT * FROM @" + left.name + " AS a" + restrictions + OuterEnd("a", random) + ") AS a WHERE true";
  else
    query += "@" + left.name + " AS a" + restrictions;
  const std::string negation = random.OneIn(3) ? " AND NOT " : " AND ";
  const std::string where = (random.OneIn(3) ? RandomWhere(b, "b.", random) : " WHERE true") +
                            (random.OneIn(2) ? "" : Thinned(right, "b.", random));
  if (random.OneIn(2))
    return query + negation + "EXISTS (SELECT 1 FROM @" + right.name + " AS b" + where + " AND " +
           JoinCondition(left, right, random) + ")";
  // The columns of the same place, so that the types fit.
  const size_t column = random.Below(std::min(left.columns.size(), right.columns.size()));
  return query + negation + "a." + left.columns[column].name + " IN (SELECT b." + right.columns[column].name +
         " FROM @" + right.name + " AS b" + where + ")";
}

std::string SubqueryQuery(const Table& left, const Table& right, Random& random) {
  const Focus a = RandomFocus(left, random);
  const Column& column = PickOf(right.columns, random);
  std::string function = "count(b.id)";
  if (HasMinMax(column.base) && random.OneIn(2)) function = Pick({"min(b.", "max(b."}, random) + column.name + ")";
  return "SELECT a.id, (SELECT " + function + kLoose + " FROM @" + right.name + " AS b WHERE " +
         JoinCondition(left, right, random) + ") FROM @" + left.name + " AS a" + RandomWhere(a, "a.", random) +
         Thinned(left, "a.", random);
}

std::string LateralQuery(const Table& left, const Table& right, Random& random) {
  const Focus a = RandomFocus(left, random), b = RandomFocus(right, random);
  const Ordering ordering = RandomOrdering(b, "b.", random);
  const bool outer = random.OneIn(2);
  return "SELECT a.id, l.*" + std::string(1, kLoose) + " FROM @" + left.name + " AS a" +
         (outer ? " LEFT JOIN" : " CROSS JOIN") + " LATERAL (SELECT " + ordering.columns + " FROM @" + right.name +
         " AS b WHERE " + JoinCondition(left, right, random) + ordering.plain + " LIMIT " +
         std::to_string(random.Between(1, 3)) + ") AS l" + (outer ? " ON true" : "") + RandomWhere(a, "a.", random) +
         Thinned(left, "a.", random);
}

}  // namespace omendb::differential
