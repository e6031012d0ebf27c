// An epoch: a random schema, its data, and the random statements on them.
#ifndef OMENDB_TEST_DIFFERENTIAL_EPOCH_H
#define OMENDB_TEST_DIFFERENTIAL_EPOCH_H

#include <string>
#include <vector>

#include "differential/query.h"
#include "differential/schema.h"
#include "differential/statement.h"

namespace omendb::differential {

class Epoch {
 public:
  // `test_build`: whether the library has the settings that force small pages and deltas.
  Epoch(uint64_t seed, bool test_build);

  // What creates and fills the tables.
  std::vector<Group> Begin();
  // The next statements.
  Group Next();
  // What an epoch ends with.
  Group End();

 private:
  struct Kind;
  static const Kind kKinds[];

  Group Settings();
  Group Check();
  Group TooLong();
  Group Query(std::string (*make)(const Focus&, Random&));
  Group TwoTableQuery(std::string (*make)(const Table&, const Table&, Random&));
  Group Ordered();
  Group SeveralIndexes();
  Group Cursor();
  Group Prepared();
  Group Write();
  Group Transaction();
  Group Vacuum();
  Group Analyze();
  Group Reindex();
  Group Truncate();
  Group Cluster();
  Group ReplaceIndex();
  Group Options();
  Group Offload();
  Group Recall();

  Table& AnyTable() { return tables_[random_.Below(tables_.size())]; }
  std::string InsertText(Table* table, uint64_t rows);
  std::string CopyText(Table* table, uint64_t rows);
  std::string OnConflict(const Table& table);
  std::string WriteText(Table* table);
  std::string BlockText(Table* table);
  std::string AlterRowsText(Table* table);
  std::string MatchText(Table* table);
  Statement OffloadStatement(const Table& table);
  Statement RecallStatement(const Table& table);
  Statement MoveStatement(const Table& table);
  void Explain(Group* group, const std::string& query);
  std::string Name(const char* prefix) { return prefix + std::to_string(++names_); }

  Random random_;
  std::vector<Table> tables_;
  bool test_build_;
  std::vector<std::string> fixed_settings_;  // for the whole epoch
  uint64_t most_rows_;
  int until_settings_ = 0;
  uint64_t explain_one_in_ = 8;  // of the queries, by the settings
  bool many_totals_ = false;     // by the settings, too
  uint64_t offload_one_in_ = 0;  // beside other statements, by the settings; 0: not
  int names_ = 0;
};

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_EPOCH_H
