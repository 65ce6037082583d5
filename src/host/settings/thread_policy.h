// The scheduling of one thread, as one line of text: "fifo 19 nice 0 cpus 1".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::host {

struct ThreadPolicy {
  enum class Class : std::uint8_t { other, batch, idle, fifo, rr };
  Class scheduling = Class::other;
  int priority = 0;  ///< 1 to 99 of fifo and rr; else 0
  int nice = 0;      ///< -20 to 19
  std::vector<std::uint32_t> cpus{};
  friend bool operator==(const ThreadPolicy&, const ThreadPolicy&) = default;
};

std::string to_text(const ThreadPolicy& policy);
std::optional<ThreadPolicy> thread_policy_of(std::string_view text);

/// ESRCH if there is no such thread.
Result<ThreadPolicy> read_policy(pid_t thread);
/// CPUs first: what runs with a new priority runs where it is meant to. Needs CAP_SYS_NICE.
Result<void> write_policy(pid_t thread, const ThreadPolicy& policy);

}  // namespace tw::host
