// The program that bounds a TUN's queue, in the kernel, and the memory it shares with us
// (port/tun/tun_queue.h is what we do with that). Nothing of it outlives the device and this.
#pragma once

#include <cstddef>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "port/kernel/bpf_object.h"

struct tw_tun_queue;  // bpf/abi.h

namespace tw {

class TunFilter {
 public:
  /// Loads the program, for a device of so many queues. Fails without CAP_BPF (and CAP_NET_ADMIN),
  /// or if the kernel refuses it.
  static Result<TunFilter> load(std::size_t queues = 1);

  /// Makes it decide about every packet that the kernel sends to this device, from now until the
  /// device is gone. `tun_fd`: any queue of the device. Set limit_bytes of all before: 0 lets
  /// nothing in. Fails on a kernel without TUNSETFILTEREBPF (Linux 4.16).
  Result<void> attach(int tun_fd);
  /// Valid as long as this, or what it is moved to.
  tw_tun_queue& queue(std::size_t number = 0) const noexcept;
  /// For tests.
  int program_fd() const noexcept { return program_.get(); }

 private:
  TunFilter(UniqueFd program, SharedMemory queues) noexcept
      : program_(std::move(program)), queues_(std::move(queues)) {}

  UniqueFd program_;
  SharedMemory queues_;  // side by side, in the order of the device's queues
};

}  // namespace tw
