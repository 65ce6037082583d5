// SYNs that come in by a device of the kernel's (a LAN's), reported by a program at its tc ingress
// before the kernel has answered them. The program bounds what it reports, so that a flood neither
// fills the ring nor wakes anybody; what is over the budget goes its way like every packet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/describe.h"
#include "base/hash_marks.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "port/kernel/bpf_object.h"
#include "port/kernel/kernel_ring.h"
#include "wire/message/syn_report.h"

struct tw_syn_control;  // bpf/abi.h
struct tw_syn_record;

namespace tw {

/// Reports a second, and at once; all at least 1.
struct SynWatchBudget {
  std::uint32_t source_rate = 1, source_burst = 1;  ///< of an IPv4 address or an IPv6 /64
  std::uint32_t known_rate = 1, known_burst = 1;    ///< of all sources that are known together
  std::uint32_t strangers_rate = 1, strangers_burst = 1;  ///< of all others
};

/// Since the program was loaded.
struct SynWatchCounters {
  std::uint64_t seen = 0;      ///< retransmissions included
  std::uint64_t reported = 0;  ///< through the ring
  std::uint64_t over_source_budget = 0, over_total_budget = 0, ring_full = 0;
};

inline constexpr MetricFamily device_syns_metric{"relay_device_syns_total",
                                                 "SYNs seen at tc ingress of client devices"};

template <typename Visitor>
void describe(Visitor& visit, const SynWatchCounters& of) {
  const MetricFamily* const syns = &device_syns_metric;
  visit.number("seen", of.seen, {.words = "seen"});
  visit.number("reported", of.reported, {syns, "what", "reported", "reported"});
  visit.number("over_source_budget", of.over_source_budget,
               {syns, "what", "over_source_budget", "over a client's budget"});
  visit.number("over_total_budget", of.over_total_budget,
               {syns, "what", "over_total_budget", "over the budget of all"});
  visit.number("ring_full", of.ring_full, {syns, "what", "ring_full", "found the ring full"});
}

/// Empty if the record is not what the program writes, or its client could not be one: port 0, an
/// unspecified, loopback, link-local or multicast address.
std::optional<SynReport> report_of(const tw_syn_record& record) noexcept;

/// One device. The context that pops is the only one to call pop(), arm(), disarm() and remember().
class SynWatch {
 public:
  /// Loads the program. Fails without CAP_BPF and CAP_NET_ADMIN, or if the kernel refuses it.
  static Result<SynWatch> load(const SynWatchBudget& budget);

  /// Sees what comes in by the device from now on, until this or the device is gone: the attachment
  /// is a descriptor and ends with the process, however that ends. In the network namespace of the
  /// calling thread. Fails before Linux 6.6 (tcx).
  Result<void> attach(int device_index);
  /// From any thread; tokens that are spent stay spent.
  void set_budget(const SynWatchBudget& budget) noexcept;
  /// This client has completed a handshake: its SYNs are a known source's from now on, as long as
  /// not too many others have come since. A system call, unless the client was among the latest to
  /// be remembered.
  void remember(const IpAddress& client) noexcept;
  /// From any thread; a system call for each counter.
  Result<SynWatchCounters> counters() const;

  /// False if no SYN waits.
  bool pop(SynReport& syn) noexcept;
  /// Before the reader sleeps: false if a SYN waits already. Else the next one makes fd() readable.
  bool arm() noexcept;
  /// When it is awake again: nothing rings any more.
  void disarm() noexcept;
  /// To be watched edge-triggered, and never read.
  int fd() const noexcept { return parts_.ring_fd.get(); }

  /// For tests.
  int program_fd() const noexcept { return parts_.program.get(); }

 private:
  struct Parts {
    UniqueFd program, counts, known, ring_fd;
    SharedMemory control, buckets;
    KernelRing ring;
  };
  explicit SynWatch(Parts parts) noexcept : parts_(std::move(parts)) {}
  tw_syn_control& control() const noexcept;

  // The kernel may forget whom it was told of, so it is told again from time to time.
  static constexpr std::size_t told_slots = 256;
  static constexpr std::uint32_t remembered_for = 4096;  // calls of remember()

  Parts parts_;
  UniqueFd link_;
  HashMarks told_{told_slots};
  std::uint32_t remembered_ = 0;
};

}  // namespace tw
