#include "wire/checksum.h"

#include <gtest/gtest.h>

#include "wire/ip/test_packet.h"

namespace tw {
namespace {

using test::Bytes;

Bytes random_bytes(RandomSource& random, std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  return bytes;
}

std::uint16_t sum_of(ByteView bytes) {
  InternetSum sum;
  sum.add(bytes);
  return sum.folded();
}

TEST(InternetSum, TheExampleOfRfc1071) {
  const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(sum_of(bytes), 0xddf2);
}

TEST(InternetSum, AgreesWithTheNaiveSumAtEveryLengthAndAlignment) {
  SeededRandom random{2};
  const Bytes bytes = random_bytes(random, 300);
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (std::size_t size = 0; size < 200; ++size) {
      const Bytes part(bytes.begin() + static_cast<long>(offset),
                       bytes.begin() + static_cast<long>(offset + size));
      EXPECT_EQ(sum_of(ByteView{bytes}.subspan(offset, size)), test::naive_sum(part));
    }
  }
}

TEST(InternetSum, CarriesOfAllOnesAreKept) {
  for (const unsigned size : {2U, 8U, 32U, 64U, 1460U, 65534U}) {
    EXPECT_EQ(sum_of(Bytes(size, 0xff)), 0xffff) << size;
  }
  EXPECT_EQ(sum_of({}), 0);
  EXPECT_EQ(sum_of(Bytes(100, 0)), 0);
}

TEST(InternetSum, CopyingIsTheSameSumAndTheSameBytes) {
  SeededRandom random{3};
  for (std::size_t size = 0; size < 200; ++size) {
    const Bytes bytes = random_bytes(random, size);
    Bytes copy(size);
    InternetSum sum;
    sum.add_copying(bytes, copy);
    EXPECT_EQ(sum.folded(), test::naive_sum(bytes)) << size;
    EXPECT_EQ(copy, bytes);
  }
}

TEST(InternetSum, PartsAddUpToTheWhole) {
  SeededRandom random{4};
  for (int round = 0; round < 500; ++round) {
    const Bytes bytes = random_bytes(random, 2 + random.next() % 3000);
    const std::size_t cut = random.next() % (bytes.size() / 2) * 2;
    InternetSum head, tail;
    head.add(ByteView{bytes}.first(cut));
    tail.add(ByteView{bytes}.subspan(cut));
    tail.add(head);
    EXPECT_EQ(tail.folded(), test::naive_sum(bytes));
  }
}

TEST(InternetSum, PseudoHeaders) {
  const Bytes v4{10, 0, 0, 1, 10, 0, 0, 2};
  Bytes drawn = v4;
  test::put16(drawn, 6);
  test::put16(drawn, 1480);
  EXPECT_EQ(pseudo_header_sum(ByteView{v4}.first(4), ByteView{v4}.last(4), 6, 1480).folded(),
            test::naive_sum(drawn));
  SeededRandom random{5};
  const Bytes v6 = random_bytes(random, 32);
  drawn = v6;
  for (const unsigned word : {0x0001U, 0x2345U, 0U, 17U}) test::put16(drawn, word);
  EXPECT_EQ(pseudo_header_sum(ByteView{v6}.first(16), ByteView{v6}.last(16), 17, 0x12345).folded(),
            test::naive_sum(drawn));
}

TEST(UpdatedChecksum, EqualsTheChecksumMadeAnew) {
  SeededRandom random{6};
  for (int round = 0; round < 5000; ++round) {
    Bytes bytes = random_bytes(random, 20);
    const auto before = static_cast<std::uint16_t>(~sum_of(bytes));
    const auto old_word = static_cast<std::uint16_t>((bytes[4] << 8U) | bytes[5]);
    const auto new_word = static_cast<std::uint16_t>(random.next());
    bytes[4] = static_cast<std::uint8_t>(new_word >> 8U);
    bytes[5] = static_cast<std::uint8_t>(new_word);
    EXPECT_EQ(updated_checksum(before, old_word, new_word),
              static_cast<std::uint16_t>(~sum_of(bytes)));
  }
}

TEST(UpdatedChecksum, KeepsTheExampleOfRfc1624) {
  EXPECT_EQ(updated_checksum(0xdd2f, 0x5555, 0x3285), 0x0000);
}

}  // namespace
}  // namespace tw
