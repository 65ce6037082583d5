#include "node/uapi/uapi_protocol.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

namespace tw::node {
namespace {

const std::string key_a(64, 'a');
const std::string key_b = "B0" + std::string(62, '1');
const std::string zero_key(64, '0');

/// Remembers what it was told, and answers what it is told to.
class Recorder final : public DeviceControl {
 public:
  Result<void> apply(const DeviceChange& change) override {
    changes.push_back(change);
    if (failure) return std::unexpected(*failure);
    return {};
  }
  Result<DeviceState> state() override {
    if (failure) return std::unexpected(*failure);
    return now;
  }
  std::vector<DeviceChange> changes;
  DeviceState now;
  std::optional<Error> failure;
};

/// Returns the answer to a client that sends all of `text`; `hung_up` tells whether it is cut off.
std::string say(UapiConversation& conversation, std::string_view text, bool* hung_up = nullptr) {
  SecretText out;
  ByteView bytes = as_bytes(text);
  bool hang_up = false;
  while (!bytes.empty() && !hang_up) {
    const auto progress = conversation.receive(bytes, out);
    hang_up = progress.hang_up;
    bytes = bytes.subspan(progress.taken);
  }
  if (hung_up != nullptr) *hung_up = hang_up;
  return std::string{out.view()};
}

Result<DeviceChange> parse(const std::vector<std::string>& lines) {
  UapiSetBody body;
  for (const std::string& line : lines) body.line(line);
  return body.finish();
}

TEST(UapiSetBody, TakesEveryKey) {
  const Result<DeviceChange> change =
      parse({"private_key=" + key_a, "listen_port=51820", "fwmark=4294967295", "replace_peers=true",
             "public_key=" + key_b, "update_only=true", "preshared_key=" + key_a,
             "endpoint=[fe80::1%7]:51821", "persistent_keepalive_interval=65535",
             "replace_allowed_ips=true", "allowed_ip=10.0.0.7/8", "allowed_ip=-fd00::/64",
             "protocol_version=1", "public_key=" + key_a, "remove=true"});
  ASSERT_TRUE(change) << change.error().text();
  EXPECT_EQ(change->private_key->view()[31], 0xaa);
  EXPECT_EQ(change->listen_port, 51820);
  EXPECT_EQ(change->fwmark, 0xffffffffU);
  EXPECT_TRUE(change->replace_peers);
  ASSERT_EQ(change->peers.size(), 2U);
  const PeerChange& peer = change->peers[0];
  EXPECT_EQ(peer.public_key.bytes[0], 0xb0);
  EXPECT_TRUE(peer.update_only);
  EXPECT_FALSE(peer.remove);
  EXPECT_EQ(peer.preshared_key->view()[0], 0xaa);
  EXPECT_EQ(peer.endpoint, Endpoint::parse("[fe80::1%7]:51821"));
  EXPECT_EQ(peer.persistent_keepalive_s, 65535);
  EXPECT_TRUE(peer.replace_allowed_ips);
  ASSERT_EQ(peer.allowed_ips.size(), 2U);
  EXPECT_EQ(peer.allowed_ips[0].prefix, Prefix::parse("10.0.0.0/8"));
  EXPECT_FALSE(peer.allowed_ips[0].remove);
  EXPECT_EQ(peer.allowed_ips[1].prefix, Prefix::parse("fd00::/64"));
  EXPECT_TRUE(peer.allowed_ips[1].remove);
  EXPECT_TRUE(change->peers[1].remove);
}

TEST(UapiSetBody, WhatIsNotSaidStaysEmpty) {
  const Result<DeviceChange> change = parse({"public_key=" + key_a});
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->private_key || change->listen_port || change->fwmark);
  EXPECT_FALSE(change->replace_peers);
  const PeerChange& peer = change->peers.at(0);
  EXPECT_FALSE(peer.preshared_key || peer.endpoint || peer.persistent_keepalive_s);
  EXPECT_FALSE(peer.remove || peer.update_only || peer.replace_allowed_ips);
  EXPECT_TRUE(parse({})->peers.empty());
}

TEST(UapiSetBody, ReplacingAllowedIpsTakesThoseNamedBefore) {
  const Result<DeviceChange> change = parse({"public_key=" + key_a, "allowed_ip=10.0.0.0/8",
                                             "replace_allowed_ips=true", "allowed_ip=10.1.0.0/16"});
  ASSERT_TRUE(change);
  ASSERT_EQ(change->peers[0].allowed_ips.size(), 1U);
  EXPECT_EQ(change->peers[0].allowed_ips[0].prefix, Prefix::parse("10.1.0.0/16"));
}

TEST(UapiSetBody, RefusesEverythingElse) {
  const std::string peer = "public_key=" + key_a;
  const std::vector<std::vector<std::string>> bad{
      {"private_key=" + key_a.substr(1)},
      {"private_key=" + key_a + "a"},
      {"private_key=" + std::string(64, 'g')},
      {"private_key="},
      {"listen_port=65536"},
      {"listen_port=-1"},
      {"listen_port=+1"},
      {"listen_port= 1"},
      {"listen_port=1 "},
      {"listen_port=0x10"},
      {"listen_port="},
      {"fwmark=4294967296"},
      {"replace_peers=false"},
      {"replace_peers=1"},
      {"preshared_key=" + key_a},  // of which peer?
      {"allowed_ip=10.0.0.0/8"},
      {"unknown=1"},
      {"=1"},
      {peer, "listen_port=1"},  // the device's part is over
      {peer, "private_key=" + key_a},
      {"public_key=" + key_a.substr(2)},
      {peer, "endpoint=192.0.2.1"},
      {peer, "endpoint=192.0.2.1:0"},
      {peer, "endpoint=host.example:51820"},
      {peer, "endpoint=2001:db8::1:51820"},
      {peer, "persistent_keepalive_interval=off"},
      {peer, "persistent_keepalive_interval=65536"},
      {peer, "allowed_ip=10.0.0.0"},
      {peer, "allowed_ip=10.0.0.0/33"},
      {peer, "allowed_ip=--10.0.0.0/8"},
      {peer, "allowed_ip=/8"},
      {peer, "protocol_version=2"},
      {peer, "remove=yes"},
      {peer, "update_only=false"},
      {peer, "replace_allowed_ips=false"},
  };
  for (const auto& lines : bad) {
    const Result<DeviceChange> change = parse(lines);
    ASSERT_FALSE(change) << lines.back();
    EXPECT_EQ(uapi_errno(change.error()), EINVAL) << lines.back();
    EXPECT_EQ(change.error().detail.find(key_a.substr(0, 8)), std::string::npos) << "a key leaks";
  }
  EXPECT_EQ(uapi_errno(parse({"no equals sign"}).error()), EPROTO);
  // A secret where a key should be is not repeated either.
  EXPECT_EQ(parse({key_b + "=x"}).error().detail.find("B0"), std::string::npos);
}

TEST(UapiConversation, AnswersGetAsWgReadsIt) {
  Recorder device;
  device.now.listen_port = 51820;
  device.now.fwmark = 7;
  std::fill_n(device.now.private_key.span().begin(), 32, std::uint8_t{0xaa});
  PeerState& peer = device.now.peers.emplace_back();
  peer.public_key.bytes.fill(0x0b);
  peer.endpoint = Endpoint::parse("[2001:db8::1]:51821");
  peer.allowed_ips = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("fd00::/64")};
  peer.persistent_keepalive_s = 25;
  peer.last_handshake = WallTime{1700000000s + 42ns};
  peer.rx_bytes = 1;
  peer.tx_bytes = 18446744073709551615U;
  std::string hex_b;
  for (int i = 0; i < 32; ++i) hex_b += "0b";
  UapiConversation conversation{device};
  EXPECT_EQ(say(conversation, "get=1\n\n"),
            "private_key=" + key_a + "\nlisten_port=51820\nfwmark=7\npublic_key=" + hex_b +
                "\npreshared_key=" + zero_key +
                "\nprotocol_version=1\nendpoint=[2001:db8::1]:51821\n"
                "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=42\n"
                "tx_bytes=18446744073709551615\nrx_bytes=1\npersistent_keepalive_interval=25\n"
                "allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\nerrno=0\n\n");
}

TEST(UapiConversation, AnEmptyDeviceHasNoKeyNorMark) {
  Recorder device;
  UapiConversation conversation{device};
  EXPECT_EQ(say(conversation, "get=1\n\n"), "listen_port=0\nerrno=0\n\n");
}

TEST(UapiConversation, TakesSeveralRequestsInPiecesOfAnySize) {
  const std::string text =
      "set=1\nlisten_port=7\n\nget=1\n\nset=1\npublic_key=" + key_a + "\nallowed_ip=10.0.0.0/8\n\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    Recorder device;
    UapiConversation conversation{device};
    std::string heard;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      heard += say(conversation, text.substr(at, piece));
    }
    EXPECT_EQ(heard, "errno=0\n\nlisten_port=0\nerrno=0\n\nerrno=0\n\n");
    ASSERT_EQ(device.changes.size(), 2U);
    EXPECT_EQ(device.changes[0].listen_port, 7);
    EXPECT_EQ(device.changes[1].peers.size(), 1U);
    EXPECT_FALSE(conversation.in_request());
  }
}

TEST(UapiConversation, AnswersOneRequestAtATime) {
  Recorder device;
  UapiConversation conversation{device};
  SecretText out;
  const auto progress = conversation.receive(as_bytes("get=1\n\nget=1\n\n"), out);
  EXPECT_EQ(progress.taken, std::string_view{"get=1\n\n"}.size());
  EXPECT_EQ(out.view(), "listen_port=0\nerrno=0\n\n");
}

TEST(UapiConversation, AMistakeChangesNothingAndTheNextRequestCounts) {
  Recorder device;
  UapiConversation conversation{device};
  bool hung_up = true;
  EXPECT_EQ(
      say(conversation,
          "set=1\nlisten_port=1\nnonsense=1\nlisten_port=2\n\nset=1\nlisten_port=3\n\n", &hung_up),
      "errno=-22\n\nerrno=0\n\n");
  EXPECT_FALSE(hung_up);
  ASSERT_EQ(device.changes.size(), 1U);
  EXPECT_EQ(device.changes[0].listen_port, 3);
}

TEST(UapiConversation, ErrnoIsNegativeForSetAndPositiveForGet) {
  Recorder device;
  UapiConversation conversation{device};
  device.failure = Error{Error::Kind::system, EADDRINUSE, "bind"};
  EXPECT_EQ(say(conversation, "set=1\nlisten_port=1\n\n"), "errno=-98\n\n");
  EXPECT_EQ(say(conversation, "get=1\n\n"), "errno=98\n\n");
  device.failure = Error{Error::Kind::exhausted, 0, "too many peers"};
  EXPECT_EQ(say(conversation, "set=1\n\n"), "errno=-12\n\n");
  EXPECT_EQ(say(conversation, "get=1\nx=1\n\n"), "errno=22\n\n");
}

TEST(UapiConversation, HangsUpOnWhatIsNoOperation) {
  for (const char* text : {"\n", "set=2\n", "get\n", "GET / HTTP/1.1\n", "set=1\r\n", " get=1\n"}) {
    Recorder device;
    UapiConversation conversation{device};
    bool hung_up = false;
    EXPECT_EQ(say(conversation, text, &hung_up), "") << text;
    EXPECT_TRUE(hung_up) << text;
  }
}

TEST(UapiConversation, HangsUpOnALineTooLong) {
  Recorder device;
  UapiConversation conversation{device};
  bool hung_up = false;
  const std::string line(UapiConversation::line_bytes_max + 1, 'x');
  EXPECT_EQ(say(conversation, "set=1\n" + line, &hung_up), "errno=-7\n\n");
  EXPECT_TRUE(hung_up);
  EXPECT_TRUE(device.changes.empty());
}

TEST(UapiConversation, HangsUpOnARequestTooLong) {
  Recorder device;
  UapiConversation conversation{device};
  std::string lines;
  while (lines.size() < (std::size_t{1} << 20U)) lines += "listen_port=1\n";
  bool hung_up = false;
  std::size_t sent = 0;
  std::string heard = say(conversation, "set=1\n", &hung_up);
  while (!hung_up && sent <= UapiConversation::request_bytes_max) {
    heard += say(conversation, lines, &hung_up);
    sent += lines.size();
  }
  EXPECT_TRUE(hung_up);
  EXPECT_EQ(heard, "errno=-7\n\n");
  EXPECT_TRUE(device.changes.empty());
}

// Ten thousand peers with five allowed IPs each are one request.
TEST(UapiConversation, TakesTenThousandPeers) {
  std::string text = "set=1\nreplace_peers=true\n";
  for (int i = 0; i < 10'000; ++i) {
    std::string key = std::to_string(100'000 + i);
    key.resize(64, 'f');
    text += "public_key=" + key + "\npreshared_key=" + key + "\nreplace_allowed_ips=true\n";
    for (int j = 0; j < 5; ++j) text += "allowed_ip=10.2.3." + std::to_string(j) + "/32\n";
  }
  Recorder device;
  UapiConversation conversation{device};
  EXPECT_EQ(say(conversation, text + "\n"), "errno=0\n\n");
  ASSERT_EQ(device.changes.size(), 1U);
  EXPECT_EQ(device.changes[0].peers.size(), 10'000U);
}

TEST(SecretText, KeepsWhatItWasGiven) {
  SecretText text;
  std::string same;
  for (int i = 0; i < 1000; ++i) {
    text.append("key");
    same += "key";
  }
  EXPECT_EQ(text.view(), same);
  SecretText moved = std::move(text);
  EXPECT_EQ(moved.view(), same);
  moved.clear();
  EXPECT_TRUE(moved.empty());
}

}  // namespace
}  // namespace tw::node
