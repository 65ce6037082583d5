// The program that bounds a TUN's queue, in the kernel, and the memory it shares with us
// (port/tun_queue.h is what we do with that). Nothing of it outlives the device and this.
#pragma once

#include <memory>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

struct tw_tun_queue;  // bpf/abi.h

namespace tw {

class TunFilter {
 public:
  /// Loads the program. Fails without CAP_BPF (and CAP_NET_ADMIN), or if the kernel refuses it.
  static Result<TunFilter> load();

  /// Makes it decide about every packet that the kernel sends to this device, from now until the
  /// device is gone. `tun_fd`: a queue of the device. Set limit_bytes before: 0 lets nothing in.
  /// Fails on a kernel without TUNSETFILTEREBPF (Linux 4.16).
  Result<void> attach(int tun_fd);
  /// Valid as long as this, or what it is moved to.
  tw_tun_queue& queue() const noexcept { return *queue_; }
  /// For tests.
  int program_fd() const noexcept { return program_.get(); }

 private:
  struct Unmap {
    void operator()(tw_tun_queue* queue) const noexcept;
  };
  TunFilter(UniqueFd program, std::unique_ptr<tw_tun_queue, Unmap> queue) noexcept
      : program_(std::move(program)), queue_(std::move(queue)) {}

  UniqueFd program_;
  std::unique_ptr<tw_tun_queue, Unmap> queue_;
};

}  // namespace tw
