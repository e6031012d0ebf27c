// The differential generator: random schemas, data and statements, each answered by omendb, by btree and without an
// index; the answers compared.
//
//   differential [--seed N] [--statements N] [--jobs N] [--minimise-seconds N] [CONNINFO]
//
// CONNINFO is libpq's ("host=/tmp dbname=postgres"); without, the PG* variables decide.  The role must be a superuser.
// Each job works in a database of its own, differential_1, differential_2, ..., which it makes and drops.  The same
// seed, number of jobs and server give the same statements.  The exit status is 1 after a difference, or where a long
// run did not meet each kind of scan.
//
// A run is a sequence of epochs of some hundred statements, each with a schema of its own (epoch.h).  Every statement
// has one text for the three copies of the tables (statement.h), runs on all, and returns the same, as far as SQL
// defines it: sets of rows, the sequence of sort keys, numbers of rows, SQLSTATEs (runner.cpp).  omendb_check() looks
// at the indexes from time to time and at the end of each epoch.  Leaves of omendb's indexes are offloaded and recalled
// (the cold tier), which must be seen in no answer.
//
// On a difference, a complaint of omendb_check, or a crash, the epoch is replayed with fewer and fewer statements, rows
// and clauses as long as it still fails (minimise.h), and what is left is printed as a script for psql.
//
// To add a kind of statement: a function in query.cpp (a query) or a method in epoch.cpp (anything else) that returns
// the text, and a line in Epoch::kKinds.  What it must see to:
//
//   * The result must be defined: sort keys first and marked, LIMIT marked, no sum of floats, no choice among ties.
//   * What may be left out when a failure is minimised is Optional().
//   * It may fail, but with the same SQLSTATE whichever plan is used: no expression in a WHERE that can.
//   * A way of scanning that it is there for: a line in coverage.cpp, so that its absence is noticed.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "differential/coverage.h"
#include "differential/epoch.h"
#include "differential/minimise.h"
#include "differential/runner.h"

namespace {

using namespace omendb::differential;
using Clock = std::chrono::steady_clock;

// From so many statements on, each kind of scan must have been met.
constexpr uint64_t kLongRun = 20000;

struct Options {
  uint64_t seed = std::random_device{}();
  uint64_t statements = 10000;
  uint64_t jobs = 1;
  int minimise_seconds = 300;
  std::string conninfo;
};

struct Job {
  uint64_t number = 0;
  uint64_t seed = 0;
  std::string conninfo;
  bool test_build = false;
  Coverage coverage;
  std::vector<Group> history;  // of the epoch that failed
  std::optional<Failure> failure;
};

[[noreturn]] void Usage() {
  std::fprintf(stderr,
               "usage: differential [--seed N] [--statements N] [--jobs N] [--minimise-seconds N] [CONNINFO]\n");
  std::exit(2);
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name.compare(0, 2, "--") != 0) {
      options.conninfo += (options.conninfo.empty() ? "" : " ") + name;
      continue;
    }
    char* end = nullptr;
    const uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], &end, 10) : 0;
    if (end == nullptr || *end != '\0' || end == argv[i + 1]) Usage();
    i++;
    if (name == "--seed")
      options.seed = value;
    else if (name == "--statements")
      options.statements = value;
    else if (name == "--jobs" && value > 0)
      options.jobs = value;
    else if (name == "--minimise-seconds")
      options.minimise_seconds = static_cast<int>(value);
    else
      Usage();
  }
  return options;
}

// What a session starts with; statements that take this long have gone astray.
std::string SessionOptions() {
  return " options='-c extra_float_digits=3 -c intervalstyle=iso_8601 -c statement_timeout=120s -c "
         "client_min_messages=error -c jit=off -c max_parallel_workers_per_gather=0'";
}

void MakeDatabase(const Options& options, Job* job) {
  const std::string name = "differential_" + std::to_string(job->number);
  Runner runner(options.conninfo);
  runner.Connect();
  runner.Must("DROP DATABASE IF EXISTS " + name);
  runner.Must("CREATE DATABASE " + name);
  job->conninfo = options.conninfo + " dbname=" + name + SessionOptions();
  Runner inside(job->conninfo);
  inside.Connect();
  inside.Must("CREATE EXTENSION omendb");
  for (const std::string& definition : TypeDefinitions()) inside.Must(definition);
  for (const std::string& definition : Domains()) inside.Must(definition);
}

void DropDatabase(const Options& options, const Job& job) {
  Runner runner(options.conninfo);
  runner.Connect();
  runner.Must("DROP DATABASE differential_" + std::to_string(job.number) + " WITH (FORCE)");
}

// One epoch after the other until there were as many statements, or a failure in this job or another.
void Work(Job* job, uint64_t statements, std::atomic<bool>* stop, std::atomic<uint64_t>* total) {
  Runner runner(job->conninfo);
  runner.Connect();
  runner.Must("LOAD 'omendb'");
  job->test_build = runner.Must("SELECT count(*) FROM pg_settings WHERE name = 'omendb.test_page_entries'") != "0";
  omendb::test::Random seeds(job->seed);
  while (!*stop && job->coverage.statements < statements) {
    Epoch epoch(seeds.Next(), job->test_build);
    omendb::test::Random length(seeds.Next());
    std::vector<Group> groups = epoch.Begin();
    for (uint64_t n = length.Between(60, 300); n > 0; n--) groups.push_back(epoch.Next());
    groups.push_back(epoch.End());
    const uint64_t before = job->coverage.statements;
    runner.Reset();
    job->failure = runner.Run(groups, &job->coverage);
    *total += job->coverage.statements - before;
    if (job->failure) {
      groups.resize(job->failure->group + 1);
      job->history = std::move(groups);
      *stop = true;
    }
  }
}

void Print(const Job& job, const char* title, const std::vector<Group>& groups, const Failure& failure) {
  std::printf("\n-- ---- job %llu: %s\n%s-- ---- the last statement, %s copy: %s\n",
              static_cast<unsigned long long>(job.number), title, Script(groups, failure).c_str(),
              failure.copy == Copy::kBtree ? "btree's" : "omendb's", failure.message.c_str());
}

// Which of the jobs fail again, and with how little.  A crash ends the sessions of all of them: only one may.
void Report(const Options& options, const std::vector<Job>& jobs) {
  bool reproduced = false;
  for (const Job& job : jobs) {
    if (!job.failure) continue;
    std::printf("\njob %llu failed: %s\n  %s\nminimising ...\n", static_cast<unsigned long long>(job.number),
                job.failure->message.c_str(), Render(job.failure->statement, job.failure->copy).c_str());
    std::fflush(stdout);
    Runner runner(job.conninfo);
    const std::optional<Reproduction> found = Minimise(&runner, job.history, *job.failure, options.minimise_seconds);
    if (found) Print(job, "this fails", found->groups, found->failure);
    reproduced |= found.has_value();
  }
  for (const Job& job : jobs)
    if (job.failure && !reproduced) Print(job, "a replay did not fail; all of the epoch", job.history, *job.failure);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  std::printf("seed %llu, %llu statements, %llu jobs\n", static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(options.statements), static_cast<unsigned long long>(options.jobs));
  std::fflush(stdout);
  const Clock::time_point start = Clock::now();
  std::vector<Job> jobs(options.jobs);
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> total{0};
  std::atomic<uint64_t> running{options.jobs};
  for (uint64_t i = 0; i < options.jobs; i++) {
    jobs[i].number = i + 1;
    jobs[i].seed = options.seed + i;
    MakeDatabase(options, &jobs[i]);
  }
  for (Job& job : jobs)
    threads.emplace_back([&] {
      Work(&job, options.statements / options.jobs, &stop, &total);
      running--;
    });
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  for (double next = 30; running > 0;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (seconds() < next) continue;
    next += 30;
    std::printf("%8.0f s  %llu statements\n", seconds(), static_cast<unsigned long long>(total.load()));
    std::fflush(stdout);
  }
  for (std::thread& thread : threads) thread.join();

  Coverage coverage;
  for (const Job& job : jobs) coverage.Add(job.coverage);
  std::printf("%llu statements in %.1f s, %.0f a second\n", static_cast<unsigned long long>(coverage.statements),
              seconds(), static_cast<double>(coverage.statements) / seconds());
  coverage.Print();
  bool failed = false;
  for (const Job& job : jobs) failed |= job.failure.has_value();
  if (failed) {
    Report(options, jobs);
    std::printf("\nfailed; seed %llu, %llu jobs\n", static_cast<unsigned long long>(options.seed),
                static_cast<unsigned long long>(options.jobs));
  }
  for (const Job& job : jobs) DropDatabase(options, job);
  if (failed) return 1;
  if (coverage.statements >= kLongRun)
    for (const std::string& node : coverage.Missing(jobs[0].test_build)) {
      std::printf("never met: %s\n", node.c_str());
      failed = true;
    }
  std::printf(failed ? "failed\n" : "no difference\n");
  return failed ? 1 : 0;
}
