// Reads the PROXY v2 header at the start of a leg and not a byte beyond it: what follows stays in
// the socket for splice. The header is looked at (MSG_PEEK) until it is whole, and then taken; that
// of a health check (LOCAL) says nothing more, and is taken as it comes.
//
// In it a PoP may ask to be told when the target's server has accepted the connection. The answer
// is one byte down the leg, before all others, from the last PoP through those between; a refusal
// is a reset. A PoP that does not know the question gives no answer, so all of an overlay must.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "relay/proof/leg_proof.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {

/// Options that one PoP tells the next beside client and target: in a TLV of our own, of
/// PP2_TYPE_MIN_CUSTOM (flags, hops). Without it: as here.
struct LegOptions {
  bool fast_open = false;  ///< LegRequest::fast_open
  bool answer = false;     ///< LegRequest::answer
  std::uint8_t hops = 1;   ///< PoPs that the connection has come through before the reader
  friend bool operator==(const LegOptions&, const LegOptions&) noexcept = default;
};
inline constexpr std::size_t leg_tlv_size = 5;
/// Into `out`; returns what of it is to be sent: nothing if all is as without.
ByteView write_leg_options(const LegOptions& options,
                           std::span<std::uint8_t, leg_tlv_size> out) noexcept;
/// `tlvs`: of a header that has been parsed. Unknown flags and further bytes are for later
/// versions.
LegOptions read_leg_options(ByteView tlvs) noexcept;

/// The answer to LegOptions::answer.
inline constexpr std::uint8_t leg_answer_connected = 0x01;

struct LegHeader {
  enum class State : std::uint8_t {
    empty,       ///< not a byte yet: a warm leg that waits
    unused,      ///< ended in order without one
    incomplete,  ///< call again when more has come
    complete,    ///< `header` has been taken from the socket
    hello,       ///< one of leg_proof.h's; a header may follow
    malformed,   ///< or ended inside it
    failed,      ///< the socket failed, with `os_errno`
  };
  State state = State::empty;
  ProxyHeader header{};
  LegOptions options{};
  int os_errno = 0;
  std::optional<ReceivedProof> proof{};  ///< with `complete` and `hello`; unchecked
  /// The bytes that the proof covers: all of the header. None of a LOCAL one that is no hello.
  std::array<std::uint8_t, proxy_max_size> bytes{};
  std::size_t size = 0;
  ByteView view() const noexcept { return ByteView{bytes}.first(size); }
};

/// Never blocks. `ended`: nothing will follow what the socket holds now. `unskipped`: 0 before the
/// first call for a socket, and kept from call to call: what is still to come of a LOCAL header,
/// whose block is dropped as it comes, however long it is.
LegHeader read_leg_header(int socket, bool ended, std::uint32_t& unskipped) noexcept;

enum class LegAnswer : std::uint8_t {
  none,       ///< call again when something has come
  connected,  ///< its byte has been taken from the socket
  failed,     ///< the leg has ended, or said something else
};

/// The proof that precedes it, and all else, on a leg that has asked for one.
struct AnswerProofReader {
  enum class State : std::uint8_t {
    incomplete,  ///< call again when something has come
    complete,    ///< `bytes` have been taken from the socket, unchecked
    ended,       ///< in order, before it was whole
    failed,      ///< the socket failed, with `os_errno`
  };
  /// Never blocks, and takes not one byte too many.
  State read(int socket) noexcept;
  AnswerBytes bytes{};
  std::size_t size = 0;  ///< bytes that are here
  int os_errno = 0;
};

/// Never blocks. `os_errno` is why it failed; 0: it ended in order.
LegAnswer read_leg_answer(int socket, int& os_errno) noexcept;

}  // namespace tw::relay
