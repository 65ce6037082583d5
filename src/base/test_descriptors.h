// Lets descriptors run out, for tests: the limit of open files is lowered to the number that is
// open now, and put back.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace tw::test {

class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd next{::dup(STDERR_FILENO)};  // the lowest number that is free
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(next.get());
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptorsLeft(const NoDescriptorsLeft&) = delete;
  NoDescriptorsLeft& operator=(const NoDescriptorsLeft&) = delete;

 private:
  rlimit before_{};
};

}  // namespace tw::test
