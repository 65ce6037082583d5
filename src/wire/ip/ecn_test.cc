#include "wire/ip/ecn.h"

#include <gtest/gtest.h>

#include <optional>

#include "wire/ip/test_packet.h"

namespace tw {
namespace {

/// RFC 6040, figure 4: rows are the inner field, columns the outer one; 9 is "drop".
constexpr int figure4[4][4] = {
    // Not-ECT, ECT(1), ECT(0), CE
    {0, 0, 0, 9},  // Not-ECT
    {1, 1, 1, 3},  // ECT(1)
    {2, 1, 2, 3},  // ECT(0)
    {3, 3, 3, 3},  // CE
};

TEST(Ecn, TheOuterMarkIsCarriedAsRfc6040Says) {
  for (const bool v6 : {false, true}) {
    for (std::uint8_t inner = 0; inner < 4; ++inner) {
      for (std::uint8_t outer = 0; outer < 4; ++outer) {
        test::Train train;
        train.v6 = v6;
        train.payload.resize(100, 7);
        constexpr std::uint8_t dscp = 46 << 2;
        train.tos = static_cast<std::uint8_t>(dscp | inner);
        test::Bytes packet = train.packet(0, 1, true);
        const test::Bytes before = packet;
        const bool kept =
            carry_ecn(packet, *IpPacketView::of(packet), static_cast<std::uint8_t>(0x20 | outer));
        const int expected = figure4[inner][outer];
        ASSERT_EQ(kept, expected != 9) << int{inner} << " in " << int{outer};
        if (!kept) {
          EXPECT_EQ(packet, before);
          continue;
        }
        train.tos = static_cast<std::uint8_t>(dscp | expected);
        EXPECT_EQ(packet, train.packet(0, 1, true)) << int{inner} << " in " << int{outer};
      }
    }
  }
}

}  // namespace
}  // namespace tw
