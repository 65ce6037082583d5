// One queue of a TUN device as a port: IP packets, one a call. With a vnet header a packet may be a
// train of up to 64 KB whose checksum is not finished (wire/offload/gso.h), and then one call is
// enough for some 46 segments.
//
// Trains inside UDP tunnels come out of a TUN, but none go in: the kernel (6.18,
// virtio_net_hdr_tnl_to_skb) expects an Ethernet header in front of them, which a TUN has not, and
// refuses them with EINVAL. A VXLAN device takes trains of its UDP datagrams as they are.
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
  /// Takes a queue as open_tun() makes it, and how long the vnet header of that device is: 0 if it
  /// has none.
  TunPort(UniqueFd fd, std::size_t vnet_bytes) noexcept
      : fd_(static_cast<UniqueFd&&>(fd)), vnet_bytes_(vnet_bytes) {
    const bool has_header = vnet_bytes > 0;
    capabilities_.checksums = capabilities_.tcp_trains = capabilities_.udp_trains = has_header;
  }

  /// Takes no trains but these from now on, of those it takes.
  void take_only(bool tcp_trains, bool udp_trains) noexcept {
    capabilities_.tcp_trains = capabilities_.tcp_trains && tcp_trains;
    capabilities_.udp_trains = capabilities_.udp_trains && udp_trains;
  }
  PortCapabilities capabilities() const noexcept override { return capabilities_; }

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

  const TunPortCounters& counters() const noexcept { return counters_; }

 private:
  int read_packet(ByteSpan buffer, Train& train) noexcept;
  int write_packet(const Train& train) noexcept;
  void give_up_trains(bool udp) noexcept;

  UniqueFd fd_;
  std::size_t vnet_bytes_;
  PortCapabilities capabilities_;
  TunQueue* queue_ = nullptr;
  TunPortCounters counters_;
};

}  // namespace tw
