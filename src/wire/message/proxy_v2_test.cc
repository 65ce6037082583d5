#include "wire/message/proxy_v2.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/crc32c.h"

namespace tw {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Status = ProxyParse::Status;

Bytes hex(std::string_view digits) {
  const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  Bytes out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(value(digits[i]) * 16 + value(digits[i + 1])));
  }
  return out;
}

const std::string signature = "0d0a0d0a000d0a515549540a";
// The structs of the specification, filled in by hand; each CRC comes from a bitwise program.
const std::string v4_head = signature +
                            "21110013"
                            "c0000201"
                            "c6336402"
                            "9c40"
                            "01bb";
const std::string v4_whole = v4_head +
                             "030004"
                             "4d20d609";
const std::string v6_whole = signature +
                             "2121002b"
                             "20010db8000000000000000000000001"
                             "20010db8000000000000000000000002"
                             "9c40"
                             "01bb"
                             "030004"
                             "f87f3a7a";
const std::string local_whole = signature +
                                "20000007"
                                "030004"
                                "a9b87e8f";

ProxyHeader header_of(std::string_view source, std::string_view target) {
  return {.local = false, .source = *Endpoint::parse(source), .target = *Endpoint::parse(target)};
}
const ProxyHeader v4_header = header_of("192.0.2.1:40000", "198.51.100.2:443");
const ProxyHeader v6_header = header_of("[2001:db8::1]:40000", "[2001:db8::2]:443");

Bytes written(const ProxyHeader& header, const Bytes& extra = {}) {
  Bytes out(proxy_max_size);
  out.resize(write_proxy_header(header, out, extra));
  return out;
}
ProxyParse parsed(const Bytes& bytes, ProxyCrc crc = ProxyCrc::optional) {
  return parse_proxy_header(bytes, crc);
}
/// The header with another length field and these TLVs instead of its own; no CRC.
Bytes with_tlvs(const std::string& tlvs) {
  Bytes bytes = hex(v4_head + tlvs);
  bytes[14] = static_cast<std::uint8_t>((bytes.size() - 16) >> 8U);
  bytes[15] = static_cast<std::uint8_t>(bytes.size() - 16);
  return bytes;
}

TEST(ProxyV2, WritesTheKnownBytes) {
  EXPECT_EQ(written(v4_header), hex(v4_whole));
  EXPECT_EQ(written(v6_header), hex(v6_whole));
  EXPECT_EQ(written({.local = true, .source = {}, .target = {}}), hex(local_whole));
}

TEST(ProxyV2, ReadsTheKnownBytes) {
  for (const auto& [bytes, header] :
       {std::pair{hex(v4_whole), v4_header}, std::pair{hex(v6_whole), v6_header},
        std::pair{hex(local_whole), ProxyHeader{.local = true, .source = {}, .target = {}}}}) {
    Bytes more = bytes;
    more.push_back('G');  // the client's first byte
    const ProxyParse parse = parsed(more, ProxyCrc::required);
    ASSERT_EQ(parse.status, Status::complete);
    EXPECT_EQ(parse.length, bytes.size());
    EXPECT_EQ(parse.header, header);
    EXPECT_EQ(parse.tlvs.size(), header.local ? 0U : 7U);
  }
}

TEST(ProxyV2, EveryTruncationNeedsMoreAndSaysHowMuch) {
  for (const Bytes& whole : {hex(v4_whole), hex(v6_whole), hex(local_whole)}) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<long>(cut));
      const ProxyParse parse = parsed(part);
      EXPECT_EQ(parse.status, Status::needs_more) << cut;
      EXPECT_EQ(parse.length, cut < 16 ? 16 : whole.size());
      EXPECT_EQ(parse.header.local, cut >= 16 && whole[12] == 0x20);
    }
  }
}

TEST(ProxyV2, EverySingleByteChangeIsRefusedWhereACrcIsRequired) {
  for (const Bytes& whole : {hex(v4_whole), hex(v6_whole)}) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (unsigned change = 1; change < 256; ++change) {
        Bytes bytes = whole;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ change);
        // One that has become LOCAL names nobody, and its CRC is a part of what is not looked at.
        const ProxyParse parse = parsed(bytes, ProxyCrc::required);
        const bool local = at == 12 && bytes[at] == 0x20;
        EXPECT_EQ(parse.status == Status::complete, local) << at;
        EXPECT_EQ(parse.header.local, local);
      }
    }
  }
}

TEST(ProxyV2, AWrongByteIsRefusedAsSoonAsItIsThere) {
  const Bytes whole = hex(v4_whole);
  for (std::size_t at = 0; at < 14; ++at) {
    Bytes part(whole.begin(), whole.begin() + static_cast<long>(at) + 1);
    part[at] ^= 0x80U;
    EXPECT_EQ(parsed(part).status, Status::malformed) << at;
  }
  EXPECT_EQ(parsed({'G', 'E', 'T', ' '}).status, Status::malformed);
  EXPECT_EQ(parsed({'P', 'R', 'O', 'X', 'Y', ' '}).status, Status::malformed);
}

TEST(ProxyV2, CommandsAndFamiliesThatAreTaken) {
  for (unsigned command = 0; command < 256; ++command) {
    for (unsigned family = 0; family < 256; ++family) {
      Bytes bytes = with_tlvs("");
      bytes.resize(16 + 216);  // enough for every family
      bytes[14] = 0;
      bytes[15] = 216;
      std::fill(bytes.begin() + 16, bytes.end(), std::uint8_t{0});
      bytes[12] = static_cast<std::uint8_t>(command);
      bytes[13] = static_cast<std::uint8_t>(family);
      const bool tcp = family == 0x11 || family == 0x21;
      const bool taken = (command == 0x21 && tcp) || command == 0x20;
      EXPECT_EQ(parsed(bytes).status != Status::malformed, taken) << command << ' ' << family;
    }
  }
}

// Not TLVs, not as long as the family asks for, a wrong CRC, twice a CRC, and longer than any other
// header: all that is to be discarded.
TEST(ProxyV2, TheBlockOfLocalIsNotLookedAt) {
  const Bytes wrong_crc = hex("03000400000000");
  const Bytes twice = hex("0300040000000003000400000000");
  for (const Bytes& block : {Bytes{}, Bytes(1, 0xff), Bytes(3, 0xff), Bytes(11, 0), Bytes(12, 0xff),
                             Bytes(216, 0xff), wrong_crc, twice, Bytes(521), Bytes(65535, 0xff)}) {
    for (const int family : {0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0xff}) {
      Bytes bytes = hex(signature + "20000000");
      bytes[13] = static_cast<std::uint8_t>(family);
      bytes[14] = static_cast<std::uint8_t>(block.size() >> 8U);
      bytes[15] = static_cast<std::uint8_t>(block.size());
      bytes.insert(bytes.end(), block.begin(), block.end());
      for (const ProxyCrc crc : {ProxyCrc::optional, ProxyCrc::required}) {
        const ProxyParse parse = parsed(bytes, crc);
        ASSERT_EQ(parse.status, Status::complete) << block.size();
        EXPECT_EQ(parse.length, 16 + block.size());
        EXPECT_TRUE(parse.header.local);
        EXPECT_EQ(parse.header.target, Endpoint{});
        EXPECT_TRUE(parse.tlvs.empty());
      }
    }
  }
}

TEST(ProxyV2, AnAddressBlockShorterThanItsFamilyIsRefused) {
  for (std::uint8_t length = 0; length < 12; ++length) {
    Bytes bytes = hex(v4_head);
    bytes[15] = length;
    EXPECT_EQ(parsed(bytes).status, Status::malformed);
  }
  Bytes v6 = hex(v6_whole);
  v6[15] = 35;
  EXPECT_EQ(parsed(v6).status, Status::malformed);
}

TEST(ProxyV2, TheLengthIsCapped) {
  Bytes bytes = hex(v4_head);
  bytes[14] = (536 - 16) >> 8;
  bytes[15] = (536 - 16) & 0xff;
  EXPECT_EQ(parsed(bytes).status, Status::needs_more);
  ++bytes[15];
  EXPECT_EQ(parsed(bytes).status, Status::malformed);
  bytes[14] = bytes[15] = 0xff;
  EXPECT_EQ(parsed(bytes).status, Status::malformed);
}

TEST(ProxyV2, WithoutACrcOnlyWhereItIsOptional) {
  EXPECT_EQ(parsed(with_tlvs("")).status, Status::complete);
  EXPECT_EQ(parsed(with_tlvs(""), ProxyCrc::required).status, Status::malformed);
  EXPECT_EQ(parsed(with_tlvs("040000"), ProxyCrc::required).status, Status::malformed);
}

TEST(ProxyV2, TlvsOutOfBoundsAreRefused) {
  for (const char* tlvs : {"04", "0400", "040001", "04ffff00",
                           "04000105"
                           "04",
                           "030004000000",
                           "03000400000001"
                           "0400"}) {
    EXPECT_EQ(parsed(with_tlvs(tlvs)).status, Status::malformed) << tlvs;
  }
  for (const char* tlvs : {"040000", "0400020000",
                           "ee0001ff"
                           "040000"}) {
    EXPECT_EQ(parsed(with_tlvs(tlvs)).status, Status::complete) << tlvs;
  }
}

TEST(ProxyV2, ACrcOfOddSizeOrTwiceIsRefused) {
  for (const char* tlvs : {"030000", "030003000000", "0300050000000000"}) {
    EXPECT_EQ(parsed(with_tlvs(tlvs)).status, Status::malformed) << tlvs;
  }
  // Two CRC TLVs. With the second one's field as zero bytes, the first is right.
  Bytes twice = with_tlvs(
      "03000400000000"
      "03000400000000");
  Crc32c crc;
  crc.add(twice);
  for (std::size_t i = 0; i < 4; ++i) {
    twice[31 + i] = static_cast<std::uint8_t>(crc.value() >> (24 - 8 * i));
  }
  EXPECT_EQ(parsed(twice).status, Status::malformed);
}

TEST(ProxyV2, ExtraTlvsComeBack) {
  const Bytes extra =
      hex("05000461626364"
          "e00000");
  const Bytes bytes = written(v6_header, extra);
  const ProxyParse parse = parsed(bytes, ProxyCrc::required);
  ASSERT_EQ(parse.status, Status::complete);
  EXPECT_EQ(parse.header, v6_header);
  EXPECT_EQ(as_text(find_proxy_tlv(parse.tlvs, 0x05).value()), "abcd");
  EXPECT_TRUE(find_proxy_tlv(parse.tlvs, 0xe0).value().empty());
  EXPECT_FALSE(find_proxy_tlv(parse.tlvs, 0xe1));
}

TEST(ProxyV2, WhatDoesNotFitIsNotWritten) {
  Bytes out(64, 0xcc);
  const std::size_t needed = written(v4_header).size();
  EXPECT_EQ(write_proxy_header(v4_header, std::span(out).first(needed - 1)), 0U);
  EXPECT_EQ(out, Bytes(64, 0xcc));
  EXPECT_EQ(write_proxy_header(v4_header, std::span(out).first(needed)), needed);
  Bytes large(2000);
  EXPECT_EQ(write_proxy_header(v4_header, large, Bytes(536 - needed)), 536U);
  EXPECT_EQ(write_proxy_header(v4_header, large, Bytes(536 - needed + 1)), 0U);
}

TEST(ProxyV2, MixedFamiliesGoAsMappedV6AndComeBackAsTheyWere) {
  const ProxyHeader mixed = header_of("192.0.2.1:1", "[2001:db8::2]:2");
  const Bytes bytes = written(mixed);
  EXPECT_EQ(bytes[13], 0x21);
  EXPECT_EQ(parsed(bytes).header, mixed);
  // A sender that hides 127.0.0.1 in IPv6 does not get it past a rule about 127.0.0.0/8.
  const Bytes hidden = written(header_of("[2001:db8::1]:1", "[::ffff:127.0.0.1]:2"));
  EXPECT_EQ(parsed(hidden).header.target, *Endpoint::parse("127.0.0.1:2"));
}

}  // namespace
}  // namespace tw
