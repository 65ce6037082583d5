// The limits of this machine, for bench/tunnel: what cipher and curve take by themselves, one
// thread, nothing else. Each is measured several times; the median is what counts, since other
// programs and the machine below a virtual one take time away, and none gives any.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <string>

#include "base/assert.h"

namespace tw::bench {

/// CPU time of this thread, in ns: what others take meanwhile is not in it.
inline double thread_ns() noexcept {
  timespec now{};
  const int failed = ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  TW_ASSERT(failed == 0);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Returns the ns of one of the `count` operations that `work` does in a call: the median of 15
/// series, each of as many calls as take 10 ms.
template <typename Work>
double ns_per_operation(std::size_t count, Work&& work) {
  constexpr std::size_t series = 15;
  constexpr double series_ns = 10e6;
  std::array<double, series> results{};
  work();  // first costs and caches are not in the figures
  for (double& result : results) {
    const double begin = thread_ns();
    double now = begin;
    std::size_t operations = 0;
    for (; now - begin < series_ns; now = thread_ns(), operations += count) work();
    result = (now - begin) / static_cast<double>(operations);
  }
  std::nth_element(results.begin(), results.begin() + series / 2, results.end());
  return results[series / 2];
}

/// Sealing and opening packets of 1,420 and 64 bytes with every engine that this machine has, as
/// JSON.
std::string cipher_limits();
/// X25519 as handshakes use it, as JSON.
std::string curve_limits();
/// Returns the time of steering's steps, with 700,000 flows and 10 cores, as JSON.
std::string steer_limits();
/// Returns the cost of waking a thread, on CPUs 0 and 1, as JSON.
std::string wake_limits();

}  // namespace tw::bench
