#include "differential/runner.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "differential/value.h"

namespace omendb::differential {

namespace {

[[noreturn]] void Die(const char* what, const std::string& why) {
  std::fprintf(stderr, "differential: %s: %s\n", what, why.c_str());
  std::exit(2);
}

// What happened to one statement on one copy.
constexpr Oid kBpcharOid = 1042, kIntervalOid = 1186, kNumericOid = 1700;

// What is equal to it looks the same.
std::string WithoutEnd(std::string value, const char* what) {
  value.erase(value.find_last_not_of(what) + 1);
  return value;
}

std::string Shortest(const std::string& numeric) {
  if (numeric.find('.') == std::string::npos) return numeric;
  return WithoutEnd(WithoutEnd(numeric, "0"), ".");
}

class Result {
 public:
  Result() = default;
  explicit Result(PGresult* result) : result_(result) {}
  Result(Result&& other) noexcept : result_(std::exchange(other.result_, nullptr)) {}
  Result& operator=(Result&& other) noexcept {
    std::swap(result_, other.result_);
    return *this;
  }
  ~Result() { PQclear(result_); }

  bool HasRows() const { return PQresultStatus(result_) == PGRES_TUPLES_OK; }
  bool Failed() const {
    return PQresultStatus(result_) != PGRES_TUPLES_OK && PQresultStatus(result_) != PGRES_COMMAND_OK;
  }
  std::string SqlState() const {
    const char* state = PQresultErrorField(result_, PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "";
  }
  std::string Message() const { return PQresultErrorMessage(result_); }
  std::string RowCount() const { return PQcmdTuples(result_); }
  int rows() const { return PQntuples(result_); }
  int columns() const { return PQnfields(result_); }

  // The field as it is compared; with `loose`, -0 is 0, an interval its span, and of a numeric and a bpchar the zeros
  // or blanks at the end do not count.
  std::string Field(int row, int column, bool loose) const {
    if (PQgetisnull(result_, row, column) != 0) return "\\N";
    std::string value(PQgetvalue(result_, row, column), static_cast<size_t>(PQgetlength(result_, row, column)));
    if (loose && PQftype(result_, column) == kIntervalOid) return SpanOf(value);
    if (loose && PQftype(result_, column) == kBpcharOid) return WithoutEnd(value, " ");
    if (loose && PQftype(result_, column) == kNumericOid) return Shortest(value);
    return loose && value == "-0" ? "0" : value;
  }
  std::string Row(int row, int columns, bool loose) const {
    std::string out;
    for (int column = 0; column < columns; column++) out += (column > 0 ? "|" : "") + Field(row, column, loose);
    return out;
  }
  std::vector<std::string> Rows(int columns, bool loose) const {
    std::vector<std::string> out;
    out.reserve(static_cast<size_t>(rows()));
    for (int row = 0; row < rows(); row++) out.push_back(Row(row, columns, loose));
    return out;
  }

  // The same rows in the same sequence, byte by byte.
  bool Identical(const Result& other) const {
    if (rows() != other.rows() || columns() != other.columns()) return false;
    for (int row = 0; row < rows(); row++)
      for (int column = 0; column < columns(); column++) {
        const int length = PQgetlength(result_, row, column);
        if (length != PQgetlength(other.result_, row, column) ||
            PQgetisnull(result_, row, column) != PQgetisnull(other.result_, row, column) ||
            std::memcmp(PQgetvalue(result_, row, column), PQgetvalue(other.result_, row, column),
                        static_cast<size_t>(length)) != 0)
          return false;
      }
    return true;
  }

 private:
  PGresult* result_ = nullptr;
};

// The first rows that only one side has, of sorted rows.
std::string OnlyIn(const std::vector<std::string>& rows, const std::vector<std::string>& others) {
  std::vector<std::string> only;
  std::set_difference(rows.begin(), rows.end(), others.begin(), others.end(), std::back_inserter(only));
  std::string out;
  for (size_t i = 0; i < only.size() && i < 5; i++) out += "\n--     " + only[i];
  return out;
}

// Empty if the two are equal as far as the statement defines its result.
std::string Difference(const Result& got, const Result& expected, const Comparison& comparison) {
  if (got.Failed() || expected.Failed()) {
    if (got.SqlState() == expected.SqlState()) return "";
    const auto outcome = [](const Result& r) { return r.Failed() ? r.SqlState() + " " + r.Message() : "success\n"; };
    return outcome(got) + "-- instead of " + outcome(expected);
  }
  if (got.RowCount() != expected.RowCount()) return got.RowCount() + " rows instead of " + expected.RowCount();
  if (!got.HasRows() || got.Identical(expected)) return "";
  if (comparison.sort_keys > 0) {
    const std::vector<std::string> keys = got.Rows(comparison.sort_keys, true);
    const std::vector<std::string> expected_keys = expected.Rows(comparison.sort_keys, true);
    for (size_t i = 0; i < keys.size(); i++)
      if (keys[i] != expected_keys[i])
        return "row " + std::to_string(i + 1) + " has the sort keys " + keys[i] + " instead of " + expected_keys[i];
    if (comparison.limited) return "";
  }
  std::vector<std::string> rows = got.Rows(got.columns(), comparison.loose);
  std::vector<std::string> expected_rows = expected.Rows(got.columns(), comparison.loose);
  std::sort(rows.begin(), rows.end());
  std::sort(expected_rows.begin(), expected_rows.end());
  if (rows == expected_rows) return "";
  return "wrong rows; not expected:" + OnlyIn(rows, expected_rows) + "\n--   missing:" + OnlyIn(expected_rows, rows);
}

// All that is sent before something is read.
constexpr size_t kGroupsInFlight = 8;

// The group's statements, its transaction's ends included.
std::vector<Statement> Statements(const Group& group) {
  std::vector<Statement> out;
  if (group.transaction != Group::kNoTransaction) out.push_back({"BEGIN"});
  out.insert(out.end(), group.statements.begin(), group.statements.end());
  if (group.transaction != Group::kNoTransaction)
    out.push_back({group.transaction == Group::kCommit ? "COMMIT" : "ROLLBACK"});
  return out;
}

}  // namespace

void Runner::Connect() {
  for (int tries = 0;; tries++) {
    PQfinish(connection_);
    connection_ = PQconnectdb(conninfo_.c_str());
    if (PQstatus(connection_) == CONNECTION_OK) break;
    if (tries == 600) Die("no connection", PQerrorMessage(connection_));
    usleep(100000);
  }
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
}

std::string Runner::Must(const std::string& sql) {
  PGresult* result = PQexec(connection_, sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) Die(sql.c_str(), PQerrorMessage(connection_));
  std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  PQclear(result);
  return value;
}

void Runner::Reset() {
  // After a crash the server may let us in once more before it has noticed.
  for (int tries = 0; tries < 20; tries++) {
    if (connection_ == nullptr || PQstatus(connection_) != CONNECTION_OK) Connect();
    for (const char* sql : {"DISCARD ALL", "DROP SCHEMA IF EXISTS o, b, s CASCADE"}) PQclear(PQexec(connection_, sql));
    if (PQstatus(connection_) == CONNECTION_OK) break;
    usleep(100000);
  }
  Must("CREATE SCHEMA o; CREATE SCHEMA b; CREATE SCHEMA s");
}

void Runner::Send(const std::string& sql) {
  // A connection that is lost shows when its results are read.
  PQsendQueryParams(connection_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0);
  PQpipelineSync(connection_);
}

// The result of one statement, in a pipeline: itself, the end of its results, the synchronisation point.
PGresult* Runner::Receive() {
  PGresult* result = PQgetResult(connection_);
  if (result == nullptr) return nullptr;
  PQclear(PQgetResult(connection_));
  PQclear(PQgetResult(connection_));
  return result;
}

std::optional<Failure> Runner::Run(const std::vector<Group>& groups, Coverage* coverage) {
  if (PQenterPipelineMode(connection_) != 1) Die("no pipeline", PQerrorMessage(connection_));
  std::optional<Failure> failure;
  for (size_t begin = 0; begin < groups.size() && !failure; begin += kGroupsInFlight) {
    const size_t end = std::min(groups.size(), begin + kGroupsInFlight);
    std::vector<std::vector<Statement>> sent;
    for (size_t g = begin; g < end; g++) {
      sent.push_back(Statements(groups[g]));
      for (Copy copy : kCopies)
        for (const Statement& statement : sent.back())
          if (RunsOn(statement, copy)) Send(Render(statement.text, copy));
    }
    for (size_t g = begin; g < end; g++) {
      const std::vector<Statement>& statements = sent[g - begin];
      std::vector<Result> results[3];
      const auto fail = [&](Failure::Kind kind, size_t i, Copy copy, const std::string& message) {
        // Not counting the BEGIN.
        const size_t position = i - (i > 0 && groups[g].transaction != Group::kNoTransaction);
        if (failure) return;
        failure = Failure{kind, g, position, statements[i].text, copy, message, ""};
        if (kind == Failure::kCheck) failure->state = results[0][i].SqlState();
      };
      for (Copy copy : kCopies)
        for (size_t i = 0; i < statements.size(); i++) {
          const Statement& statement = statements[i];
          Result result(RunsOn(statement, copy) ? Receive() : nullptr);
          if (RunsOn(statement, copy) && (PQstatus(connection_) != CONNECTION_OK)) {
            fail(Failure::kLost, i, copy, PQerrorMessage(connection_));
            return failure;
          }
          results[static_cast<int>(copy)].push_back(std::move(result));
        }
      std::vector<std::string> plan;  // of the EXPLAIN before
      for (size_t i = 0; i < statements.size() && !failure; i++) {
        const Statement& statement = statements[i];
        const Result& omendb = results[0][i];
        const Result& btree = results[1][i];
        const Result& plain = results[2][i];
        if (statement.target == Target::kCheck || statement.target == Target::kOnce) {
          if (omendb.Failed()) fail(Failure::kCheck, i, Copy::kOmendb, omendb.Message());
        } else if (statement.target == Target::kMayBeTooLong) {
          const std::string state = omendb.SqlState();
          if (omendb.Failed() && state != "54000" && state != "25P02")
            fail(Failure::kCheck, i, Copy::kOmendb, omendb.Message());
          continue;
        } else if (statement.target == Target::kMove || statement.target == Target::kColdIndexes) {
          if (omendb.Failed() && omendb.SqlState() != "25P02") {
            fail(Failure::kCheck, i, Copy::kOmendb, omendb.Message());
          } else if (coverage != nullptr && omendb.HasRows()) {
            if (statement.target == Target::kColdIndexes)
              coverage->AddPlan(plan, omendb.Rows(1, false));
            else
              coverage->AddMoved(omendb.Rows(2, false));
          }
          if (statement.target == Target::kColdIndexes) continue;
        } else if (statement.target == Target::kExplain) {
          plan = omendb.Rows(1, false);
          continue;
        } else {
          const Comparison comparison = ComparisonOf(statement.text);
          const bool three = statement.target == Target::kAll;
          const Result& expected = three ? plain : btree;
          std::string difference = three ? Difference(btree, plain, comparison) : "";
          if (!difference.empty()) fail(Failure::kDifference, i, Copy::kBtree, difference);
          difference = Difference(omendb, expected, comparison);
          if (!difference.empty()) fail(Failure::kDifference, i, Copy::kOmendb, difference);
          // A statement that hangs, or an error that only a bug can raise, even where all copies do.
          for (const char* state : {"57014", "XX000", "XX001", "XX002"})
            if (omendb.SqlState() == state) fail(Failure::kCheck, i, Copy::kOmendb, omendb.Message());
        }
        if (coverage == nullptr || statement.target == Target::kOnce || statement.target == Target::kCheck) continue;
        coverage->statements++;
        coverage->kinds[groups[g].kind]++;
        if (omendb.Failed()) coverage->errors[omendb.SqlState()]++;
        if (omendb.HasRows()) {
          coverage->queries++;
          coverage->with_rows += omendb.rows() > 0;
        }
      }
    }
  }
  if (PQexitPipelineMode(connection_) != 1) Die("pipeline", PQerrorMessage(connection_));
  return failure;
}

}  // namespace omendb::differential
