#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "lane/test_machines.h"

namespace tw::lane {
namespace {

using test::ip_packet;
using test::Packets;
using test::tcp_packet;

class SynReportsTest : public test::TwoMachinesTest {
 protected:
  SynReportsTest() : ring_(*WakingRing<SynReport>::open(2)) {
    right_.lane().report_syns(ring_.get());
  }
  std::optional<SynReport> reported() {
    SynReport syn;
    if (!ring_->pop(syn)) return std::nullopt;
    return syn;
  }
  const std::unique_ptr<WakingRing<SynReport>> ring_;
};

TEST_F(SynReportsTest, ASynIsReportedAndGoesItsWay) {
  const auto syn = tcp_packet(1, 2, 0x02);
  left_.from_host(syn);
  settle();
  EXPECT_EQ(right_.to_host(), Packets{syn});
  const auto report = reported();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->client.text(), "10.0.0.1:40000");
  EXPECT_EQ(report->target.text(), "10.0.0.2:443");
  EXPECT_EQ(report->sequence, 7U);
  EXPECT_FALSE(reported());
}

TEST_F(SynReportsTest, NothingElseIs) {
  for (const unsigned flags : {0x10U, 0x12U, 0x04U, 0x11U}) {
    left_.from_host(tcp_packet(1, 2, static_cast<std::uint8_t>(flags)));
  }
  left_.from_host(ip_packet(1, 2, 60, 0));
  settle();
  EXPECT_EQ(right_.to_host().size(), 5U);
  EXPECT_FALSE(reported());
}

// Nobody begins anything for a source that the peer may not use.
TEST_F(SynReportsTest, AForgedSourceIsNotReported) {
  left_.from_host(tcp_packet(7, 2, 0x02));
  settle();
  EXPECT_FALSE(reported());
}

// Its receiver's kernel drops it: until then nobody acts on what it says.
TEST_F(SynReportsTest, ADamagedSynGoesItsWayUnreported) {
  auto syn = tcp_packet(1, 2, 0x02);
  syn[23] ^= 1U;  // another port
  left_.from_host(syn);
  settle();
  EXPECT_EQ(right_.to_host(), Packets{syn});
  EXPECT_FALSE(reported());
}

TEST_F(SynReportsTest, AFullRingHoldsUpNothing) {
  for (int i = 0; i < 10; ++i) left_.from_host(tcp_packet(1, 2, 0x02));
  settle();
  EXPECT_EQ(right_.to_host().size(), 10U);
  EXPECT_TRUE(reported());
  EXPECT_TRUE(reported());
  EXPECT_FALSE(reported());
}

TEST_F(SynReportsTest, WithoutARingNothingIsReported) {
  right_.lane().report_syns(nullptr);
  left_.from_host(tcp_packet(1, 2, 0x02));
  settle();
  EXPECT_EQ(right_.to_host().size(), 1U);
  EXPECT_FALSE(reported());
}

}  // namespace
}  // namespace tw::lane
