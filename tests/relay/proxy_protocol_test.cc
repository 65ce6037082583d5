// Servers that are told their clients, behind one relay and behind two, in namespaces. Needs root,
// and skips without it.
#include <gtest/gtest.h>

#include "test_relays.h"
#include "wire/message/proxy_v2.h"

namespace tw::relay {
namespace {

constexpr const char* target = "192.0.2.80:8080";
constexpr std::size_t crc_bytes = 7;  // the TLV behind the addresses
const Endpoint client_port{ip("10.77.0.100"), 40'000, 0};

const std::string signature{"\r\n\r\n\0\r\nQUIT\n", 12};
// Version 2, PROXY; TCP over IPv4; 12 bytes of addresses and the CRC.
const std::string header_v4 = signature + std::string{"\x21\x11\x00\x13", 4} +
                              std::string{"\x0a\x4d\x00\x64\xc0\x00\x02\x50\x9c\x40\x1f\x90", 12} +
                              std::string{"\x03\x00\x04", 3};

class ProxyProtocolTest : public TwoRelaysTest {
 protected:
  static RelaySettings telling(RelaySettings settings, std::initializer_list<const char*> servers) {
    for (const char* server : servers) {
      settings.proxy_protocol.push_back(ProxyTarget::parse(server).value());
    }
    return settings;
  }
  // The first bytes of a connection, at the server.
  std::string read(const UniqueFd& server, std::size_t size) {
    std::string bytes;
    EXPECT_TRUE(until([&] {
      bytes += get(server.get()).bytes;
      return bytes.size() >= size;
    }));
    return bytes;
  }
  static ProxyParse parse(const std::string& bytes) {
    return parse_proxy_header({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                              ProxyCrc::required);
  }

  std::unique_ptr<SynRing> syns;  // for who wants early halves
};

TEST_F(ProxyProtocolTest, TheLastPopTellsTheClientByteForByte) {
  start(settings_of_first(), telling(settings_of_last(), {"192.0.2.80/32:8080"}));
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  // It is there before the client has said a word.
  const std::size_t size = header_v4.size() + 4;
  const std::string header = read(server, size);
  ASSERT_EQ(header.size(), size);
  EXPECT_EQ(header.substr(0, header_v4.size()), header_v4);
  EXPECT_EQ(parse(header).status, ProxyParse::Status::complete) << "with its CRC";
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
  ASSERT_TRUE(both_idle());
  EXPECT_EQ(relay_last->snapshot().bytes_upstream, 8U) << "the header is nobody's byte";
}

TEST_F(ProxyProtocolTest, AFirstPopThatConnectsItselfTellsItToo) {
  start(telling(settings_of_first(), {"203.0.113.0/24"}), settings_of_last());
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  const UniqueFd client = connect_from(network->client, client_port, "203.0.113.80:8080");
  const UniqueFd server = accept_at(listener);
  put(client.get(), "question");
  const std::string bytes = read(server, header_v4.size() + 4 + 8);
  const ProxyParse header = parse(bytes);
  ASSERT_EQ(header.status, ProxyParse::Status::complete);
  EXPECT_EQ(header.header.source, client_port);
  EXPECT_EQ(header.header.target, at("203.0.113.80:8080"));
  EXPECT_EQ(bytes.substr(header.length), "question");
}

TEST_F(ProxyProtocolTest, OtherServersAreNotTold) {
  start(telling(settings_of_first(), {"192.0.2.0/24"}),
        telling(settings_of_last(), {"192.0.2.80:8081", "192.0.2.81", "2001:db8:2::/64"}));
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, target);
  const UniqueFd server = accept_at(listener);
  send_and_end(client, server, "question");  // and not a byte more
  send_and_end(server, client, "answer");
}

TEST_F(ProxyProtocolTest, WorksForIpv6) {
  start(settings_of_first(), telling(settings_of_last(), {"2001:db8:2::/64:8080"}));
  const UniqueFd listener = listen_at("[2001:db8:2::80]:8080");
  const Endpoint source{ip("fd77::100"), 40'000, 0};
  const UniqueFd client = connect_from(network->client, source, "[2001:db8:2::80]:8080");
  const UniqueFd server = accept_at(listener);
  const std::size_t size = signature.size() + 4 + 36 + crc_bytes;
  const ProxyParse header = parse(read(server, size));
  ASSERT_EQ(header.status, ProxyParse::Status::complete);
  EXPECT_EQ(header.length, size);
  EXPECT_EQ(header.header.source, source);
  EXPECT_EQ(header.header.target, at("[2001:db8:2::80]:8080"));
  send_and_end(client, server, "question");
}

TEST_F(ProxyProtocolTest, LeavesAtTheSynOfAnEarlyClient) {
  syns = *SynRing::open(syn_ring_capacity);
  syn_source = std::make_unique<SynRingSource>(*syns);
  start(telling(settings_of_first(), {"203.0.113.80"}), settings_of_last());
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  ASSERT_TRUE(syns->push({.client = client_port,
                          .target = at("203.0.113.80:8080"),
                          .sequence = 1,
                          .payload_bytes = 0}));
  const UniqueFd server = accept_at(listener);
  const ProxyParse header = parse(read(server, header_v4.size() + 4));
  ASSERT_EQ(header.status, ProxyParse::Status::complete);
  EXPECT_EQ(header.header.source, client_port);
  EXPECT_EQ(relay_first->snapshot().early_syn.unclaimed, 1U);
  const UniqueFd client = connect_from(network->client, client_port, "203.0.113.80:8080");
  send_and_end(client, server, "question");
  send_and_end(server, client, "answer");
}

TEST_F(ProxyProtocolTest, AWarmLegThatWasDeadIsReplacedAndTheServerToldOnce) {
  RelaySettings first = settings_of_first();
  first.pool.enabled = true;
  const RelaySettings last = telling(settings_of_last(), {"192.0.2.80"});
  start(first, last);
  ASSERT_TRUE(
      until([&] { return relay_first->snapshot().pops.at(0).warm.idle >= PoolSettings{}.low; }));
  restart_last(last);
  const UniqueFd listener = listen_at(target);
  const UniqueFd client = connect_from(network->client, client_port, target);
  const UniqueFd server = accept_at(listener);
  put(client.get(), "question");
  const std::size_t size = header_v4.size() + 4;
  const std::string bytes = read(server, size + 8);
  EXPECT_EQ(bytes.substr(0, header_v4.size()), header_v4);
  EXPECT_EQ(bytes.substr(size), "question");
}

TEST_F(ProxyProtocolTest, ANewListIsForNewConnections) {
  start(telling(settings_of_first(), {"203.0.113.80"}), settings_of_last());
  relay_first->apply(settings_of_first());
  const UniqueFd listener = listen_at("203.0.113.80:8080");
  const UniqueFd client = connect_from(network->client, "203.0.113.80:8080");
  const UniqueFd server = accept_at(listener);
  send_and_end(client, server, "question");
}

}  // namespace
}  // namespace tw::relay
