// One transaction of nf_tables, as the netlink messages that the kernel takes (nfnetlink batch).
//
// Netlink of our own, and no library: libnftables is GPL-2.0-only and libnftnl GPL-2.0-or-later,
// which an Apache-2.0 program must not link, and a message of libnl is one page, where the elements
// of a set need more. All messages lie in one buffer, since one batch is one datagram. Numbers in
// attributes are big-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace tw::nft {

/// Attributes (nlattr), each behind the last.
class Attributes {
 public:
  void number(std::uint16_t attribute, std::uint32_t value);  ///< host order in, big-endian out
  void byte(std::uint16_t attribute, std::uint8_t value);
  void text(std::uint16_t attribute, std::string_view value);
  void bytes(std::uint16_t attribute, ByteView value);
  /// Returns what close_nest() takes.
  std::size_t open_nest(std::uint16_t attribute);
  void close_nest(std::size_t nest);
  /// Attributes made elsewhere.
  void append(const Attributes& others);
  ByteView view() const noexcept { return buffer_; }

 protected:
  std::vector<std::uint8_t> buffer_;
};

class Batch : public Attributes {
 public:
  Batch();

  /// Begins a message of nf_tables (`NFT_MSG_…`); `family` is NFPROTO_…. `source` is what an error
  /// says of it.
  void begin(std::uint8_t message, std::uint16_t flags, std::uint8_t family,
             std::string_view source);
  void end();

  /// Closes the batch, which must have a message. Without `commit` the kernel tries it and takes it
  /// back. The last message is the one that is acknowledged.
  const std::vector<std::uint8_t>& finish(bool commit);
  std::uint32_t acknowledged_sequence() const noexcept { return sequence_; }
  /// Returns the text that the message with this sequence number was made from.
  std::string_view source_of(std::uint32_t sequence) const noexcept;
  bool empty() const noexcept { return sources_.empty(); }

 private:
  void header(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource);

  std::vector<std::string> sources_;  // of the messages, in their order
  std::size_t message_ = 0;           // offset of the one under construction
  std::size_t last_ = 0;              // offset of the last finished one
  std::uint32_t sequence_ = 0;
};

}  // namespace tw::nft
