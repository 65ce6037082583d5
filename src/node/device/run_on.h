// Work for a worker's own context, done before the caller goes on.
#pragma once

#include "base/assert.h"
#include "exec/worker.h"

namespace tw::node {

/// Runs `work` on the worker and waits. Its mailbox cannot be full: only the device's own thread
/// writes to it, and waits.
template <typename Work>
void run_on(Worker& worker, Work&& work) {
  TW_ASSERT(worker.call([&work]() noexcept { work(); }));
}

}  // namespace tw::node
