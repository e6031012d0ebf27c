// Conditions and queries over the tables of an epoch.
#ifndef OMENDB_TEST_DIFFERENTIAL_QUERY_H
#define OMENDB_TEST_DIFFERENTIAL_QUERY_H

#include <string>
#include <vector>

#include "differential/schema.h"

namespace omendb::differential {

// What a query reads: mostly the columns of one index, in its order.
struct Focus {
  const Table* table;
  const Index* index;  // nullptr if it is about any columns
  std::vector<Operand> operands;
  size_t row;  // of RandomRow: whose values most conditions are about
};

Focus RandomFocus(const Table& table, Random& random);
// On the first columns of several indexes, where there are several, for those to work together.
Focus SeveralIndexesFocus(const Table& table, Random& random);

// A constant, sometimes of another type of the family, sometimes known only at run time.
std::string RandomConstant(const Focus& focus, const Operand& operand, Random& random);

// One condition on an operand.
std::string RandomCondition(const Focus& focus, const Operand& operand, const std::string& alias, Random& random);

// Of two or more of the operands: (k1, k2) > (...), or the other way round.  REQUIRES: there are two.
std::string RandomRowComparison(const Focus& focus, const std::string& alias, Random& random);

// " WHERE true AND ..."; each condition optional, several on one column possible.
std::string RandomWhere(const Focus& focus, const std::string& alias, Random& random);

// The text of a query; its sort keys come first, as ComparisonOf wants it.
std::string SelectQuery(const Focus& focus, Random& random);
std::string OrderedQuery(const Focus& focus, bool may_limit, Random& random);
std::string SeveralIndexesQuery(const Table& table, Random& random);
std::string MinMaxQuery(const Focus& focus, Random& random);
std::string AggregateQuery(const Focus& focus, Random& random);
std::string GroupQuery(const Focus& focus, Random& random);
std::string TotalsQuery(const Focus& focus, Random& random);
std::string DistinctQuery(const Focus& focus, Random& random);
std::string WindowQuery(const Focus& focus, Random& random);
std::string UnionQuery(const Focus& focus, Random& random);
// Of two tables, or of one with itself.
std::string JoinQuery(const Table& left, const Table& right, Random& random);
std::string SemiJoinQuery(const Table& left, const Table& right, Random& random);
std::string SubqueryQuery(const Table& left, const Table& right, Random& random);
std::string LateralQuery(const Table& left, const Table& right, Random& random);

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_QUERY_H
