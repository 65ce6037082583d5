// [tunnel]'s keys that say how the device works, and [tunnel.offloads].
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "node/config/keys/key_list.h"
#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Mode = GovernorSettings::Mode;

const std::string tunnel = "[tunnel]\ninterface = \"wg0\"\nprivate_key_file = \"node.key\"\n";

DeviceTuning tuning_of(const TestFolder& folder, const std::string& lines) {
  const auto config = folder.parse(tunnel + lines);
  EXPECT_TRUE(config) << lines;
  return config ? config->tunnel.tuning : DeviceTuning{};
}

TEST(ConfigTuning, EveryKeyIsTaken) {
  const TestFolder folder;
  const DeviceTuning tuning = tuning_of(folder, R"(cipher = "openssl"
governor = "adaptive"
spin_us = 70
queue_limit_us = 5000
dscp = 46
[tunnel.offloads]
udp_receive = false
tun_udp = false
tun_udp_tunnel = false
)");
  EXPECT_EQ(tuning.cipher, "openssl");
  EXPECT_EQ(tuning.governor.mode, Mode::adaptive);
  EXPECT_EQ(tuning.governor.spin, 70us);
  EXPECT_EQ(tuning.queue_limit, 5ms);
  EXPECT_EQ(tuning.dscp.outer(0x01), (46 << 2) | 0x01);
  EXPECT_EQ(tuning.offloads, (DeviceOffloads{.udp_receive = false,
                                             .udp_send = true,
                                             .tun_tcp = true,
                                             .tun_udp = false,
                                             .tun_udp_tunnel = false}));
}

TEST(ConfigTuning, EveryWordIsTaken) {
  const TestFolder folder;
  for (const char* name : {"automatic", "ipsec-mb", "boringssl", "openssl"}) {
    EXPECT_EQ(tuning_of(folder, std::string{"cipher = \""} + name + "\"\n").cipher, name);
  }
  EXPECT_EQ(tuning_of(folder, "governor = \"busy\"\n").governor.mode, Mode::busy);
  EXPECT_EQ(tuning_of(folder, "governor = \"interrupt\"\n").governor.mode, Mode::interrupt);
  EXPECT_EQ(tuning_of(folder, "dscp = \"clear\"\n").dscp.outer(0xb8), 0);
  EXPECT_EQ(tuning_of(folder, "dscp = \"inherit\"\n").dscp.outer(0xb8), 0xb8);
  EXPECT_EQ(tuning_of(folder, "dscp = \"63\"\n").dscp.outer(0), 0xfc);
  EXPECT_EQ(tuning_of(folder, "dscp = 0\n").dscp.outer(0xff), 0x03);
  EXPECT_EQ(tuning_of(folder, "queue_limit_us = 0\n").queue_limit, Duration::zero());
}

TEST(ConfigTuning, MistakesNameTheirPlaceAndWhatMendsThem) {
  const TestFolder folder;
  const std::string words = R"(write one of "automatic", "ipsec-mb", "boringssl", "openssl")";
  const std::string classes = R"(write "clear", "inherit", or a number from 0 to 63)";
  const std::pair<std::string, std::string> cases[] = {
      {"cipher = \"aes\"\n", "4:10: tunnel.cipher: \"aes\" is no cipher engine — " + words},
      {"cipher = 1\n",
       "4:10: tunnel.cipher: is an integer, not a string — write one value, in "
       "quotes"},
      {"governor = \"bussy\"\n",
       "4:12: tunnel.governor: \"bussy\" is not one of its words — did you mean \"busy\"?"},
      {"governor = \"busy\"\nspin_us = 9\n",
       "5:11: tunnel.spin_us: only an adaptive governor spins for a while — write governor = "
       "\"adaptive\", or take it out"},
      {"governor = \"adaptive\"\nspin_us = 0\n",
       "5:11: tunnel.spin_us: 0 is out of range — write a number from 1 to 1000000, in "
       "microseconds"},
      {"queue_limit_us = 60000001\n",
       "4:18: tunnel.queue_limit_us: 60000001 is out of range — write a number from 0 to 60000000, "
       "in "
       "microseconds"},
      {"dscp = 64\n", "4:8: tunnel.dscp: \"64\" is no class of service — " + classes},
      {"dscp = -1\n", "4:8: tunnel.dscp: \"-1\" is no class of service — " + classes},
      {"dscp = \"EF\"\n", "4:8: tunnel.dscp: \"EF\" is no class of service — " + classes},
      {"dscp = true\n",
       "4:8: tunnel.dscp: is a boolean, not a string — write one value, in quotes"},
      {"[tunnel.offloads]\ntun_tpc = false\n",
       "5:1: tunnel.offloads.tun_tpc: unknown key — did you mean \"tun_tcp\"?"},
      {"[tunnel.offloads]\nudp_send = 0\n",
       "5:12: tunnel.offloads.udp_send: is an integer, not a boolean — write true or false, "
       "without quotes"}};
  for (const auto& [lines, mistake] : cases) {
    EXPECT_THAT(folder.mistakes(tunnel + lines), ElementsAre("node.toml:" + mistake)) << lines;
  }
}

TEST(ConfigTuning, TheMostPeersADeviceMayHave) {
  const TestFolder folder;
  const auto with_peers = [&](std::size_t count) {
    std::string text = tunnel;
    std::array<std::uint8_t, 32> key{};
    for (std::size_t i = 0; i < count; ++i) {
      key[0] = static_cast<std::uint8_t>(i);
      key[1] = static_cast<std::uint8_t>(i >> 8U);
      key[2] = static_cast<std::uint8_t>(i >> 16U);
      key[31] = 1;
      text += "[[peer]]\nname = \"" + std::to_string(i) + "\"\npublic_key = \"" +
              crypto::key_to_base64(key) + "\"\n";
    }
    return folder.mistakes(text);
  };
  EXPECT_THAT(with_peers(65'536), IsEmpty());
  EXPECT_THAT(with_peers(65'537),
              ElementsAre("node.toml:196612:1: peer[65537]: is one peer more than the 65536 of a "
                          "device — divide the peers among several nodes"));
}

// [workers]
TEST(ConfigTuning, WorkersAreTaken) {
  const TestFolder folder;
  const auto config = folder.parse(tunnel + R"([workers]
max = 4
cores = "0,2-3"
steering = "user"
)");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->workers.max, 4);
  EXPECT_THAT(config->workers.cores, ElementsAre(0, 2, 3));
  EXPECT_EQ(config->workers.steering, SteerBy::user);
  const auto plain = folder.parse(tunnel);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->workers.max, 1);
  EXPECT_EQ(plain->workers.steering, SteerBy::kernel);
}

TEST(ConfigTuning, WrongWorkersAreRefusedWithARemedy) {
  const TestFolder folder;
  for (const char* lines :
       {"max = 0\n", "max = 65\n", "max = \"2\"\n", "cores = \"\"\n", "cores = \"0-\"\n",
        "cores = \"1,1\"\n", "cores = [1]\n", "steering = \"bpf\"\n", "min = 1\n"}) {
    EXPECT_EQ(folder.mistakes(tunnel + "[workers]\n" + lines).size(), 1U) << lines;
  }
}

TEST(ConfigTuning, AChangeOfWorkersNeedsARestart) {
  const TestFolder folder;
  const auto plain = folder.parse(tunnel);
  for (const auto& [key, line] : {std::pair{"workers.max", "max = 2"},
                                  {"workers.cores", "cores = \"1\""},
                                  {"workers.steering", "steering = \"user\""}}) {
    const auto next = folder.parse(tunnel + "[workers]\n" + line + "\n");
    ASSERT_TRUE(plain && next) << line;
    EXPECT_EQ(needs_restart(*plain, *next), key);
    EXPECT_EQ(needs_restart(*next, *next), "");
  }
}

}  // namespace
}  // namespace tw::node
