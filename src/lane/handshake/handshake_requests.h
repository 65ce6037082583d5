// The requests of a lane to the handshake context. Nothing but a wish for an initiation is ever
// lost: a request that finds the ring full waits here. The context is woken once a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "exec/context.h"
#include "lane/handshake/handshake_channel.h"

namespace tw::lane {

class HandshakeRequests {
 public:
  /// Both must outlive this. `handshakes` reads the channel's requests.
  HandshakeRequests(HandshakeChannel& channel, ExecContext& handshakes) noexcept
      : channel_(channel), handshakes_(handshakes) {}

  /// The session of `peer` wants a keypair. May be lost, as on the wire: the session asks again.
  void initiate(wg::PeerId peer) noexcept {
    request({.kind = HandshakeRequest::Kind::initiate, .peer = peer});
  }
  /// The session of `peer` has wiped its keypairs, or needs no other any more.
  void forget(wg::PeerId peer) noexcept {
    request({.kind = HandshakeRequest::Kind::forget, .peer = peer});
  }
  /// A receiver index is out of use.
  void release(std::uint32_t index) noexcept {
    request({.kind = HandshakeRequest::Kind::release, .index = index});
  }
  /// Messages from the wire have been put into the ring (HandshakeGate).
  void messages_passed() noexcept { wake_ = true; }

  /// Tries again what found the ring full. Once a turn, before anything else.
  void retry() noexcept;
  /// False if something still waits for the ring.
  bool all_sent() const noexcept { return unsent_.empty(); }
  /// Wakes the context if there is anything new for it. Once a turn, after everything else.
  void wake() noexcept {
    if (std::exchange(wake_, false)) handshakes_.wake();
  }

 private:
  /// With so many waiting, those for an initiation do not. All others are bounded by the keypairs
  /// that there are.
  static constexpr std::size_t unsent_initiations_max = 4096;

  void request(HandshakeRequest&& request) noexcept;

  HandshakeChannel& channel_;
  ExecContext& handshakes_;
  std::vector<HandshakeRequest> unsent_;
  bool wake_ = false;
};

}  // namespace tw::lane
