// A UDP socket as a port. Trains come in whole (UDP_GRO) and leave whole (UDP_SEGMENT): the cost of
// a system call and of the way through the kernel is shared by up to 128 datagrams.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <span>

#include "base/counter.h"
#include "base/unique_fd.h"
#include "port/port.h"
#include "port/udp/path_table.h"

namespace tw {

/// Events that the caller of poll() and send() did not see. Readable by any thread.
struct UdpPortCounters {
  Counter receive_errors;  ///< errors queued by ICMP, and other receive calls that failed
  /// Trains larger than the batch's buffers, or that came without all that is said of them: dropped
  Counter truncated;
  Counter no_source;       ///< trains without an IP sender: dropped
  Counter extra_messages;  ///< messages sent because a train did not fit one
  Counter trains_refused;  ///< trains that the kernel refused, then sent as singles
};

class UdpPort final : public Port {
 public:
  /// The largest train that one send takes, in bytes: what an IPv4 datagram can carry.
  static constexpr std::size_t max_message_bytes = 65'507;

  /// sendmmsg(2), or what a test puts in its place.
  using SendMessages = int (*)(int fd, mmsghdr* messages, unsigned count, int flags);

  /// Takes a socket as open_udp() makes it. `paths`: what is asked of the ways to destinations;
  /// null: nobody is asked, and only refusals are remembered. `receives_trains`: as open_udp()
  /// found.
  explicit UdpPort(UniqueFd fd, SendMessages send_messages = &::sendmmsg,
                   std::unique_ptr<PathTable> paths = nullptr, bool receives_trains = false);
  ~UdpPort() override;

  /// A batch that is to receive trains needs buffers of 65,535 bytes; larger trains than fit are
  /// dropped and counted.
  std::size_t poll(PacketBatch& batch) noexcept override;
  /// Trains of any length; one that a single message cannot carry is cut. `destination` must be of
  /// the socket's family; `traffic_class` 0 means the socket's own.
  ///
  /// A train with a `local` leaves from that address, as long as the route leads out by the device
  /// that it came with. If the kernel has the address no more, the train leaves without, and the
  /// call ends there and says so (SendResult::source_gone).
  ///
  /// A train whose segments exceed the path's MTU, or whose device cannot finish checksums, is
  /// sent as single datagrams, which the kernel may fragment; so are the next ones to that
  /// destination, until one is tried again (PathTable). A destination that is routed into the
  /// tunnel itself is refused with ELOOP.
  SendResult send(std::span<const Train> trains) noexcept override;
  /// Trains leave whole, but to destinations that have refused them.
  PortCapabilities capabilities() const noexcept override;
  int wait_fd() const noexcept override { return fd_.get(); }
  /// Datagrams that did not fit the socket's receive buffer, as the last one received tells.
  std::uint64_t kernel_drops() const noexcept override { return kernel_drops_.value(); }

  const UdpPortCounters& counters() const noexcept { return counters_; }
  /// Every datagram is to leave by itself. Before the first send().
  void send_singles_only() noexcept { max_segments_ = 1; }
  /// The socket has another mark, which routes may depend on. Any thread.
  void mark_changed(std::uint32_t fwmark) noexcept { paths_->set_fwmark(fwmark); }

 private:
  struct Receive;
  struct Transmit;
  /// The way on after a message that the kernel refused.
  enum class Remedy : std::uint8_t { none, again, shorter, singles };

  std::size_t receive(unsigned wanted) noexcept;
  bool append_received(std::size_t index, PacketBatch& batch, Duration now) noexcept;
  void note_overflow(std::uint32_t total) noexcept;
  void note_sent(std::span<const Train> trains, std::size_t messages, std::size_t& limit,
                 SendResult& result) noexcept;
  Remedy diagnose(int os_errno, const Train& train, std::size_t segments) noexcept;
  void obey_route_mtu(bool obey) noexcept;
  bool send_without_source(std::span<const Train> trains, std::size_t& limit, SendResult& result,
                           int& os_errno) noexcept;
  bool send_singles(std::span<const Train> trains, std::size_t end, SendResult& result) noexcept;

  UniqueFd fd_;
  SendMessages send_messages_;
  std::unique_ptr<Receive> receive_;
  std::unique_ptr<Transmit> transmit_;
  std::unique_ptr<PathTable> paths_;
  const bool receives_trains_;
  std::size_t max_segments_;  ///< that one message may carry
  bool obeys_route_mtu_ = false;
  Duration polled_at_{};         ///< wall-clock time of the last poll
  std::size_t messages_wanted_;  ///< of one receive call, by the size of what came last
  std::uint32_t last_overflow_ = 0;
  Counter kernel_drops_;
  UdpPortCounters counters_;
};

}  // namespace tw
