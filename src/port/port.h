// Where packets enter and leave: a UDP socket, a TUN queue, an AF_XDP ring, a simulated link. One
// Port is one queue, polled by one context at a time; that is why nothing here locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "port/packet_batch.h"
#include "port/port_capabilities.h"

namespace tw {

struct SendResult {
  std::size_t taken = 0;  ///< trains taken from the front
  int os_errno = 0;       ///< why trains[taken] was not: EAGAIN = later, else it never will be
  /// trains[taken] is of a kind that the port does not take, as capabilities() says by now: its
  /// packets may be sent one by one.
  bool unsupported = false;
  /// Segments at the front of trains[taken] that went out all the same: who retries must leave them
  /// out, who drops must not count them. Only a UDP port that has to cut a train sets it.
  std::size_t partial = 0;
  /// This train went without its `local`, which the machine has no more, and those behind it may
  /// not have been tried. Only a UDP port sets it.
  std::optional<std::size_t> source_gone{};
};

class Port {
 public:
  virtual ~Port() = default;
  /// Returns the trains that the port takes and brings. On the context that sends: it may become
  /// less when a train is refused, and never becomes more.
  virtual PortCapabilities capabilities() const noexcept { return {}; }
  /// Appends up to batch.room() received trains. Never blocks; 0 means idle.
  virtual std::size_t poll(PacketBatch& batch) noexcept = 0;
  /// Sends trains from the front of `trains` until one is refused. What is left the caller still
  /// owns and may retry or drop: a Port never drops in silence.
  virtual SendResult send(std::span<const Train> trains) noexcept = 0;
  /// Readable when poll() would find something; -1 if there is nothing to wait on.
  virtual int wait_fd() const noexcept = 0;
  /// The step before sleeping on wait_fd(): false if something came meanwhile and poll() is due.
  virtual bool arm() noexcept { return true; }
  /// When poll() will have something without the descriptor saying so (a delayed packet).
  virtual Instant next_release() const noexcept { return Instant::max(); }
  /// Packets that the kernel dropped before poll() saw them (SO_RXQ_OVFL, the TUN's tx_dropped).
  virtual std::uint64_t kernel_drops() const noexcept { return 0; }
};

}  // namespace tw
