// For tests: a process of its own, whose power is given up in a test's place.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "machine/privileges.h"
#include "node/confine/confine.h"

namespace tw::node::testing {

/// Returns the work's result, 0 or the number of the check that failed; or minus the signal that
/// has ended the child.
inline int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// The same, after it has given up its power as a node does.
inline int in_confined_child(std::vector<ReachRule> own, const std::function<int()>& work) {
  return in_child([&own, &work] {
    std::vector<ReachRule> reach = common_reach();
    reach.insert(reach.end(), own.begin(), own.end());
    if (!drop_privileges() || !confine(reach)) return 99;
    return work();
  });
}

class Confined : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to have something to give up";
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    GTEST_SKIP() << "ThreadSanitizer runs a thread of its own, which a forked child lacks";
#endif
#endif
  }
};

}  // namespace tw::node::testing
