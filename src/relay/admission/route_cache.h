// The kernel's answers about targets, kept until anything in its routing changes: two
// system calls and 4 us less for every connection to a target that is in demand.
//
// The kernel tells every change of links, addresses, routes and rules to a socket of ours before
// the change's own call returns, and each answer from here is preceded by a look at that socket. So
// a kept answer is as true as a new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "relay/admission/kernel_route.h"

namespace tw::relay {

/// About 0.2 us a question that has been asked before.
class RouteCache final : public RouteLookup {
 public:
  static constexpr std::size_t default_slots = 1024;

  /// `kernel` is asked what is not known; both belong to the network namespace of the calling
  /// thread. Each address has one of `slots` (at least 1), and the latest to come has it. Fails if
  /// the kernel cannot be listened to.
  static Result<std::unique_ptr<RouteCache>> open(std::unique_ptr<RouteLookup> kernel,
                                                  std::size_t slots = default_slots);
  Result<KernelRoute> ask(const IpAddress& target) noexcept override;

 private:
  struct Slot {
    IpAddress target;
    KernelRoute route;
    std::uint64_t epoch = 0;  // its answer is worth something if that is the cache's
  };
  RouteCache(UniqueFd changes, std::unique_ptr<RouteLookup> kernel, std::size_t slots)
      : changes_(std::move(changes)), kernel_(std::move(kernel)), slots_(slots) {}
  bool has_changed() noexcept;

  UniqueFd changes_;
  std::unique_ptr<RouteLookup> kernel_;
  std::vector<Slot> slots_;
  std::uint64_t epoch_ = 1;
};

}  // namespace tw::relay
