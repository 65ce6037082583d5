#include "relay/admission/client_counts.h"

#include <gtest/gtest.h>

namespace tw::relay {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(ClientCounts, CountsEachAddressByItself) {
  ClientCounts counts;
  counts.add(ip("10.0.0.1"));
  counts.add(ip("10.0.0.1"));
  counts.add(ip("fd00::1"));
  EXPECT_EQ(counts.of(ip("10.0.0.1")), 2U);
  EXPECT_EQ(counts.of(ip("::ffff:10.0.0.1")), 2U) << "the same client by another name";
  EXPECT_EQ(counts.of(ip("fd00::1")), 1U);
  EXPECT_EQ(counts.of(ip("10.0.0.2")), 0U);
}

TEST(ClientCounts, KeepsNobodyWhoHasNone) {
  ClientCounts counts;
  counts.add(ip("10.0.0.1"));
  counts.add(ip("10.0.0.1"));
  counts.remove(ip("10.0.0.1"));
  EXPECT_EQ(counts.of(ip("10.0.0.1")), 1U);
  counts.remove(ip("10.0.0.1"));
  EXPECT_EQ(counts.of(ip("10.0.0.1")), 0U);
  EXPECT_EQ(counts.clients(), 0U);
}

}  // namespace
}  // namespace tw::relay
