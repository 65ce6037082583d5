#include "wire/crc32c.h"

#include <gtest/gtest.h>

#include <vector>

namespace tw {
namespace {

std::uint32_t crc_of(ByteView bytes) {
  Crc32c crc;
  crc.add(bytes);
  return crc.value();
}

// The check value of the CRC catalogue, and the vectors of RFC 3720, appendix B.4.
TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc_of(as_bytes("123456789")), 0xe3069283U);
  EXPECT_EQ(crc_of(std::vector<std::uint8_t>(32, 0)), 0x8a9136aaU);
  EXPECT_EQ(crc_of(std::vector<std::uint8_t>(32, 0xff)), 0x62a8ab43U);
  EXPECT_EQ(crc_of({}), 0U);
}

TEST(Crc32c, PartsGiveTheCrcOfTheWhole) {
  const ByteView whole = as_bytes("the line of fastest flow");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    Crc32c crc;
    crc.add(whole.first(cut));
    crc.add(whole.subspan(cut));
    EXPECT_EQ(crc.value(), crc_of(whole));
  }
}

}  // namespace
}  // namespace tw
