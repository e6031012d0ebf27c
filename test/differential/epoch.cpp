#include "differential/epoch.h"

#include <algorithm>

namespace omendb::differential {

// A kind of statement: its name in the summary, how often it comes, what makes it.
struct Epoch::Kind {
  const char* name;
  unsigned weight;
  Group (*make)(Epoch&);
};

const Epoch::Kind Epoch::kKinds[] = {
    {"select", 190, [](Epoch& e) { return e.Query(SelectQuery); }},
    {"ordered", 110, [](Epoch& e) { return e.Ordered(); }},
    {"several indexes", 30, [](Epoch& e) { return e.SeveralIndexes(); }},
    {"min/max", 40, [](Epoch& e) { return e.Query(MinMaxQuery); }},
    {"aggregate", 50, [](Epoch& e) { return e.Query(AggregateQuery); }},
    {"group by", 35, [](Epoch& e) { return e.Query(GroupQuery); }},
    {"totals", 60, [](Epoch& e) { return e.Query(TotalsQuery); }},
    {"distinct", 30, [](Epoch& e) { return e.Query(DistinctQuery); }},
    {"window", 15, [](Epoch& e) { return e.Query(WindowQuery); }},
    {"union", 20, [](Epoch& e) { return e.Query(UnionQuery); }},
    {"join", 90, [](Epoch& e) { return e.TwoTableQuery(JoinQuery); }},
    {"semi join", 30, [](Epoch& e) { return e.TwoTableQuery(SemiJoinQuery); }},
    {"subquery", 25, [](Epoch& e) { return e.TwoTableQuery(SubqueryQuery); }},
    {"lateral", 25, [](Epoch& e) { return e.TwoTableQuery(LateralQuery); }},
    {"cursor", 15, [](Epoch& e) { return e.Cursor(); }},
    {"prepared", 20, [](Epoch& e) { return e.Prepared(); }},
    {"write", 110, [](Epoch& e) { return e.Write(); }},
    {"transaction", 25, [](Epoch& e) { return e.Transaction(); }},
    {"vacuum", 22, [](Epoch& e) { return e.Vacuum(); }},
    {"analyze", 8, [](Epoch& e) { return e.Analyze(); }},
    {"reindex", 5, [](Epoch& e) { return e.Reindex(); }},
    {"truncate", 2, [](Epoch& e) { return e.Truncate(); }},
    {"cluster", 2, [](Epoch& e) { return e.Cluster(); }},
    {"replace index", 6, [](Epoch& e) { return e.ReplaceIndex(); }},
    {"options", 4, [](Epoch& e) { return e.Options(); }},
    {"offload", 30, [](Epoch& e) { return e.Offload(); }},
    {"recall", 5, [](Epoch& e) { return e.Recall(); }},
    {"check", 3, [](Epoch& e) { return e.Check(); }},
    {"too long", 6, [](Epoch& e) { return e.TooLong(); }},
};

Epoch::Epoch(uint64_t seed, bool test_build) : random_(seed) {
  const uint64_t size = random_.Below(100);
  most_rows_ = size < 15 ? 40 : size < 60 ? 400 : size < 98 ? 2500 : 12000;
  if (test_build && !random_.OneIn(6)) {
    // Mostly so few that there are leaves to be offloaded.
    fixed_settings_.push_back(
        "omendb.test_page_entries = " +
        std::to_string(random_.Between(4, Pick<uint64_t>({4, 5, 6, 7, 8, 10, 20, 200}, random_))));
    fixed_settings_.push_back("omendb.test_delta_entries = " + std::to_string(random_.Between(1, 64)));
    if (random_.OneIn(2))
      fixed_settings_.push_back("omendb.test_segment_leaves = " + std::to_string(random_.Between(4, 40)));
  }
  test_build_ = test_build;
  fixed_settings_.push_back(
      "timezone = '" + std::string(Pick({"UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"}, random_)) +
      "'");
}

std::vector<Group> Epoch::Begin() {
  std::vector<Group> groups{Settings()};
  const Table first = RandomTable("t", nullptr, random_);
  tables_ = {first};
  if (random_.OneIn(2)) tables_.push_back(RandomTable("u", &first, random_));
  for (Table& table : tables_) {
    for (const std::string& text : table.CreateTexts(random_)) groups.push_back({"create table", {{text}}});
    std::vector<Group> indexes;
    for (uint64_t count = random_.OneIn(2) ? random_.Between(2, 4) : 1; count > 0; count--)
      indexes.push_back({"create index", {{"CREATE INDEX " + AddIndex(&table, random_).text, Target::kIndexed}}});
    std::vector<Group> data;
    if (!random_.OneIn(8)) {
      // Some thousands of rows at once only rarely: what is parsed three times is not what is tested.
      uint64_t rows = random_.Between(most_rows_ / 6, most_rows_ / 2);
      data.push_back({"write", {{InsertText(&table, rows + 1)}}});
    }
    const bool before = random_.OneIn(2);
    groups.insert(groups.end(), before ? indexes.begin() : data.begin(), before ? indexes.end() : data.end());
    groups.insert(groups.end(), before ? data.begin() : indexes.begin(), before ? data.end() : indexes.end());
    if (!random_.OneIn(4)) groups.push_back({"vacuum", {{"VACUUM ANALYZE @" + table.name}}});
    if (random_.OneIn(2)) groups.push_back({"offload", {OffloadStatement(table)}});
  }
  return groups;
}

Group Epoch::Next() {
  if (--until_settings_ < 0) return Settings();
  if (offload_one_in_ > 0 && random_.OneIn(offload_one_in_)) {
    Group group = Offload();
    group.kind = "offload";
    return group;
  }
  uint64_t total = 0;
  for (const Kind& kind : kKinds) total += kind.weight;
  uint64_t at = random_.Below(total);
  const Kind* kind = kKinds;
  for (; at >= kind->weight; kind++) at -= kind->weight;
  Group group = kind->make(*this);
  group.kind = kind->name;
  if (many_totals_ && !random_.OneIn(4)) {
    group = Query(TotalsQuery);
    group.kind = "totals";
  }
  return group;
}

// ---- Settings ----

Group Epoch::Settings() {
  until_settings_ = static_cast<int>(random_.Between(8, 40));
  explain_one_in_ = 8;
  many_totals_ = false;
  // Writes bring leaves back; so they go again and again, for what reads them.
  offload_one_in_ = Pick<uint64_t>({0, 3, 6, 6}, random_);
  Group group{"settings", {{"RESET ALL", Target::kOnce}}};
  const auto set = [&](const std::string& what) { group.statements.push_back({"SET " + what, Target::kOnce}); };
  for (const std::string& what : fixed_settings_) set(what);
  if (!random_.OneIn(4)) set("enable_seqscan = off");
  for (const char* name : {"enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "enable_sort",
                           "enable_material", "enable_memoize", "enable_incremental_sort", "enable_hashagg"})
    if (random_.OneIn(4)) set(std::string(name) + " = off");
  for (const char* node : {"scan", "lookup_join", "aggregate"})
    if (random_.OneIn(2)) set("omendb.enable_" + std::string(node) + " = off");
  // What a batch costs more than a row: without it, our nodes come first.
  if (random_.OneIn(3)) set("cpu_operator_cost = 0");
  const uint64_t join = random_.Below(5);  // 0..2: the only one
  if (join < 3) {
    // Two ordered indexes, or a sort of one side: what merge joins are made of.
    explain_one_in_ = 2;  // rare plans: look more often
    if (join == 1 && !random_.OneIn(3)) set("enable_sort = off");
    const char* const joins[] = {"enable_nestloop", "enable_mergejoin", "enable_hashjoin"};
    for (uint64_t i = 0; i < 3; i++)
      if (i != join) set(std::string(joins[i]) + " = off");
  }
  if (random_.OneIn(4)) set("omendb.enable_aggregate = off");
  if (random_.OneIn(4)) set("random_page_cost = 0.01");
  if (random_.OneIn(4)) set("plan_cache_mode = force_generic_plan");
  if (random_.OneIn(8)) set("work_mem = '64kB'");
  // Mostly every insert waits; without the test build those behind the first few do.
  if (test_build_ && !random_.OneIn(3))
    set("omendb.test_first_inserts = " + std::string(Pick({"0", "0", "0", "1", "5"}, random_)));
  if (random_.OneIn(3)) set("omendb.insert_buffer_size = " + std::string(Pick({"0", "'64kB'", "'64kB'"}, random_)));
  if (random_.OneIn(3))
    set("default_transaction_isolation = " + std::string(Pick({"serializable", "'repeatable read'"}, random_)));
  if (random_.OneIn(9)) {
    for (const char* what : {"parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0",
                             "min_parallel_index_scan_size = 0", "max_parallel_workers_per_gather = 2"})
      set(what);
    until_settings_ = 12;
    explain_one_in_ = 1;
    // What processes share when they add up is little: make it dear.
    if (random_.OneIn(2)) {
      set("cpu_operator_cost = 1");
      set("omendb.enable_aggregate = on");
      set("enable_seqscan = off");
      many_totals_ = true;
      until_settings_ = 30;
    }
  }
  return group;
}

// ---- Queries ----

namespace {

// omendb's indexes in omendb's copy, named c.
const std::string kOurIndexes =
    " FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid "
    "WHERE c.relnamespace = 'o'::regnamespace AND c.relkind = 'i' "
    "AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'omendb')";

// The plan, and which indexes are cold for the most part.
void AddExplain(Group* group, const std::string& query) {
  group->statements.push_back({"EXPLAIN (COSTS OFF) " + query, Target::kExplain});
  group->statements.push_back({"SELECT relname FROM (SELECT c.relname, omendb_stat_index(c.oid) AS s" + kOurIndexes +
                                   " AND i.indisvalid OFFSET 0) AS r WHERE (s).cold_leaves > (s).leaf_pages",
                               Target::kColdIndexes});
}

}  // namespace

void Epoch::Explain(Group* group, const std::string& query) {
  if (random_.OneIn(explain_one_in_)) AddExplain(group, query);
}

Group Epoch::Query(std::string (*make)(const Focus&, Random&)) {
  const std::string query = make(RandomFocus(AnyTable(), random_), random_);
  Group group{"", {{query}}};
  Explain(&group, query);
  return group;
}

Group Epoch::Ordered() {
  const std::string query = OrderedQuery(RandomFocus(AnyTable(), random_), true, random_);
  Group group{"", {{query}}};
  Explain(&group, query);
  return group;
}

// Bitmaps only, and rows are dear: better two indexes than some rows too many.
Group Epoch::SeveralIndexes() {
  Group group{"", {}, Group::kCommit};
  std::string settings = "SELECT set_config('cpu_tuple_cost', '10', true)";
  for (const char* name : {"enable_seqscan", "enable_indexscan", "enable_indexonlyscan"})
    settings += Optional(", set_config('" + std::string(name) + "', 'off', true)");
  group.statements.push_back({settings + Optional(", set_config('enable_bitmapscan', 'on', true)")});
  const std::string query = SeveralIndexesQuery(AnyTable(), random_);
  group.statements.push_back({query});
  // Each of them: few have the plan that they are there for.
  AddExplain(&group, query);
  return group;
}

Group Epoch::TwoTableQuery(std::string (*make)(const Table&, const Table&, Random&)) {
  const Table& left = AnyTable();
  const Table& right = AnyTable();
  const std::string query = make(left, right, random_);
  Group group{"", {{query}}};
  Explain(&group, query);
  return group;
}

Group Epoch::Cursor() {
  Table& table = AnyTable();
  const std::string query = OrderedQuery(RandomFocus(table, random_), random_.OneIn(3), random_);
  const int sort_keys = ComparisonOf(query).sort_keys;
  const std::string marks = std::string(static_cast<size_t>(sort_keys), kSortKey) + kLimited;
  const std::string name = Name("c") + "_#";
  const bool hold = random_.OneIn(4), scroll = !random_.OneIn(4);
  Group group{"", {}};
  if (!hold || random_.OneIn(2)) group.transaction = random_.OneIn(3) ? Group::kRollback : Group::kCommit;
  // The query's own marks are not of the DECLARE, which returns nothing.
  group.statements.push_back(
      {"DECLARE " + name + (scroll ? " SCROLL" : "") + " CURSOR" + (hold ? " WITH HOLD" : "") + " FOR " + query});
  const auto fetch = [&](const std::string& what) {
    group.statements.push_back(
        {Pick({"FETCH ", "FETCH ", "FETCH ", "MOVE "}, random_) + what + " FROM " + name + marks});
  };
  for (uint64_t steps = random_.Between(3, 14); steps > 0; steps--) {
    // FETCH 0 repeats a row, which without SCROLL depends on the plan.
    const std::string count = std::to_string((random_.OneIn(4) ? random_.Below(500) : random_.Below(12)) + !scroll);
    if (random_.OneIn(8)) group.statements.push_back(MoveStatement(table));
    switch (scroll ? random_.Below(14) : 9 + random_.Below(5)) {
      case 0:
      case 1:
      case 2:
        fetch("BACKWARD " + count);
        break;
      case 3:
        fetch("ABSOLUTE " + std::string(random_.OneIn(3) ? "-" : "") + count);
        break;
      case 4:
        fetch("RELATIVE " + std::string(random_.OneIn(2) ? "-" : "") + count);
        break;
      case 5:
        fetch(Pick({"FIRST", "LAST", "PRIOR", "NEXT"}, random_));
        break;
      case 6:
        fetch(Pick({"ALL", "BACKWARD ALL"}, random_));
        break;
      case 7:
      case 9:
        group.statements.push_back({WriteText(&table)});
        break;
      case 11:
        // A cursor outlives what is rolled back to before it was moved.
        if (!random_.OneIn(3)) break;
        group.statements.push_back({"SAVEPOINT s"});
        group.statements.push_back({WriteText(&table)});
        fetch("FORWARD " + count);
        group.statements.push_back({"ROLLBACK TO s"});
        break;
      case 10:
        // What is left of it outlives the transaction, or is gone.
        if (random_.OneIn(8)) group.statements.push_back({"COMMIT AND CHAIN"});
        break;
      default:
        fetch("FORWARD " + count);
    }
  }
  group.statements.push_back({"CLOSE " + name});
  return group;
}

Group Epoch::Prepared() {
  Table& table = AnyTable();
  const Focus focus = RandomFocus(table, random_);
  const std::string name = Name("p") + "_#";
  std::string types, where;
  std::vector<const Operand*> parameters;
  for (const Operand& operand : focus.operands) {
    const std::string number = "$" + std::to_string(parameters.size() + 1);
    std::string type = differential::Name(PickOf(Family(operand.base), random_));
    std::string condition = operand.sql + Pick({" = ", " = ", " < ", " <= ", " >= ", " > "}, random_) + number;
    if (random_.OneIn(4)) {
      condition = operand.sql + " = ANY (" + number + ")";
      type += "[]";
    }
    where += (where.empty() ? " WHERE " : " AND ") + WithAlias(condition, "");
    types += (types.empty() ? "" : ", ") + type;
    parameters.push_back(&operand);
    if (random_.OneIn(3)) break;
  }
  Group group{"", {}};
  group.statements.push_back({"PREPARE " + name + " (" + types + ") AS SELECT id, k1 FROM @" + table.name + where});
  for (uint64_t times = random_.Between(1, 8); times > 0; times--) {
    const size_t row = RandomRow(random_);
    std::string arguments;
    std::string rest = types;
    for (const Operand* operand : parameters) {
      const size_t comma = rest.find(", ");
      const std::string type = rest.substr(0, comma);
      rest = comma == std::string::npos ? "" : rest.substr(comma + 2);
      const Value value = RandomValue(table, *operand, row, random_);
      std::string argument = random_.OneIn(30) ? "NULL" : Literal(value);
      if (type.back() == ']')
        argument = "ARRAY[" + argument + ", " + Literal(RandomValue(table, *operand, row, random_)) + "]::" + type;
      arguments += (arguments.empty() ? "" : ", ") + argument;
    }
    group.statements.push_back({"EXECUTE " + name + " (" + arguments + ")"});
    // What its plan must survive.
    if (random_.OneIn(6)) group.statements.push_back({WriteText(&table)});
    if (random_.OneIn(25)) group.statements.push_back({"REINDEX TABLE @" + table.name, Target::kIndexed});
    if (random_.OneIn(25)) group.statements.push_back({"VACUUM ANALYZE @" + table.name});
    if (random_.OneIn(10)) group.statements.push_back(MoveStatement(table));
  }
  group.statements.push_back({"DEALLOCATE " + name});
  return group;
}

// ---- Writes ----

std::string Epoch::InsertText(Table* table, uint64_t rows) {
  // Some of the rows before once more.
  if (table->unique && table->next_id > 1 && random_.OneIn(3)) table->next_id -= random_.Below(table->next_id);
  std::string text = "INSERT INTO @" + table->name + " VALUES ";
  bool first = true;
  for (const std::string& row : RandomRows(table, rows, random_)) {
    text += first ? row : Optional(", " + row);
    first = false;
  }
  return text + OnConflict(*table);
}

// Rows of which only the id and v are not NULL, by COPY.
std::string Epoch::CopyText(Table* table, uint64_t rows) {
  const uint64_t first = table->next_id;
  table->next_id += rows;
  table->rows_at_most += rows;
  return "COPY @" + table->name + " (id, v) FROM PROGRAM 'seq " + std::to_string(first) + ' ' +
         std::to_string(first + rows - 1) + " | sed s/.\\*/\\&,\\&/' WITH (FORMAT csv)";
}

// A table may have no unique index, and its rows are inserted speculatively all the same.
std::string Epoch::OnConflict(const Table& table) {
  if (!random_.OneIn(table.unique ? 2 : 12)) return "";
  if (!table.unique || random_.OneIn(3)) return " ON CONFLICT DO NOTHING";
  const std::string columns = !table.also_unique.empty() && random_.OneIn(3) ? table.also_unique : "id";
  const std::string arbiter = " ON CONFLICT (" + columns + ") DO ";
  if (random_.OneIn(3)) return arbiter + "NOTHING";
  std::string set = "v = excluded.v + 1";
  if (random_.OneIn(3)) set += ", " + PickOf(table.columns, random_).name + " = DEFAULT";
  return arbiter + "UPDATE SET " + set + (random_.OneIn(3) ? Optional(" WHERE @" + table.name + ".v % 2 = 0") : "");
}

std::string Epoch::AlterRowsText(Table* table) {
  const std::string where = RandomWhere(RandomFocus(*table, random_), "", random_);
  std::string text;
  if (random_.OneIn(3)) {
    text = "DELETE FROM @" + table->name + where;
    if (random_.OneIn(2)) text += " AND id % 3 = " + std::to_string(random_.Below(3));
    if (random_.OneIn(30)) {
      text = "DELETE FROM @" + table->name;
      table->rows_at_most /= 2;  // it may be rolled back
    }
  } else {
    const size_t column = random_.Below(table->columns.size());
    const Operand operand = ColumnOperand(*table, column);
    const std::string name = table->columns[column].name;
    std::string set;
    switch (random_.Below(6)) {
      case 0:
      case 1:
        set = "v = v + 1";
        break;
      case 2:
        set = name + " = " +
              (random_.OneIn(4) ? "NULL" : Literal(RandomValue(*table, operand, RandomRow(random_), random_)));
        break;
      case 3:
        // The same value: a new entry with equal keys.
        set = name + " = " + name + ", v = v - 1";
        break;
      case 4: {
        const Column& other = PickOf(table->columns, random_);
        set = name + " = " + (other.base == operand.base ? other.name : name);
        break;
      }
      default:
        // May run over the type's end, and fail.
        if (IsInteger(operand.base) || operand.base == Base::kDate)
          set = name + " = " + name + Pick({" + 1", " - 1", " + 100"}, random_);
        else if (IsFloat(operand.base))
          set = name + " = -" + name;
        else
          set = name + " = " + Literal(RandomValue(*table, operand, RandomRow(random_), random_));
    }
    text = "UPDATE @" + table->name + " SET " + set + where;
  }
  if (random_.OneIn(6)) text += " RETURNING id";
  return text;
}

// Rows that match those of another table.
std::string Epoch::MatchText(Table* table) {
  const Table& other = AnyTable();
  const size_t column = random_.Below(std::min(table->columns.size(), other.columns.size()));
  const std::string left = table->columns[column].name, right = other.columns[column].name;
  const std::string where = RandomWhere(RandomFocus(other, random_), "b.", random_);
  if (random_.OneIn(2))
    return "DELETE FROM @" + table->name + " AS a WHERE a." + left + " IN (SELECT b." + right + " FROM @" + other.name +
           " AS b" + where + ") AND a.id % 4 = " + std::to_string(random_.Below(4));
  // Grouped, so that a row matches once.  The key itself is not inserted: of 0 and -0 it may be either.
  table->rows_at_most += other.rows_at_most / 4;
  return "MERGE INTO @" + table->name + " AS a USING (SELECT b." + right + " AS k, count(*)::int4 AS n FROM @" +
         other.name + " AS b" + where + " GROUP BY 1) AS s ON a." + left + " = s.k" +
         Optional(" WHEN MATCHED AND a.v < 20 THEN DELETE") +
         Optional(" WHEN MATCHED THEN UPDATE SET v = s.n, " + left + " = a." + left) +
         Optional(" WHEN NOT MATCHED AND s.n > 1 THEN INSERT (id, v) VALUES (-s.n, s.n)");
}

std::string Epoch::WriteText(Table* table) {
  if (random_.OneIn(20) && table->rows_at_most < most_rows_) return MatchText(table);
  const uint64_t kind = random_.Below(20);
  if (kind < 9 && table->rows_at_most < most_rows_) {
    const bool many = random_.OneIn(offload_one_in_ > 0 ? 8 : 3);
    uint64_t rows = many ? random_.Below(most_rows_ / 8 + 1) + 1 : random_.Between(1, 8);
    rows = std::min<uint64_t>(rows, 400);
    return random_.OneIn(12) ? CopyText(table, rows) : InsertText(table, rows);
  }
  if (kind < 11 && table->rows_at_most < most_rows_ / 2) {
    table->rows_at_most *= 2;
    std::string columns = "id + 1000, v";
    for (const Column& column : table->columns) columns += ", " + column.name;
    return "INSERT INTO @" + table->name + " SELECT " + columns + " FROM @" + table->name +
           RandomWhere(RandomFocus(*table, random_), "", random_) + OnConflict(*table);
  }
  return AlterRowsText(table);
}

// Inserts in a subtransaction, which is committed or rolled back; around it or within it is another one.
std::string Epoch::BlockText(Table* table) {
  const auto insert = [&] { return InsertText(table, random_.Between(1, 60)) + "; "; };
  const auto end = [&](const char* name) {
    return std::string(random_.OneIn(2) ? "RAISE EXCEPTION '" + std::string(name) + "'; " : "") +
           "EXCEPTION WHEN raise_exception THEN " + (random_.OneIn(3) ? insert() : "NULL; ") + "END";
  };
  std::string inner;
  if (random_.OneIn(2)) inner = "BEGIN " + insert() + end("inner") + "; " + (random_.OneIn(2) ? insert() : "");
  return "DO $$BEGIN " + insert() + inner + end("outer") + "$$";
}

Group Epoch::Write() { return {"", {{WriteText(&AnyTable())}}}; }

Group Epoch::Transaction() {
  Group group{"", {}};
  group.transaction = random_.OneIn(3) ? Group::kRollback : Group::kCommit;
  std::vector<std::string> savepoints;
  for (uint64_t steps = random_.Between(2, 12); steps > 0; steps--) {
    Table& table = AnyTable();
    if (random_.OneIn(8)) group.statements.push_back(MoveStatement(table));
    switch (random_.Below(16)) {
      case 0:
      case 1:
        savepoints.push_back("s" + std::to_string(savepoints.size() + 1));
        group.statements.push_back({"SAVEPOINT " + savepoints.back()});
        break;
      case 2:
      case 3:
        if (savepoints.empty()) break;
        group.statements.push_back({(random_.OneIn(3) ? "RELEASE " : "ROLLBACK TO ") + savepoints.back()});
        savepoints.pop_back();
        break;
      case 4:
        if (!random_.OneIn(6)) break;
        group.statements.push_back({"TRUNCATE @" + table.name});
        break;
      case 5:
        // With partitions it does not run in a transaction, and would end it on two of the copies.
        if (table.partitioned || !random_.OneIn(4)) break;
        group.statements.push_back({"REINDEX TABLE @" + table.name, Target::kIndexed});
        break;
      case 6:
      case 7:
      case 8:
        group.statements.push_back({SelectQuery(RandomFocus(table, random_), random_)});
        break;
      case 9:
        group.statements.push_back({OrderedQuery(RandomFocus(table, random_), true, random_)});
        break;
      case 10:
        group.statements.push_back({table.rows_at_most < most_rows_ ? BlockText(&table) : WriteText(&table)});
        break;
      default:
        group.statements.push_back({WriteText(&table)});
    }
  }
  return group;
}

// ---- Maintenance ----

Group Epoch::Check() {
  return {"check", {{"SELECT c.relname, omendb_check(c.oid, true)" + kOurIndexes, Target::kCheck}}};
}

// How often segments were asked, too: what a session finds in its own memory is not counted.
Group Epoch::End() {
  Group group = Check();
  group.statements.push_back(
      {"SELECT 'looked for in segments', (s).cold_hits + (s).cold_reads FROM (SELECT "
       "omendb_stat_index(c.oid) AS s" +
           kOurIndexes + " AND i.indisvalid OFFSET 0) AS r",
       Target::kMove});
  return group;
}

// Values about as long as an index takes them, which is less than btree does; all is rolled back.
Group Epoch::TooLong() {
  Table& table = AnyTable();
  const Column& column = PickOf(table.columns, random_);
  const std::string bytes = std::to_string(random_.OneIn(3) ? random_.Between(1500, 1545) : random_.Between(300, 3000));
  const std::string letters =
      random_.OneIn(2)
          ? "repeat(chr(97 + id % 3), " + bytes + ")"
          : "left((SELECT string_agg(md5((id + g)::text), '') FROM generate_series(1, 100) g), " + bytes + ")";
  std::string value;
  if (IsString(column.base) && column.base != Base::kBpchar)  // (which has a length)
    value = letters + "::" + differential::Name(column.base);
  else if (column.base == Base::kBytea)
    value = "convert_to(" + letters + ", 'UTF8')";
  else if (column.base == Base::kNumeric)
    value = "(repeat((id % 9 + 1)::text, 2 * " + bytes + "))::numeric";
  else
    return Check();
  Group group{"", {}, Group::kRollback};
  const std::string where = " WHERE id % " + std::to_string(random_.Between(1, 9)) + " = 0";
  group.statements.push_back(
      {"UPDATE @" + table.name + " SET " + column.name + " = " + value + where, Target::kMayBeTooLong});
  Statement check = Check().statements[0];
  check.target = Target::kMayBeTooLong;
  group.statements.push_back(check);
  return group;
}

Group Epoch::Vacuum() {
  const std::string name = AnyTable().name;
  Group group{"",
              {{Pick({"VACUUM @", "VACUUM @", "VACUUM ANALYZE @", "VACUUM (FREEZE) @", "VACUUM (INDEX_CLEANUP ON) @",
                      "VACUUM (FULL) @"},
                     random_) +
                name}}};
  if (random_.OneIn(8)) group.statements.push_back(Check().statements[0]);
  return group;
}

Group Epoch::Analyze() { return {"", {{"ANALYZE @" + AnyTable().name}}}; }

Group Epoch::Reindex() {
  const Table& table = AnyTable();
  const std::string concurrently = random_.OneIn(3) ? Optional(" CONCURRENTLY") : "";
  std::string text = "REINDEX TABLE" + concurrently + " @" + table.name;
  if (!table.indexes.empty() && random_.OneIn(2))
    text = "REINDEX INDEX" + concurrently + " @" + PickOf(table.indexes, random_).name;
  Group group{"", {{text, Target::kIndexed}}};
  if (random_.OneIn(3)) group.statements.push_back(Check().statements[0]);
  return group;
}

Group Epoch::Truncate() {
  Table& table = AnyTable();
  table.rows_at_most = 0;
  return {"", {{"TRUNCATE @" + table.name}}};
}

Group Epoch::Cluster() {
  const Table& table = AnyTable();
  // Not of a partial index, nor in another order than its own; both fail on both copies alike.
  if (table.indexes.empty()) return {"", {}};
  return {"", {{"CLUSTER @" + table.name + " USING " + PickOf(table.indexes, random_).name, Target::kIndexed}}};
}

Group Epoch::ReplaceIndex() {
  Table& table = AnyTable();
  Group group{"", {}};
  const std::string concurrently = random_.OneIn(4) ? Optional(" CONCURRENTLY") : "";
  if (table.indexes.size() > 1 || (!table.indexes.empty() && random_.OneIn(3))) {
    const size_t which = random_.Below(table.indexes.size());
    group.statements.push_back({"DROP INDEX" + concurrently + " @" + table.indexes[which].name, Target::kIndexed});
    table.indexes.erase(table.indexes.begin() + static_cast<ptrdiff_t>(which));
  }
  if (table.indexes.size() < 4) {
    const std::string text = AddIndex(&table, random_).text;
    group.statements.push_back({"CREATE INDEX" + concurrently + ' ' + text, Target::kIndexed});
  }
  return group;
}

Group Epoch::Options() {
  const Table& table = AnyTable();
  if (table.indexes.empty()) return {"", {}};
  const Index& index = PickOf(table.indexes, random_);
  const std::string text = "ALTER INDEX @" + index.name;
  const bool both = !index.is_btree && random_.OneIn(2);
  if (random_.OneIn(4))
    return {"",
            {{text + " RESET (fillfactor" + (both ? OnlyOmendb(", cold_compression") : "") + ")", Target::kIndexed}}};
  return {"",
          {{text + " SET (fillfactor = " + std::to_string(random_.Between(10, 100)) +
                (both ? OnlyOmendb(", " + ColdCompression(random_)) : "") + ")",
            Target::kIndexed}}};
}

// ---- The cold tier ----

namespace {

// Of the index of that name, of its partitions' indexes, or of all of a table.
std::string IndexesOf(const char* what, const char* parent, const std::string& name) {
  const std::string oid = "to_regclass('@" + name + "')";
  return std::string(" AND (") + what + " = " + oid + " OR " + what + " IN (SELECT inhrelid FROM pg_inherits WHERE " +
         parent + " = " + oid + "))";
}

}  // namespace

// All leaves, or those before a value that there may be.
Statement Epoch::OffloadStatement(const Table& table) {
  // Those that were not changed since a call just before; and perhaps that call is all there is.
  const bool once = random_.OneIn(8);
  const std::string unchanged = std::string("omendb_offload(c.oid)") + (once ? "" : " + omendb_offload(c.oid)");
  const auto text = [](const std::string& call, const std::string& indexes) {
    return Statement{"SELECT 'offloaded', " + call + kOurIndexes + " AND i.indisvalid" + indexes, Target::kMove};
  };
  // (Of what is not in the WAL nobody can tell whether it was changed.)
  if (random_.OneIn(2))
    return text(unchanged, IndexesOf("i.indrelid", "inhparent", table.name) + " AND c.relpersistence = 'p'");
  std::string name = table.name + "_id";
  Operand leading{"^id", Base::kInt4, -1};
  if (table.unique && random_.OneIn(3)) {
    if (!table.also_unique.empty() && random_.OneIn(2)) name = table.name + "_also";
    if (table.partitioned) name = table.name + Pick({"_p0_id", "_p1_id"}, random_);
  } else if (!table.indexes.empty()) {
    const Index& index = PickOf(table.indexes, random_);
    name = index.name;
    leading = index.keys[0].operand;
  }
  const std::string indexes = IndexesOf("c.oid", "inhparent", name);
  if (random_.OneIn(3)) return text(unchanged, indexes + " AND c.relpersistence = 'p'");
  std::string before;
  if (leading.sql == "^id")
    before = '\'' + std::to_string(random_.Below(table.next_id + 1)) + '\'';
  else if (leading.base == Base::kChar)  // most of its values have no text
    before = Pick({"' '", "'A'", "'a'", "'z'"}, random_);
  else
    before = Untyped(RandomValue(table, leading, RandomRow(random_), random_));
  return text("omendb_offload(c.oid, " + before + ")", indexes);
}

Statement Epoch::RecallStatement(const Table& table) {
  std::string indexes = IndexesOf("i.indrelid", "inhparent", table.name);
  if (!table.indexes.empty() && !random_.OneIn(3))
    indexes = IndexesOf("c.oid", "inhparent", PickOf(table.indexes, random_).name);
  return {"SELECT 'recalled', omendb_recall(c.oid)" + kOurIndexes + " AND i.indisvalid" + indexes, Target::kMove};
}

Statement Epoch::MoveStatement(const Table& table) {
  return random_.OneIn(5) ? RecallStatement(table) : OffloadStatement(table);
}

Group Epoch::Offload() {
  const Table& table = AnyTable();
  Group group{"", {OffloadStatement(table)}};
  if (random_.OneIn(6)) group.statements.push_back({"VACUUM @" + table.name});
  if (random_.OneIn(10)) group.statements.push_back(Check().statements[0]);
  return group;
}

Group Epoch::Recall() {
  Group group{"", {RecallStatement(AnyTable())}};
  if (random_.OneIn(4)) group.statements.push_back(Check().statements[0]);
  return group;
}

}  // namespace omendb::differential
