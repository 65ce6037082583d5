// One queue of a TUN device as a port: IP packets, one a call. With a vnet header a packet may be a
// train of up to 64 KB whose checksum is not finished (wire/offload/gso.h), and then one call is
// enough for some 46 segments.
#pragma once

#include <cstdint>

#include "base/counter.h"
#include "base/unique_fd.h"
#include "port/port.h"

namespace tw {

class TunQueue;

struct TunPortCounters {
  Counter read_errors;   ///< reads that failed: the device is gone
  Counter short_reads;   ///< fewer bytes than a vnet header: dropped
  Counter write_errors;  ///< packets the device refused (it is down, or the header was wrong)
};

/// kernel_drops() stays 0: a TUN counts its drops (tx_dropped) in the device, where `node` reads
/// them over netlink.
class TunPort final : public Port {
 public:
  /// Takes a queue as open_tun() makes it. `vnet_header` as the device was opened.
  TunPort(UniqueFd fd, bool vnet_header) noexcept
      : fd_(static_cast<UniqueFd&&>(fd)), vnet_header_(vnet_header) {}

  /// Is told what is read; null: nobody is. Must outlive this.
  void set_queue(TunQueue* queue) noexcept { queue_ = queue; }

  /// Each packet is a train with its vnet header; segment_size is its length. Buffers must hold
  /// 65,535 bytes with a vnet header, else the MTU: the kernel cuts off what does not fit, which
  /// the IP header's length then tells.
  std::size_t poll(PacketBatch& batch) noexcept override;
  /// Refuses with EINVAL what needs a vnet header if the device has none: segmentation, or a
  /// checksum to be finished. A device that is down refuses everything with EIO.
  SendResult send(std::span<const Train> trains) noexcept override;
  int wait_fd() const noexcept override { return fd_.get(); }

  bool vnet_header() const noexcept { return vnet_header_; }
  const TunPortCounters& counters() const noexcept { return counters_; }

 private:
  int read_packet(ByteSpan buffer, Train& train) noexcept;
  int write_packet(const Train& train) noexcept;

  UniqueFd fd_;
  bool vnet_header_;
  TunQueue* queue_ = nullptr;
  TunPortCounters counters_;
};

}  // namespace tw
