#include "differential/coverage.h"

#include <cstdio>
#include <utility>

namespace omendb::differential {

namespace {

// The kinds of scan, and what stands above them.
constexpr const char* kExpected[] = {
    "Index Scan",
    "Index Scan Backward",
    "Index Only Scan",
    "Index Only Scan Backward",
    "Bitmap Index Scan",
    "BitmapAnd",
    "BitmapOr",
    "Merge Join over an index",
    "Merge Join, an index its inner side",
    "Nested Loop, an index its inner side",
    "Hash Join over an index",
    "Incremental Sort over an index",
    "Unique over an index",
    "GroupAggregate over an index",
    "WindowAgg over an index",
    "Merge Append over an index",
    "Limit over an index",
    "Parallel Bitmap Heap Scan",
    "Parallel Index Scan",
    "Parallel Index Only Scan",
    "Custom Scan (Omendb Aggregate)",
    "Index Cond with ANY",
    "Index Cond with a parameter",
    "Custom Scan (Omendb Scan)",
    "Custom Scan (Omendb Lookup Join)",
    "Custom Scan (Omendb Aggregate)",
};

bool Contains(const std::string& text, const char* what) { return text.find(what) != std::string::npos; }

struct Node {
  size_t indent;
  std::string name;
  int children;
};

}  // namespace

void Coverage::AddPlan(const std::vector<std::string>& lines) {
  plans++;
  std::vector<Node> path;  // from the root to the current node
  for (const std::string& line : lines) {
    const size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    const bool arrow = line.compare(indent, 2, "->") == 0;
    if (!arrow && indent > 0) {
      if (Contains(line, "Index Cond:")) {
        if (Contains(line, "ANY (")) nodes["Index Cond with ANY"]++;
        if (Contains(line, "$") || Contains(line, " = a.") || Contains(line, " = b."))
          nodes["Index Cond with a parameter"]++;
      }
      continue;
    }
    std::string name = line.substr(indent + (arrow ? 4 : 0));
    for (const char* end : {" using ", " on "}) name = name.substr(0, name.find(end));
    // The children of one node are indented alike.
    while (!path.empty() && path.back().indent >= indent) path.pop_back();
    if (!path.empty()) path.back().children++;
    nodes[name]++;
    const bool index = Contains(name, "Index Scan") || Contains(name, "Index Only Scan");
    if (index && !path.empty()) {
      const Node& parent = path.back();
      if (parent.name == "Merge Join" && parent.children == 2) nodes["Merge Join, an index its inner side"]++;
      bool inner_of_loop = false;
      for (const Node& ancestor : path)
        inner_of_loop |= ancestor.name.compare(0, 11, "Nested Loop") == 0 && ancestor.children == 2;
      if (inner_of_loop) nodes["Nested Loop, an index its inner side"]++;
      for (const Node& ancestor : path) {
        const std::string above = ancestor.name.substr(0, ancestor.name.find(" Join") + 5);
        nodes[(Contains(ancestor.name, " Join") ? above : ancestor.name) + " over an index"]++;
      }
    }
    path.push_back({indent, name, 0});
  }
}

void Coverage::Add(const Coverage& other) {
  statements += other.statements;
  with_rows += other.with_rows;
  queries += other.queries;
  plans += other.plans;
  for (const auto& [name, count] : other.kinds) kinds[name] += count;
  for (const auto& [name, count] : other.nodes) nodes[name] += count;
  for (const auto& [name, count] : other.errors) errors[name] += count;
}

void Coverage::Print() const {
  std::printf("statements by kind:");
  for (const auto& [name, count] : kinds)
    std::printf("  %s %llu", name.c_str(), static_cast<unsigned long long>(count));
  std::printf("\nqueries: %llu, %llu of them with rows\nerrors, the same on all copies:",
              static_cast<unsigned long long>(queries), static_cast<unsigned long long>(with_rows));
  for (const auto& [name, count] : errors)
    std::printf("  %s %llu", name.c_str(), static_cast<unsigned long long>(count));
  std::printf("\nomendb in %llu sampled plans:\n", static_cast<unsigned long long>(plans));
  for (const char* node : kExpected) {
    const auto found = nodes.find(node);
    const uint64_t count = found == nodes.end() ? 0 : found->second;
    std::printf("  %-38s %8llu%s\n", node, static_cast<unsigned long long>(count), count == 0 ? "  MISSING" : "");
  }
}

std::vector<std::string> Coverage::Missing() const {
  std::vector<std::string> missing;
  for (const char* node : kExpected)
    if (nodes.count(node) == 0) missing.emplace_back(node);
  return missing;
}

}  // namespace omendb::differential
