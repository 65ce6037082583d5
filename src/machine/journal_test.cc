#include "machine/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "machine/test_network.h"

namespace tw::node::testing {
namespace {

namespace fs = std::filesystem;

const RuleSpec rule{
    .family = Family::v6, .priority = 9700, .mark = 7, .table = 0xfffffff0, .in_device = "wg0"};
const RuleSpec suppressing{.table = 254, .inverted = true, .suppressed_length = 0};
const RouteSpec route{.prefix = Prefix::of(IpAddress::v4({}), 0),
                      .device = "lo",
                      .table = 9,
                      .local = true,
                      .metrics = {}};
const SysctlChange sysctl{"net/ipv4/ip_forward", "0", "1"};

class JournalFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "journal-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    parent_ = pattern;
    directory_ = pattern + "/run";
  }
  void TearDown() override { fs::remove_all(parent_); }

  Journal open(const std::string& device = "wg0") {
    auto journal = Journal::open(directory_, device);
    EXPECT_TRUE(journal) << journal.error().text();
    return std::move(*journal);
  }
  std::vector<Change> standing() {
    std::vector<Change> changes;
    const Journal journal = open();
    for (const Journal::Entry& entry : journal.entries()) changes.push_back(entry.change);
    return changes;
  }

  std::string parent_, directory_;
};

// Two nodes of one namespace need a setting: the last of them puts it back, and dead ones count.
TEST_F(JournalFile, ASharedSettingIsUndoneByTheLast) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink);
  const std::string key = "net/ipv4/ip_forward";
  Journal one = open("wg0");
  const auto first = one.plan_shared(key, "1");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->old_value, "0");
  ASSERT_TRUE(one.record(*first) && make(*first));
  {
    Journal two = open("wg1");
    const auto second = two.plan_shared(key, "1");
    ASSERT_TRUE(second);
    EXPECT_EQ(*second, *first) << "what was before the first of them";
    ASSERT_TRUE(two.record(*second));
    ASSERT_TRUE(one.undo_all(*netlink));
    EXPECT_EQ(read_sysctl(key).value_or(""), "1") << "the second needs it";
    EXPECT_TRUE(find_leftovers(directory_).empty()) << "it is alive";
  }
  const auto left = find_leftovers(directory_);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left.front().device, "wg1");
  ASSERT_TRUE(remove_leftovers(directory_));
  EXPECT_EQ(read_sysctl(key).value_or(""), "0");
  EXPECT_TRUE(find_leftovers(directory_).empty());
}

TEST(JournalLine, EveryChangeComesBack) {
  const SysctlChange odd{"net/ipv4/tcp_rmem", "4096\t131072\t100%", "a\nb"};
  for (const Change& change : {Change{rule}, Change{suppressing}, Change{route}, Change{sysctl},
                               Change{odd}, Change{TableChange{"thalweg_wg0_floor"}}}) {
    const std::string line = to_line(change);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(change_from_line(line), change) << line;
  }
}

TEST(JournalLine, ReadsTheRulesOfVersionsBefore) {
  EXPECT_EQ(change_from_line("rule\tv6\t9700\t7\t4294967280\twg0"), Change{rule});
}

TEST(JournalLine, RefusesWhatItDidNotWrite) {
  for (const char* line :
       {"", "rule", "rule\tv5\t1\t2\t3\twg0", "rule\tv4\t1\t2\t3", "rule\tv4\t-1\t2\t3\twg0",
        "rule\tv4\t1\t2\t4294967296\twg0", "route\t10.0.0.0/33\tlo\t9\tlocal",
        "route\t10.0.0.0/8\tlo\t9\tblackhole", "sysctl\ta\tb", "sysctl\ta\tb\t%4", "table\tx",
        "table\tthalweg_x%0adelete table inet filter", "table\tthalweg_x y",
        "rule\tv4\t1\t2\t3\twg0\tmaybe\t0", "rule\tv4\t1\t2\t3\twg0\tis\tx"}) {
    EXPECT_FALSE(change_from_line(line)) << line;
  }
}

TEST_F(JournalFile, KeepsWhatIsNotStruckOut) {
  {
    Journal journal = open();
    ASSERT_TRUE(journal.record(rule));
    const auto routed = journal.record(route);
    ASSERT_TRUE(routed && journal.record(sysctl) && journal.strike(*routed));
  }
  EXPECT_THAT(standing(), ::testing::ElementsAre(Change{rule}, Change{sysctl}));
}

TEST_F(JournalFile, IsPrivateAndLeavesNothingBehind) {
  {
    Journal journal = open();
    EXPECT_EQ(fs::status(directory_).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(journal.path()).permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    const auto id = journal.record(rule);
    ASSERT_TRUE(id && journal.strike(*id));
  }
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(JournalFile, ForgivesAHalfWrittenLastLine) {
  std::string path;
  {
    Journal journal = open();
    path = journal.path();
    ASSERT_TRUE(journal.record(rule));
  }
  std::ofstream(path, std::ios::app) << "+\t2\tsysctl\tnet/ipv4/ip_forward\t0\t1 and so on and on";
  {
    Journal journal = open();
    EXPECT_EQ(journal.entries().size(), 1);
    EXPECT_EQ(journal.damaged_lines(), 0);
    ASSERT_TRUE(journal.record(route));  // shorter than the half line it overwrites
  }
  EXPECT_THAT(standing(), ::testing::ElementsAre(Change{rule}, Change{route}));
}

TEST_F(JournalFile, CountsDamagedLinesAndReadsTheRest) {
  std::string path;
  {
    Journal journal = open();
    path = journal.path();
    ASSERT_TRUE(journal.record(rule));
  }
  std::ofstream(path, std::ios::app) << "\n+\t\n+\t99999999999999999999\trule\nhello\n-\tx\n"
                                     << "+\t7\t" << to_line(route) << "\n";
  Journal journal = open();
  EXPECT_EQ(journal.damaged_lines(), 5);
  ASSERT_EQ(journal.entries().size(), 2);
  EXPECT_EQ(journal.record(sysctl), 8U) << "an id is never used twice";
}

// A number that is none to its end, or too large to be followed by others, is damage: by mistake an
// entry would be struck out, or what is recorded next not found again.
TEST_F(JournalFile, ANumberIsWholeAndLeavesRoomForMore) {
  std::string path;
  {
    Journal journal = open();
    path = journal.path();
    ASSERT_TRUE(journal.record(rule));
  }
  std::ofstream(path, std::ios::app) << "-\t1x\n+\t2x" << to_line(route) << "\n+\t3\n"
                                     << "+\t18446744073709551614\t" << to_line(route) << "\n";
  {
    Journal journal = open();
    EXPECT_EQ(journal.damaged_lines(), 4);
    EXPECT_EQ(journal.entries().size(), 1);
    EXPECT_TRUE(journal.record(route));
    EXPECT_TRUE(journal.record(sysctl));
  }
  EXPECT_THAT(standing(), ::testing::ElementsAre(Change{rule}, Change{route}, Change{sysctl}));
  std::ofstream(path, std::ios::app) << "-\t9223372036854775807\n";
  EXPECT_FALSE(open().record(rule)) << "none is left";
}

TEST_F(JournalFile, RefusesASecondNodeOnTheDeviceOnly) {
  const Journal first = open();
  const auto second = Journal::open(directory_, "wg0");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(second.error().text(), ::testing::HasSubstr("another thalweg is running on wg0"));
  EXPECT_TRUE(Journal::open(directory_, "wg1"));
  const ScratchNamespace elsewhere;
  if (elsewhere.entered()) {
    EXPECT_TRUE(Journal::open(directory_, "wg0")) << "another namespace has another wg0";
  }
}

TEST_F(JournalFile, RefusesADirectoryThatOthersMayWriteTo) {
  fs::create_directory(directory_);
  fs::permissions(directory_, fs::perms::all);
  EXPECT_FALSE(Journal::open(directory_, "wg0"));
  fs::remove(directory_);
  fs::create_directory(parent_ + "/elsewhere");
  fs::create_directory_symlink(parent_ + "/elsewhere", directory_);
  EXPECT_FALSE(Journal::open(directory_, "wg0"));
  EXPECT_FALSE(Journal::open(parent_, "../wg0"));
}

TEST_F(JournalFile, UndoesEverythingLatestFirst) {
  const ScratchNamespace scratch;
  if (!scratch.entered()) GTEST_SKIP() << "needs root, for a network namespace";
  auto netlink = Netlink::open();
  ASSERT_TRUE(netlink);
  const SysctlChange first{"net/ipv4/conf/lo/rp_filter", *read_sysctl("net/ipv4/conf/lo/rp_filter"),
                           "1"};
  const SysctlChange second{"net/ipv4/conf/lo/rp_filter", "1", "2"};
  {
    Journal journal = open();
    ASSERT_TRUE(journal.record(route) && netlink->routes.replace_route(route));
    ASSERT_TRUE(journal.record(rule) && netlink->routes.add_rule(rule));
    ASSERT_TRUE(journal.record(first) && make(first));
    ASSERT_TRUE(journal.record(second) && make(second));
    ASSERT_TRUE(journal.record(sysctl));  // announced, but the process died before it was made
  }
  {
    Journal journal = open();
    ASSERT_EQ(journal.entries().size(), 5);
    const auto undone = journal.undo_all(*netlink);
    EXPECT_TRUE(undone) << undone.error().text();
    EXPECT_TRUE(journal.entries().empty());
  }
  EXPECT_EQ(read_sysctl("net/ipv4/conf/lo/rp_filter"), first.old_value);
  EXPECT_EQ(read_sysctl("net/ipv4/ip_forward"), "0");
  EXPECT_TRUE(netlink->routes.add_route(route)) << "the old one is gone";
  EXPECT_TRUE(fs::is_empty(directory_));
}

}  // namespace
}  // namespace tw::node::testing
