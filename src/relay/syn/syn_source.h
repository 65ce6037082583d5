// Reports SYNs to the relay before their handshakes are complete: the lane that decrypts those of
// the tunnel's clients, or a program in the kernel for those of other devices.
#pragma once

#include "exec/context_ring.h"
#include "exec/waking_ring.h"
#include "wire/message/syn_report.h"

namespace tw::relay {

/// On the relay's context only, but for what its other end does.
class SynSource {
 public:
  virtual ~SynSource() = default;
  /// False if there is none. Costs no system call.
  virtual bool pop(SynReport& syn) noexcept = 0;
  /// Before the context sleeps: false if a SYN waits already. Else the next one rings fd().
  virtual bool arm() noexcept = 0;
  /// After arm(), when the context is awake again.
  virtual void disarm() noexcept = 0;
  /// Constant; watched edge-triggered.
  virtual int fd() const noexcept = 0;
  /// This client has completed a handshake, by device_index().
  virtual void remember(const IpAddress& /*client*/) noexcept {}
  /// The device the SYNs came by, where anybody may write any source address: an early half is then
  /// begun only for a client that is reached by that device. 0: the source is beyond doubt.
  virtual int device_index() const noexcept { return 0; }
};

/// SYNs on their way from the lane that decrypted them.
using SynRing = WakingRing<SynReport>;
/// A burst that the relay has not looked at yet: 1,000 are a tenth of a second of a flood, and what
/// finds no room waits for its handshake.
inline constexpr std::size_t syn_ring_capacity = 1024;

/// Answers to the SYNs that the lane holds. Room for held_syns_max.
using SynAnswers = ContextRing<SynAnswer>;

/// The relay's end of such a ring, which must outlive it.
class SynRingSource final : public SynSource {
 public:
  explicit SynRingSource(SynRing& ring) noexcept : ring_(ring) {}
  bool pop(SynReport& syn) noexcept override { return ring_.pop(syn); }
  bool arm() noexcept override { return ring_.arm(); }
  void disarm() noexcept override { ring_.disarm(); }
  int fd() const noexcept override { return ring_.fd(); }

 private:
  SynRing& ring_;
};

}  // namespace tw::relay
