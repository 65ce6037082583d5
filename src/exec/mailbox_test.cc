#include "exec/mailbox.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace tw {
namespace {

TEST(Mailbox, KeepsOrderAndRefusesWhatIsTooMany) {
  Mailbox mailbox{2};
  std::vector<int> ran;
  EXPECT_TRUE(mailbox.push([&]() noexcept { ran.push_back(1); }));
  EXPECT_TRUE(mailbox.push([&]() noexcept { ran.push_back(2); }));
  Message third = [&]() noexcept { ran.push_back(3); };
  EXPECT_FALSE(mailbox.push(std::move(third)));
  // NOLINTNEXTLINE(bugprone-use-after-move): untouched, so that the caller may try again
  ASSERT_TRUE(third);
  Message message;
  ASSERT_TRUE(mailbox.pop(message));
  message();
  EXPECT_TRUE(mailbox.push(std::move(third)));
  while (mailbox.pop(message)) message();
  EXPECT_EQ(ran, (std::vector{1, 2, 3}));
  EXPECT_TRUE(mailbox.empty());
}

TEST(Mailbox, ClosedRefusesButKeepsWhatItTook) {
  Mailbox mailbox{4};
  bool ran = false;
  ASSERT_TRUE(mailbox.push([&]() noexcept { ran = true; }));
  mailbox.close();
  EXPECT_FALSE(mailbox.push([]() noexcept {}));
  Message message;
  ASSERT_TRUE(mailbox.pop(message));
  message();
  EXPECT_TRUE(ran);
}

// Several producers: nothing is lost, and each one's messages stay in its order.
TEST(Mailbox, ManyProducersLoseNothing) {
  constexpr std::size_t producers = 3;
  constexpr int each = 2000;
  Mailbox mailbox{16};
  std::array<int, producers> seen{};
  std::vector<std::jthread> threads;
  for (std::size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&mailbox, &seen, p] {
      for (int i = 0; i < each; ++i) {
        Message message = [&seen, p, i]() noexcept { seen[p] = seen[p] == i ? i + 1 : -1; };
        // NOLINTNEXTLINE(bugprone-use-after-move): what is refused is untouched
        while (!mailbox.push(std::move(message))) std::this_thread::yield();
      }
    });
  }
  Message message;
  for (std::size_t count = 0; count < producers * each;) {
    if (mailbox.pop(message)) {
      message();
      ++count;
    } else {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(seen, (std::array{each, each, each}));
}

}  // namespace
}  // namespace tw
