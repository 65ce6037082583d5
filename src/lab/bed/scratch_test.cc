#include "lab/bed/scratch.h"

#include <gtest/gtest.h>

namespace tw::lab {
namespace {

TEST(Scratch, OnlyNamesOfRunsCarryAPid) {
  EXPECT_EQ(pid_in_name("thalweg-12-rc", "thalweg-"), 12);
  EXPECT_EQ(pid_in_name("twd4194304c.sock", "twd"), 4194304);
  EXPECT_EQ(pid_in_name("thalweg-rc", "thalweg-"), 0);
  EXPECT_EQ(pid_in_name("thalweg--5", "thalweg-"), 0);
  EXPECT_EQ(pid_in_name("other-12-rc", "thalweg-"), 0);
  EXPECT_EQ(pid_in_name("thalweg-99999999999999", "thalweg-"), 0);
}

TEST(Scratch, AFolderIsPrivateAndGoesWithItsOwner) {
  std::filesystem::path path;
  {
    const auto scratch = ScratchFolder::create();
    ASSERT_TRUE(scratch);
    path = scratch->path();
    const auto file = scratch->write("key", "secret");
    ASSERT_TRUE(file);
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_all);
    EXPECT_EQ(std::filesystem::status(*file).permissions(), perms::owner_read | perms::owner_write);
    EXPECT_FALSE(scratch->write("key", "again"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace tw::lab
