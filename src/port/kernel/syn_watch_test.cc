// The reading of records is tested without a kernel; the program itself, with privileges, by
// running it on built packets (BPF_PROG_TEST_RUN), and on a veth.
#include "port/kernel/syn_watch.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "bpf/abi.h"
#include "wire/ip/test_packet.h"
#include "wire/ip/transport.h"

namespace tw {
namespace {

using test::Bytes;
using test::Train;

constexpr std::uint32_t untouched = 0xffff'ffff;  // TC_ACT_UNSPEC
constexpr std::uint32_t plenty = 1'000'000;
constexpr SynWatchBudget ample{.source_rate = plenty,
                               .source_burst = plenty,
                               .known_rate = plenty,
                               .known_burst = plenty,
                               .strangers_rate = plenty,
                               .strangers_burst = plenty};

tw_syn_record record_of(std::string_view client, std::uint8_t version) {
  tw_syn_record record{};
  record.version = version;
  std::ranges::copy(IpAddress::parse(client)->bytes(), std::begin(record.client));
  record.target[0] = 192;
  record.client_port_be = 0x409c;  // 40000
  record.target_port_be = 0xbb01;  // 443
  return record;
}

TEST(SynRecord, IsCheckedBeforeItIsBelieved) {
  const auto report = report_of(record_of("10.1.2.3", 4));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->client.text(), "10.1.2.3:40000");
  EXPECT_EQ(report->target.text(), "192.0.0.0:443");
  EXPECT_TRUE(report_of(record_of("2001:db8::1", 6)));
  for (const unsigned version : {0U, 5U, 7U, 255U}) {
    EXPECT_FALSE(report_of(record_of("10.1.2.3", static_cast<std::uint8_t>(version))));
  }
  tw_syn_record without_port = record_of("10.1.2.3", 4);
  without_port.client_port_be = 0;
  EXPECT_FALSE(report_of(without_port));
}

TEST(SynRecord, OfAClientThatCannotBeOneIsNot) {
  for (const char* client :
       {"0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"}) {
    EXPECT_FALSE(report_of(record_of(client, 4))) << client;
  }
  for (const char* client :
       {"::", "::1", "fe80::1", "ff02::1", "::ffff:0.0.0.0", "::ffff:127.0.0.1"}) {
    EXPECT_FALSE(report_of(record_of(client, 6))) << client;
  }
}

class SynWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<SynWatch> loaded = SynWatch::load(ample);
    if (!loaded) GTEST_SKIP() << "needs CAP_BPF: " << loaded.error().text();
    watch_ = std::make_unique<SynWatch>(std::move(*loaded));
  }
  // As a frame to the machine itself. The packet is never touched.
  void run(const Bytes& packet, std::uint16_t type, int repeat = 1) {
    Bytes frame(12, 0);
    test::put16(frame, type);
    frame.insert(frame.end(), packet.begin(), packet.end());
    Bytes out(frame.size());
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = out.data();
    options.data_size_out = static_cast<std::uint32_t>(out.size());
    options.repeat = repeat;
    ASSERT_EQ(::bpf_prog_test_run_opts(watch_->program_fd(), &options), 0);
    EXPECT_EQ(options.retval, untouched);
    EXPECT_EQ(out, frame);
  }
  void run(const Train& train, int repeat = 1) {
    run(train.packet(0, 1, true), train.v6 ? 0x86dd : 0x0800, repeat);
  }
  // 200 SYNs, each of another source.
  void flood() {
    Bytes packet = Train{.flags = TcpView::syn}.packet(0, 1, true);
    for (std::uint8_t source = 0; source < 200; ++source) {
      packet[14] = source;
      packet[15] = 77;
      run(packet, 0x0800);
    }
  }
  std::optional<SynReport> reported() {
    SynReport syn;
    return watch_->pop(syn) ? std::optional{syn} : std::nullopt;
  }
  SynWatchCounters counters() const { return *watch_->counters(); }
  // The budget of all strangers together is five SYNs at once, and one a second.
  static SynWatchBudget five_strangers() {
    SynWatchBudget budget = ample;
    budget.strangers_rate = 1;
    budget.strangers_burst = 5;
    return budget;
  }
  // 200 SYNs were sent; five together are allowed, and those that time brings.
  void expect_five_or_more() {
    EXPECT_GE(counters().reported, 5U);
    EXPECT_LT(counters().reported, 100U);
    EXPECT_EQ(counters().reported + counters().over_total_budget, 200U);
  }

  std::unique_ptr<SynWatch> watch_;
};

TEST_F(SynWatchTest, SaysWhoWantsToConnectWhere) {
  for (const std::size_t ip_options : {std::size_t{0}, std::size_t{8}}) {
    for (const std::size_t tcp_options : {std::size_t{0}, std::size_t{20}, std::size_t{40}}) {
      run(Train{.ip_options = ip_options, .tcp_options = tcp_options, .flags = TcpView::syn});
      const auto report = reported();
      ASSERT_TRUE(report) << ip_options << ' ' << tcp_options;
      EXPECT_EQ(report->client.text(), "10.1.2.3:40000");
      EXPECT_EQ(report->target.text(), "192.168.7.9:443");
      EXPECT_EQ(report->sequence, 1000U);
      EXPECT_EQ(report->payload_bytes, 0);
    }
  }
  EXPECT_FALSE(reported());
  EXPECT_EQ(counters().seen, 6U);
  EXPECT_EQ(counters().reported, 6U);
}

TEST_F(SynWatchTest, WorksForIpv6BehindExtensionHeaders) {
  for (const std::size_t extension : {std::size_t{0}, std::size_t{8}}) {
    run(Train{.v6 = true, .ip_options = extension, .tcp_options = 20, .flags = TcpView::syn});
    const auto report = reported();
    ASSERT_TRUE(report) << extension;
    EXPECT_EQ(report->client.text(), "[2021:2223:2425:2627:2829:2a2b:2c2d:2e2f]:40000");
    EXPECT_EQ(report->target.text(), "[3031:3233:3435:3637:3839:3a3b:3c3d:3e3f]:443");
    EXPECT_EQ(report->payload_bytes, 0);
  }
}

TEST_F(SynWatchTest, TellsDataInTheSyn) {
  for (const bool v6 : {false, true}) {
    Train syn{.v6 = v6, .tcp_options = 20, .flags = TcpView::syn};
    syn.payload = Bytes(33, 1);
    run(syn);
    EXPECT_EQ(reported()->payload_bytes, 33);
  }
}

TEST_F(SynWatchTest, TakesEceAndCwrForASyn) {
  run(Train{.flags = TcpView::syn | TcpView::ece | TcpView::cwr});
  EXPECT_TRUE(reported());
}

TEST_F(SynWatchTest, NothingElseIsOne) {
  for (const bool v6 : {false, true}) {
    for (const unsigned flags : {0x00U, 0x10U, 0x12U, 0x04U, 0x06U, 0x03U, 0x11U, 0x18U}) {
      run(Train{.v6 = v6, .flags = static_cast<std::uint8_t>(flags)});
    }
    run(Train{.v6 = v6, .tcp = false, .flags = TcpView::syn});
  }
  EXPECT_FALSE(reported());
  EXPECT_EQ(counters().seen, 0U);
}

TEST_F(SynWatchTest, AFragmentIsNone) {
  const Bytes whole = Train{.flags = TcpView::syn}.packet(0, 1, true);
  for (const auto& [high, low] : {std::pair{0x20, 0}, std::pair{0x00, 5}, std::pair{0x20, 5}}) {
    Bytes fragment = whole;
    fragment[6] = static_cast<std::uint8_t>(high);
    fragment[7] = static_cast<std::uint8_t>(low);
    run(fragment, 0x0800);
  }
  EXPECT_FALSE(reported());
  Bytes unfragmentable = whole;
  unfragmentable[6] = 0x40;
  run(unfragmentable, 0x0800);
  EXPECT_TRUE(reported());

  Bytes fragment = Train{.v6 = true, .ip_options = 8, .flags = TcpView::syn}.packet(0, 1, true);
  fragment[6] = 44;
  run(fragment, 0x86dd);
  EXPECT_FALSE(reported());
}

// A VLAN's packets are its own device's, which sees them without the tag.
TEST_F(SynWatchTest, WhatHasAVlanTagIsAnotherDevices) {
  Bytes tagged{0x00, 0x05, 0x08, 0x00};
  const Bytes packet = Train{.flags = TcpView::syn}.packet(0, 1, true);
  tagged.insert(tagged.end(), packet.begin(), packet.end());
  run(tagged, 0x8100);
  EXPECT_EQ(counters().seen, 0U);
}

TEST_F(SynWatchTest, WhatIsCutShortIsNone) {
  for (const bool v6 : {false, true}) {
    Train train{.v6 = v6, .tcp_options = 20, .flags = TcpView::syn};
    train.payload = Bytes(50, 1);
    const Bytes whole = train.packet(0, 1, true);
    const std::size_t ip = v6 ? 40 : 20;
    // From nothing but the IP header to a payload that has lost more than the link's header makes
    // up for.
    for (std::size_t size = ip; size < whole.size() - 14; ++size) {
      run(Bytes(whole.begin(), whole.begin() + static_cast<long>(size)), v6 ? 0x86dd : 0x0800);
    }
    EXPECT_FALSE(reported()) << v6;
    Bytes short_of_tcp = whole;  // the IP header says that TCP's is cut
    short_of_tcp[v6 ? 5 : 3] = v6 ? 19 : 39;
    run(short_of_tcp, v6 ? 0x86dd : 0x0800);
    Bytes no_header = whole;
    no_header[ip + 12] = 0x40;  // four words
    run(no_header, v6 ? 0x86dd : 0x0800);
    EXPECT_FALSE(reported()) << v6;
  }
  Bytes short_ip = Train{.flags = TcpView::syn}.packet(0, 1, true);
  short_ip[0] = 0x44;
  run(short_ip, 0x0800);
  EXPECT_EQ(counters().seen, 0U);
}

// One source's budget is not another's; a /64 is one source. A second may pass in these tests, and
// bring a token.
TEST_F(SynWatchTest, ASourceHasItsBudget) {
  SynWatchBudget budget = ample;
  budget.source_rate = 1;
  budget.source_burst = 3;
  watch_->set_budget(budget);
  const Train syn{.flags = TcpView::syn};
  run(syn, 500);
  EXPECT_EQ(counters().seen, 500U);
  EXPECT_GE(counters().reported, 3U);
  EXPECT_LT(counters().reported, 100U);
  EXPECT_EQ(counters().reported + counters().over_source_budget, 500U);

  const std::uint64_t before = counters().reported;
  Bytes other = syn.packet(0, 1, true);
  other[15] ^= 1U;
  run(other, 0x0800);
  EXPECT_EQ(counters().reported, before + 1);

  const Train v6{.v6 = true, .flags = TcpView::syn};
  const std::uint64_t over = counters().over_source_budget;
  for (std::uint8_t host = 0; host < 100; ++host) {
    Bytes neighbour = v6.packet(0, 1, true);
    neighbour[23] = host;
    run(neighbour, 0x86dd);
  }
  EXPECT_GT(counters().over_source_budget, over + 50);
}

TEST_F(SynWatchTest, AllStrangersTogetherHaveABudget) {
  watch_->set_budget(five_strangers());
  flood();
  expect_five_or_more();
  EXPECT_EQ(counters().over_source_budget, 0U);
}

// Strangers may not exist. Who has completed a handshake is not held up by their flood.
TEST_F(SynWatchTest, AKnownSourceHasABudgetOfItsOwn) {
  SynWatchBudget budget = five_strangers();
  budget.source_rate = 1;
  budget.source_burst = 20;
  watch_->set_budget(budget);
  flood();
  while (const auto syn = reported()) EXPECT_FALSE(syn->proven);
  watch_->remember(*IpAddress::parse("10.1.2.3"));
  watch_->remember(*IpAddress::parse("2021:2223:2425:2627::1"));
  for (const bool v6 : {false, true}) {
    run(Train{.v6 = v6, .flags = TcpView::syn});
    const auto syn = reported();
    ASSERT_TRUE(syn) << v6;
    EXPECT_TRUE(syn->proven);
  }
  // But one, like every source: to be remembered once more does not fill its bucket again.
  const std::uint64_t before = counters().reported;
  for (int i = 0; i < 200; ++i) {
    watch_->remember(*IpAddress::parse("10.1.2.3"));
    run(Train{.flags = TcpView::syn});
  }
  EXPECT_GE(counters().reported, before + 19);
  EXPECT_LT(counters().reported, before + 100);
}

TEST_F(SynWatchTest, AllThatAreKnownHaveABudgetToo) {
  SynWatchBudget budget = ample;
  budget.known_rate = 1;
  budget.known_burst = 5;
  watch_->set_budget(budget);
  watch_->remember(*IpAddress::parse("10.1.2.3"));
  run(Train{.flags = TcpView::syn}, 200);
  expect_five_or_more();
}

TEST_F(SynWatchTest, AFullRingIsCountedAndHoldsUpNothing) {
  const Train syn{.flags = TcpView::syn};
  run(syn, 5'000);
  const SynWatchCounters full = counters();
  EXPECT_GT(full.ring_full, 0U);
  EXPECT_GE(full.reported, 1'000U) << "as many as the relay looks at in a tenth of a second";
  EXPECT_EQ(full.reported + full.ring_full, 5'000U);
  std::uint64_t taken = 0;
  while (reported()) ++taken;
  EXPECT_EQ(taken, full.reported);
  run(syn);  // around the end of the ring
  EXPECT_TRUE(reported());
}

TEST_F(SynWatchTest, OnlyAReaderThatSleepsIsWoken) {
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {}};
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, watch_->fd(), &event), 0);
  const auto rings = [&](int timeout_ms) {
    return ::epoll_wait(epoll.get(), &event, 1, timeout_ms) == 1;
  };
  const Train syn{.flags = TcpView::syn};
  run(syn);
  EXPECT_FALSE(rings(0));
  EXPECT_FALSE(watch_->arm()) << "one is there already";
  EXPECT_TRUE(reported());
  ASSERT_TRUE(watch_->arm());
  run(syn);
  EXPECT_TRUE(rings(5'000));
  EXPECT_TRUE(reported());
  run(syn);
  EXPECT_FALSE(rings(0)) << "who is awake is woken once";
}

TEST_F(SynWatchTest, ADeviceThatIsNotThereIsAnError) {
  const Result<void> attached = watch_->attach(0x7fff'fff0);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().kind, Error::Kind::system);
}

}  // namespace
}  // namespace tw
