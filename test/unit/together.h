// Threads that begin together.
#ifndef OMENDB_TEST_UNIT_TOGETHER_H
#define OMENDB_TEST_UNIT_TOGETHER_H

#include <atomic>
#include <thread>
#include <vector>

namespace omendb::test {

inline constexpr int kThreads = 4;

// Runs body(thread) in kThreads threads that begin together, as far as two processors allow.
template <typename Body>
void Together(Body body) {
  std::atomic<int> waiting{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      waiting--;
      while (waiting > 0) std::this_thread::yield();
      body(t);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_TOGETHER_H
