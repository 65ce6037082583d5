// Steering by the kernel: two programs that put each packet on the queue of the worker that owns
// its session (bpf/steer.bpf.c), and the indirection table that both read. A store here is seen by
// the next packet; nothing is mirrored. What the programs choose is a hint: workers check each
// message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "port/kernel/bpf_object.h"
#include "wire/address.h"

struct tw_steering;  // bpf/abi.h

namespace tw {

/// Used by the control context only. Nothing of it outlives this and the sockets and the TUN that
/// the programs are attached to.
class KernelSteering {
 public:
  static constexpr std::size_t workers_max = 64;
  static constexpr std::size_t rounds = 22;

  /// Loads both programs; all buckets belong to worker 0. `round_keys` are those of the receiver
  /// indices (Speck32::round_keys). Fails without CAP_BPF (and CAP_NET_ADMIN), or if the kernel
  /// refuses a program.
  static Result<KernelSteering> load(std::span<const std::uint16_t, rounds> round_keys,
                                     std::size_t workers);

  /// The bucket's packets go to this worker from now on; those on their way do not.
  void assign(std::uint16_t bucket, std::uint16_t worker) noexcept;

  /// Makes the program choose in the SO_REUSEPORT group of this socket, once a group. Its sockets
  /// must then be told by use_socket(): until then the kernel spreads by its own hash.
  Result<void> attach_wire(int udp_fd) noexcept;
  /// `udp_fd` is the worker's socket of this family, instead of the one before. It must be bound,
  /// and in a group that the program is attached to. Fails if it is some worker's already.
  Result<void> use_socket(Family family, std::size_t worker, int udp_fd) noexcept;
  /// Makes the program choose the queue of this TUN, whose queues are numbered as the workers.
  Result<void> attach_host(int tun_fd) noexcept;
  /// Packets to this prefix inside the tunnel belong to the bucket. Fails if there are too many
  /// prefixes; packets to the others come to worker 0, which passes them on.
  Result<void> set_route(const Prefix& prefix, std::uint16_t bucket) noexcept;
  /// Nothing happens if there is none.
  void remove_route(const Prefix& prefix) noexcept;

  /// For tests.
  int host_program_fd() const noexcept { return host_.get(); }

 private:
  KernelSteering(UniqueFd wire, UniqueFd host, UniqueFd sockets, UniqueFd routes_v4,
                 UniqueFd routes_v6, SharedMemory table) noexcept;
  tw_steering& table() const noexcept { return *static_cast<tw_steering*>(table_.get()); }
  int routes(Family family) const noexcept {
    return family == Family::v4 ? routes_v4_.get() : routes_v6_.get();
  }

  UniqueFd wire_, host_;  // programs
  UniqueFd sockets_, routes_v4_, routes_v6_;
  SharedMemory table_;
};

}  // namespace tw
