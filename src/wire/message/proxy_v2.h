// The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt, section 2.2): what the first PoP
// says to the last one before a client's bytes: who connects, and where to. The parser is strict
// and bounded, as it reads what another machine wrote; the writer always adds a CRC-32C.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/address.h"

namespace tw {

/// No header above this is taken or made: the fixed part, IPv6 addresses and 484 bytes of TLVs. It
/// fits the smallest first segment of a TCP connection.
inline constexpr std::size_t proxy_max_size = 536;
/// But for LOCAL, whose block is whatever its sender likes: what its length field can say.
inline constexpr std::size_t proxy_local_max_size = 16 + 65535;

struct ProxyHeader {
  bool local = false;  ///< the sender speaks for itself (a health check): no endpoints
  Endpoint source;     ///< the client
  Endpoint target;     ///< where it wanted to connect
  friend bool operator==(const ProxyHeader&, const ProxyHeader&) noexcept = default;
};

/// `optional` takes a PROXY header without a CRC-32C. Ours always have one; and only where it is
/// required is every damaged byte noticed, the type of the CRC's own TLV among them.
enum class ProxyCrc : std::uint8_t { optional, required };

struct ProxyParse {
  enum class Status : std::uint8_t { needs_more, complete, malformed };
  Status status = Status::malformed;
  /// complete: the bytes the header took. needs_more: how many there must be to go on, in all.
  std::size_t length = 0;
  ProxyHeader header{};  ///< needs_more: `local` is right as soon as `length` is the header's
  ByteView tlvs{};       ///< inside `received`, all in bounds; see find_proxy_tlv()
};

/// Reads the header at the start of `received`, which may be cut anywhere: the call is then
/// repeated with more bytes. Malformed as soon as it can be known: signature, version, command,
/// family (TCP over IPv4 or IPv6), length, TLVs out of bounds, CRC wrong or doubled. Addresses that
/// are v4-mapped IPv6 become IPv4, so that a policy sees one form. TLVs of other types are skipped.
/// LOCAL is taken with any family and any block, which is not looked at ("discard the protocol
/// block including the family which is ignored"): its `length` may be as much as
/// proxy_local_max_size, its `tlvs` are none, and it is complete only when all of it is there.
/// Whoever has no room for that drops the first `length` bytes of the stream as they come.
ProxyParse parse_proxy_header(ByteView received, ProxyCrc crc) noexcept;

/// The value of the first TLV of `type` among ProxyParse::tlvs.
std::optional<ByteView> find_proxy_tlv(ByteView tlvs, std::uint8_t type) noexcept;

/// Writes `header` with `extra_tlvs` (type, length and value each; well-formed, none a CRC-32C) and
/// a CRC-32C to `out`. Returns the bytes written, or 0 if they do not fit `out` or proxy_max_size.
/// If the families of source and target differ, both are written as IPv6.
std::size_t write_proxy_header(const ProxyHeader& header, ByteSpan out,
                               ByteView extra_tlvs = {}) noexcept;

/// Type and size of a CRC-32C's TLV, which is the last of every header that write_proxy_header()
/// wrote.
inline constexpr std::uint8_t proxy_crc_tlv = 0x03;
inline constexpr std::size_t proxy_crc_tlv_size = 7;
/// Makes the CRC-32C of such a header right again after other bytes of it were changed.
void renew_proxy_crc(ByteSpan header) noexcept;

}  // namespace tw
