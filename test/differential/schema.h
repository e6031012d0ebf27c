// The tables of an epoch, their indexes, and where the values of their columns come from.
#ifndef OMENDB_TEST_DIFFERENTIAL_SCHEMA_H
#define OMENDB_TEST_DIFFERENTIAL_SCHEMA_H

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "differential/value.h"
#include "unit/distributions.h"

namespace omendb::differential {

template <typename T>
const T& PickOf(const std::vector<T>& from, Random& random) {
  return from[random.Below(from.size())];
}

template <typename T>
T Pick(std::initializer_list<T> from, Random& random) {
  return from.begin()[random.Below(from.size())];
}

// A key column's values: a distribution of the replay list, from a start, in steps, with extremes and NULLs.
struct Source {
  test::Distribution distribution;
  int64_t start;
  int64_t scale;
  double float_start;
  double float_scale;
  uint64_t distinct;  // distances modulo this; 0: as they are
  bool shuffled;
  unsigned null_percent;
  unsigned extreme_percent;
  uint64_t at;  // how far the rows so far went, for the distributions that go on
};

struct Column {
  std::string name;
  Base base;
  bool domain;
  Source source;
  std::vector<std::optional<Value>> known;  // values that were inserted, of the same rows in all columns

  std::string TypeName() const;
};

// What a condition is about: a column or an indexed expression, ^ before each column's name.
struct Operand {
  std::string sql;
  Base base;
  int column;  // whose values are near the constants to compare with; -1 for an expression
};

struct IndexKey {
  Operand operand;
  bool descending;
  bool nulls_first;
};

struct Index {
  std::string name;
  std::vector<IndexKey> keys;
  std::vector<Operand> included;
  bool is_btree;          // on all copies
  std::string text;       // the whole CREATE INDEX, with marks
  std::string predicate;  // empty unless partial; ^ before columns
};

// Besides the keys k1, k2, ... every table has id, different in each row that is inserted by VALUES (with a unique
// index it is so in all rows, and VALUES may come with some that are there), and v, which is in no index key, so that
// its updates are HOT.
struct Table {
  std::string name;
  bool partitioned = false;
  // Unique indexes of all copies: ours, or btree's, on id, and perhaps one with more columns, whose names are in
  // `also_unique`.  (Rows with new keys come in no certain order, so it must not matter which is first: id never
  // changes.)
  bool unique = false;
  std::string also_unique;
  std::vector<Column> columns;
  std::vector<std::string> generated;  // columns of types that no index orders, for INCLUDE: names
  std::vector<Index> indexes;
  uint64_t next_id = 1;
  uint64_t rows_at_most = 0;
  int next_index = 1;
  size_t remembered = 0;  // rows in the columns' known values

  std::vector<std::string> CreateTexts(Random& random) const;
  std::vector<std::string> UniqueTexts(Random& random) const;
};

// With `like`, a table whose columns are of the same families, to join with.
Table RandomTable(const std::string& name, const Table* like, Random& random);
// Adds a random index to the table.
const Index& AddIndex(Table* table, Random& random);

// n rows as "(id, v, k1, ...)" for VALUES.
std::vector<std::string> RandomRows(Table* table, uint64_t n, Random& random);

// A number to give to RandomValue: with the same one, the constants are mostly those of one row.
size_t RandomRow(Random& random);
// A constant to compare the operand with: mostly one that is there, or its neighbour.
Value RandomValue(const Table& table, const Operand& operand, size_t row, Random& random);

// "cold_compression = lz4", only for omendb's copy.
std::string ColdCompression(Random& random);

// The domains that columns may have: what makes them.
std::vector<std::string> Domains();

// Any column as an operand.
Operand ColumnOperand(const Table& table, size_t column);

// Puts a table's alias before the columns of an operand's text.
std::string WithAlias(const std::string& sql, const std::string& alias);

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_SCHEMA_H
