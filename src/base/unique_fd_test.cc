#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace tw {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
int fresh() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(UniqueFd, ClosesAtTheEndOfItsLife) {
  const int fd = fresh();
  {
    const UniqueFd owner{fd};
    EXPECT_TRUE(owner);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, MovesWithoutClosing) {
  const int fd = fresh();
  UniqueFd first{fd};
  UniqueFd second{std::move(first)};
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what a moved-from one is, is the point
  EXPECT_EQ(second.get(), fd);
  EXPECT_TRUE(is_open(fd));
}

TEST(UniqueFd, AssignmentClosesWhatItHeld) {
  const int old = fresh(), next = fresh();
  UniqueFd owner{old};
  owner = UniqueFd{next};
  EXPECT_FALSE(is_open(old));
  EXPECT_EQ(owner.get(), next);
  UniqueFd& same = owner;
  owner = std::move(same);
  EXPECT_TRUE(is_open(next));
}

TEST(UniqueFd, ReleaseGivesItAway) {
  const int fd = fresh();
  UniqueFd owner{fd};
  EXPECT_EQ(owner.release(), fd);
  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(fd));
  owner.reset(fd);
  owner.reset();
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, EmptyOwnsNothing) {
  const UniqueFd empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.get(), -1);
}

}  // namespace
}  // namespace tw
