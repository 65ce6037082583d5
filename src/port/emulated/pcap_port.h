// A tap: wraps a port and writes what passes, in both directions, to a classic pcap file that
// tcpdump and Wireshark read (LINKTYPE_RAW: each record begins with an IP header).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "port/port.h"

namespace tw {

/// A TUN's packets are written as they are: GSO packets whole, and checksums that are left to the
/// device unfinished. Datagrams get an IP and a UDP header that name the far end only.
///
/// What the tap writes is bounded; when the bound is reached or the disk is full, the tap stops and
/// the traffic goes on.
class PcapPort final : public Port {
 public:
  /// Creates or empties `path`, readable by its owner only. `inner` and `clock` must outlive the
  /// port. Fails if the file cannot be made.
  static Result<PcapPort> open(Port& inner, const Clock& clock, const std::string& path,
                               std::uint64_t max_bytes);
  PcapPort(PcapPort&&) noexcept = default;
  ~PcapPort() override;  ///< writes what is left

  std::size_t poll(PacketBatch& batch) noexcept override;
  SendResult send(std::span<const Train> trains) noexcept override;
  PortCapabilities capabilities() const noexcept override { return inner_.capabilities(); }
  int wait_fd() const noexcept override { return inner_.wait_fd(); }
  bool arm() noexcept override;
  Instant next_release() const noexcept override { return inner_.next_release(); }
  std::uint64_t kernel_drops() const noexcept override { return inner_.kernel_drops(); }

  /// False once the bound was reached or the disk was full.
  bool is_tapping() const noexcept { return static_cast<bool>(file_); }

 private:
  PcapPort(Port& inner, const Clock& clock, UniqueFd file, std::uint64_t max_bytes);
  void record(const Train& train, bool received) noexcept;
  void write_record(ByteView headers, ByteView payload) noexcept;
  void flush() noexcept;
  void stop(const char* why) noexcept;

  Port& inner_;
  const Clock& clock_;
  UniqueFd file_;
  std::uint64_t room_bytes_;  // that the file may still grow by
  std::uint64_t written_bytes_ = 0;
  std::vector<std::uint8_t> buffer_;  // whole records not written yet
};

}  // namespace tw
