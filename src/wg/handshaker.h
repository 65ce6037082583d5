// The handshake state of every peer of one device: Noise_IKpsk2, mac1, cookies, TAI64N, retries.
//
// Sans-I/O: datagrams and instants come in; datagrams, keypairs and verdicts go out through a sink.
// It shares nothing with the sessions that carry data, so that it can run on a thread of its own.
//
// As a responder it keeps no state: the response leaves within receive(). Where two initiations
// cross, both are answered and ours waits for its answer all the same: other implementations give
// theirs up at that moment, and only ours is then left to succeed. Between two ends that both go
// on, the keypairs say which of the two is kept (Keypair::outlasts).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/drop.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "wg/keypair.h"
#include "wg/protocol.h"
#include "wire/address.h"

namespace tw::wg {

/// Where receiver indices come from: they carry the bucket of the peer's worker (steer/), so the
/// Handshaker only asks for them and gives them back.
class IndexSource {
 public:
  virtual ~IndexSource() = default;
  /// An index that is in use nowhere. Empty if there is none left in the peer's bucket.
  virtual std::optional<std::uint32_t> allocate(PeerId peer) noexcept = 0;
  virtual void release(std::uint32_t index) noexcept = 0;
};

/// Takes the Handshaker's decisions. Called from inside receive(), initiate() and tick(), which
/// must not be called back from here.
class HandshakeSink {
 public:
  virtual ~HandshakeSink() = default;
  /// Send to `to`, or to the peer's current endpoint if `to` is empty (initiations). `datagram` is
  /// valid during the call only.
  virtual void send(PeerId peer, const std::optional<Endpoint>& to, ByteView datagram) noexcept = 0;
  /// Answer to someone who is no peer yet (a cookie reply).
  virtual void reply(const Endpoint& to, ByteView datagram) noexcept = 0;
  /// A handshake is complete; `from` is where the peer's authenticated message came from. The index
  /// keypair.local_index now belongs to the session, which reports it with release(). A responder's
  /// response follows by send(): the keypair is there before the peer can use it.
  /// False if the keypair cannot be delivered: then it is wiped, its index stays with the
  /// Handshaker, the response is not sent, and the next initiation begins afresh.
  [[nodiscard]] virtual bool established(PeerId peer, Keypair keypair,
                                         const Endpoint& from) noexcept = 0;
  /// REKEY_ATTEMPT_TIME has passed without an answer; no further retries until initiate().
  virtual void gave_up(PeerId peer) noexcept = 0;
  /// Another `unanswered_initiations` have had no answer; the next goes out all the same.
  virtual void unanswered(PeerId /*peer*/) noexcept {}
};

struct HandshakePeer {
  crypto::PublicKey public_key;
  crypto::PresharedKey preshared_key;  ///< all zero: none
};

class Handshaker {
 public:
  /// Both sources must outlive this.
  Handshaker(IndexSource& indices, RandomSource& random);
  ~Handshaker();

  /// All zero: no identity; every message is then dropped and initiate() does nothing. A new key
  /// ends every handshake under way and forgets the precomputed secrets; the same key again changes
  /// nothing. A peer whose public key is our own is skipped: it can neither initiate nor be
  /// answered.
  void set_private_key(const crypto::PrivateKey& key) noexcept;

  /// `peer` must not be in use. False if that public key is a peer already.
  bool add_peer(PeerId peer, const HandshakePeer& settings);
  void set_preshared_key(PeerId peer, const crypto::PresharedKey& key) noexcept;
  /// Ends its handshake, gives its pending index back and wipes its secrets.
  void remove_peer(PeerId peer) noexcept;

  /// Makes the checks that a datagram of type 1, 2 or 3 from the wire must pass before it may wait
  /// for a curve operation, the cheapest first: form, identity, mac1; for a response or a cookie
  /// reply, that it answers something of ours. Empty if it may go on to process(), else why it
  /// died.
  ///   under_load  an initiation must have a valid mac2, and keep to the rate of its source; so
  ///               must all responses but the first to each of our initiations. Without one they
  ///               are answered with a cookie, at the rate of a ReplyLimiter.
  ///   cost        a hash; under load two more, and the sealing of a cookie
  std::optional<Drop> admit(ByteView datagram, const Endpoint& from, Instant now, bool under_load,
                            HandshakeSink& sink) noexcept;
  /// Processes what admit() has let through, now or later. Empty if that was done, else why not.
  ///   cost        four curve operations for an initiation (one more the first time, and only one
  ///               from a stranger), two for a response
  std::optional<Drop> process(ByteView datagram, const Endpoint& from, Instant now,
                              HandshakeSink& sink) noexcept;
  /// Both, one after the other.
  std::optional<Drop> receive(ByteView datagram, const Endpoint& from, Instant now, bool under_load,
                              HandshakeSink& sink) noexcept;

  /// The session wants a keypair: sends an initiation now, or as soon as the last one is
  /// REKEY_TIMEOUT old, and repeats it until it is answered or REKEY_ATTEMPT_TIME has passed since
  /// the last call.
  void initiate(PeerId peer, Instant now, WallTime wall, HandshakeSink& sink) noexcept;
  /// The same, but the initiation is left to the next tick(): no curve operation here.
  void want(PeerId peer, Instant now) noexcept;

  /// Wipes the handshake in progress, as REJECT_AFTER_TIME * 3 without a new keypair demands, or
  /// when the peer's own handshake has come first.
  void forget(PeerId peer) noexcept;

  /// Runs retries that are due, a bounded number (next_deadline() stays in the past while there are
  /// more), and lets the cookie secret expire.
  void tick(Instant now, WallTime wall, HandshakeSink& sink) noexcept;
  Instant next_deadline() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tw::wg
