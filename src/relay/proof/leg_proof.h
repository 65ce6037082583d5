// The bytes by which a leg says who opened it: a TLV of the PROXY v2 header (old readers skip it),
// and the answer to it. Both end with a MAC by the pair's key (leg_key.h) over all that was said
// and over the leg's own addresses and ports. Pure; pop_proof.h has the rules.
//
//   hello   LOCAL header, on a leg that will wait   ──▶
//                                                   ◀──   answer: which acceptor, its time
//   header  PROXY header, bound to that answer      ──▶
//
// A leg that is made for a connection that waits has no time for that: its header names the
// acceptor, as it was last answered by it, and the time there; and so it can be used once only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "crypto/mac_key.h"
#include "wire/address.h"

namespace tw::relay {

/// The addresses and ports that a MAC covers beside the bytes. Both sides see the same: nothing
/// translates addresses inside the tunnel.
struct LegEnds {
  Endpoint connector, acceptor;
  friend bool operator==(const LegEnds&, const LegEnds&) noexcept = default;
};
/// Returns the ends of a socket that connected, or was accepted; empty if it has failed.
std::optional<LegEnds> ends_of_connected(int socket) noexcept;
std::optional<LegEnds> ends_of_accepted(int socket) noexcept;

struct HeaderProof {
  enum class Kind : std::uint8_t {
    hello = 1,  ///< of a LOCAL header: answer, and wait
    fresh = 2,  ///< of a header that comes first
    bound = 3,  ///< of a header that follows a hello's answer
  };
  Kind kind = Kind::fresh;
  bool wants_answer = false;   ///< fresh: before the first byte that goes back
  std::uint64_t acceptor = 0;  ///< fresh: LegAnswerProof::acceptor; 0: unknown
  std::uint64_t time_ns = 0;   ///< fresh: of the acceptor's clock
  std::uint64_t nonce = 0;
  friend bool operator==(const HeaderProof&, const HeaderProof&) noexcept = default;
};

/// Type, length, kind, flags, acceptor, time, nonce (little-endian), MAC. It stands last in a
/// header but for the CRC-32C, so that its MAC covers all that is before it, and nothing comes
/// after.
inline constexpr std::size_t proof_tlv_size = 3 + 2 + 3 * 8 + 16;
/// Room for the proof in a header that seal_header() will fill in.
using ProofTlv = std::array<std::uint8_t, proof_tlv_size>;
ProofTlv blank_proof() noexcept;
/// Seals a header by write_proxy_header() whose last TLV is blank_proof(). `bond`: the MAC of the
/// answer that it follows; bound headers only, else zero. Returns the header's MAC, and renews its
/// CRC-32C.
crypto::Mac seal_header(ByteSpan header, const HeaderProof& proof, const crypto::MacKey& key,
                        const LegEnds& ends, const crypto::Mac& bond = {}) noexcept;

struct ReceivedProof {
  HeaderProof proof;
  crypto::Mac mac{};
};
/// `header`: well-formed, PROXY or hello. Empty if it has none. One of another form, or in another
/// place than the last, is there but cannot be right: its kind is no kind.
std::optional<ReceivedProof> read_proof(ByteView header, ByteView tlvs) noexcept;
/// In constant time.
bool is_proven(ByteView header, const ReceivedProof& proof, const crypto::MacKey& key,
               const LegEnds& ends, const crypto::Mac& bond = {}) noexcept;

inline constexpr std::size_t hello_tlvs_at = 16;
inline constexpr std::size_t hello_size = hello_tlvs_at + proof_tlv_size + 7;
/// The LOCAL header that is a hello, unsealed.
std::array<std::uint8_t, hello_size> blank_hello() noexcept;
/// True if `received` is the beginning of a hello, or (if it is as long) a hello, as far as can be
/// known without the key.
bool looks_like_hello(ByteView received) noexcept;

struct LegAnswerProof {
  enum class Status : std::uint8_t {
    proven = 1,     ///< it is served, or may wait
    restarted = 2,  ///< refused: it names another acceptor. Make another, with this one
    untimely = 3,   ///< refused: its time is not the acceptor's. The same
  };
  Status status = Status::proven;
  std::uint64_t acceptor = 0;  ///< a random name, another one after each start; never 0
  std::uint64_t time_ns = 0;   ///< of its clock, which begins anywhere
  friend bool operator==(const LegAnswerProof&, const LegAnswerProof&) noexcept = default;
};
/// A byte that is not leg_answer_connected, status, acceptor, time, MAC.
inline constexpr std::size_t answer_proof_size = 1 + 1 + 8 + 8 + 16;
using AnswerBytes = std::array<std::uint8_t, answer_proof_size>;
inline constexpr std::uint8_t leg_answer_proof = 0x02;

/// `said`: the MAC of what is answered.
AnswerBytes write_answer(const LegAnswerProof& answer, const crypto::MacKey& key,
                         const LegEnds& ends, const crypto::Mac& said) noexcept;
/// Empty if it is not this key's answer to that, on this leg. In constant time.
std::optional<LegAnswerProof> read_answer(const AnswerBytes& bytes, const crypto::MacKey& key,
                                          const LegEnds& ends, const crypto::Mac& said) noexcept;
/// Returns the MAC that headers are bound to.
crypto::Mac bond_of(const AnswerBytes& answer) noexcept;

}  // namespace tw::relay
