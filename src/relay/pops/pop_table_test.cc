#include "relay/pops/pop_table.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tw::relay {
namespace {

constexpr Instant start{Duration{100s}};

PopSettings named(std::string name, std::string_view address) {
  return {.name = std::move(name),
          .overlay_address = IpAddress::parse(address).value(),
          .routes = {Prefix::parse("192.0.2.0/24").value()}};
}

LegKey key_of(std::uint8_t byte) {
  LegKey key;
  key.span()[0] = byte;
  return key;
}

class PopTableTest : public testing::Test {
 protected:
  PopTableTest() {
    settings.tun_device = "tun0";
    settings.leg_addresses = {IpAddress::parse("10.77.0.1").value()};
    settings.leg_port = 9702;
    settings.pops = {named("oslo", "10.77.0.2"), named("rome", "10.77.0.3")};
    added = table.apply(settings);
  }
  std::uint64_t opened(const Pop& pop) { return pop.snapshot({}, false, start).legs_opened; }

  RelaySettings settings;
  PopTable table;
  std::vector<Pop*> added;
};

TEST_F(PopTableTest, FindsAPopByIdAddressAndPlace) {
  ASSERT_EQ(added.size(), 2U);
  Pop& rome = table.in_place(1);
  EXPECT_EQ(rome.name(), "rome");
  EXPECT_EQ(table.find(rome.id()), &rome);
  EXPECT_EQ(table.find(std::optional{rome.id()}), &rome);
  EXPECT_EQ(table.find(std::nullopt), nullptr);
  EXPECT_EQ(table.at(IpAddress::parse("10.77.0.3").value()), &rome);
  EXPECT_EQ(table.at(IpAddress::parse("::ffff:10.77.0.3").value()), &rome);
  EXPECT_EQ(table.at(IpAddress::parse("10.77.0.9").value()), nullptr);
}

TEST_F(PopTableTest, APopThatStaysKeepsIdCountersPathAndLegsInAnotherPlace) {
  Pop& rome = table.in_place(1);
  const PopId id = rome.id();
  rome.count_opened();
  const auto path = rome.path();
  settings.pops = {named("bern", "10.77.0.4"), settings.pops[1], settings.pops[0]};
  settings.pops[1].overlay_address = IpAddress::parse("10.77.0.5").value();
  const std::vector<Pop*> fresh = table.apply(settings);
  ASSERT_EQ(fresh.size(), 1U);
  EXPECT_EQ(fresh[0]->name(), "bern");
  EXPECT_EQ(table.find(id), &rome);
  EXPECT_EQ(&table.in_place(1), &rome);
  EXPECT_EQ(opened(rome), 1U);
  EXPECT_EQ(rome.path(), path);
  EXPECT_EQ(table.at(IpAddress::parse("10.77.0.5").value()), &rome);
  EXPECT_EQ(table.at(IpAddress::parse("10.77.0.3").value()), nullptr);
}

TEST_F(PopTableTest, AnIdOfAPopThatHasGoneFindsNoneAndKeepsItsName) {
  const PopId gone = table.in_place(0).id();
  settings.pops.erase(settings.pops.begin());
  EXPECT_TRUE(table.apply(settings).empty());
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.find(gone), nullptr);
  EXPECT_EQ(table.name_of(gone), "oslo");
  settings.pops.push_back(named("lima", "10.77.0.6"));
  const std::vector<Pop*> fresh = table.apply(settings);
  ASSERT_EQ(fresh.size(), 1U);
  EXPECT_NE(fresh[0]->id(), gone) << "a connection by oslo does not go by lima now";
}

TEST_F(PopTableTest, APopThatComesBackHasItsIdAndCountsFromNothing) {
  Pop& oslo = table.in_place(0);
  const PopId id = oslo.id();
  oslo.count_opened();
  const std::vector<PopSettings> both = settings.pops;
  settings.pops.clear();
  table.apply(settings);
  EXPECT_EQ(table.size(), 0U);
  settings.pops = both;
  ASSERT_EQ(table.apply(settings).size(), 2U);
  ASSERT_NE(table.find(id), nullptr);
  EXPECT_EQ(table.find(id)->name(), "oslo");
  EXPECT_EQ(opened(*table.find(id)), 0U);
}

TEST_F(PopTableTest, ANewKeyIsANewProofThatCountsOn) {
  Pop& oslo = table.in_place(0);
  settings.pops[0].key = key_of(1);
  table.apply(settings);
  const auto proof = oslo.proof();
  EXPECT_TRUE(proof->has_key());
  proof->judge_silence();
  table.apply(settings);
  EXPECT_EQ(oslo.proof(), proof);
  settings.pops[0].key = key_of(2);
  table.apply(settings);
  EXPECT_NE(oslo.proof(), proof);
  EXPECT_EQ(oslo.proof()->counters().refused, proof->counters().refused);
  EXPECT_TRUE(oslo.proof()->is_required());
  settings.pops[0].legs = Legs::any;
  table.apply(settings);
  EXPECT_FALSE(oslo.proof()->is_required());
}

}  // namespace
}  // namespace tw::relay
