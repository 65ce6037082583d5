#include "machine/sysctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "machine/test_network.h"

namespace tw::node::testing {
namespace {

TEST(Sysctl, KeysCannotLeaveProcSys) {
  for (const char* key : {"", "/etc/passwd", "../version", "net/../../version", "net//ipv4/"}) {
    const auto value = read_sysctl(key);
    ASSERT_FALSE(value) << key;
    EXPECT_FALSE(make(SysctlChange{key, "0", "1"})) << key;
  }
}

TEST(Sysctl, AMissingSettingIsToldByItsErrno) {
  const auto value = read_sysctl("net/ipv4/no_such_setting");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().os_errno, ENOENT);
  EXPECT_TRUE(undo(SysctlChange{"net/ipv4/no_such_setting", "0", "1"})) << "nothing to put back";
}

class SysctlInKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!scratch_.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  }
  ScratchNamespace scratch_;
};

TEST_F(SysctlInKernel, RestoresTheOldValue) {
  ASSERT_EQ(read_sysctl("net/ipv4/ip_forward"), "0");
  const auto change = plan_sysctl("net/ipv4/ip_forward", "1");
  ASSERT_TRUE(change);
  EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "0") << "planning changes nothing";
  ASSERT_TRUE(make(*change));
  EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "1");
  ASSERT_TRUE(undo(*change));
  EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "0");
}

TEST_F(SysctlInKernel, LeavesAloneWhatAnAdministratorHasSetSince) {
  const auto change = plan_sysctl("net/ipv4/conf/lo/rp_filter", "1");
  ASSERT_TRUE(change && make(*change));
  ASSERT_TRUE(make(SysctlChange{"net/ipv4/conf/lo/rp_filter", "", "2"}));
  ASSERT_TRUE(undo(*change));
  EXPECT_EQ(read_sysctl("net/ipv4/conf/lo/rp_filter"), "2");
}

TEST_F(SysctlInKernel, ForwardingKeepsRouterAdvertisements) {
  ASSERT_TRUE(make(SysctlChange{"net/ipv6/conf/lo/accept_ra", "", "1"}));
  EXPECT_THAT(forwarding_settings(true, true),
              ::testing::ElementsAre(std::pair{"net/ipv6/conf/lo/accept_ra", "2"},
                                     std::pair{"net/ipv6/conf/all/forwarding", "1"},
                                     std::pair{"net/ipv4/ip_forward", "1"}));
  ASSERT_TRUE(make(SysctlChange{"net/ipv6/conf/lo/accept_ra", "", "0"}));
  EXPECT_THAT(forwarding_settings(false, true),
              ::testing::ElementsAre(std::pair{"net/ipv6/conf/all/forwarding", "1"}));
  EXPECT_TRUE(forwarding_settings(false, false).empty());
}

}  // namespace
}  // namespace tw::node::testing
