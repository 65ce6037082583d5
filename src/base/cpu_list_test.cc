#include "base/cpu_list.h"

#include <gtest/gtest.h>

namespace tw {
namespace {

using Cpus = std::vector<std::uint32_t>;

TEST(CpuList, ReadsWhatTheKernelWrites) {
  EXPECT_EQ(cpus_of(""), Cpus{});
  EXPECT_EQ(cpus_of("0"), Cpus{0});
  EXPECT_EQ(cpus_of("0-2,5,7-8"), (Cpus{0, 1, 2, 5, 7, 8}));
  EXPECT_EQ(cpus_of("3,1-3"), (Cpus{1, 2, 3}));
}

TEST(CpuList, RefusesWhatIsNone) {
  for (const char* text : {"-", "1-", "-1", "2-1", "1,", ",1", "a", "1 2", "8192", "0-4294967295",
                           "99999999999", "0x1"}) {
    EXPECT_FALSE(cpus_of(text)) << text;
  }
}

TEST(CpuList, WritesWhatItReads) {
  for (const char* text : {"", "0", "0-2,5,7-8", "1,3,5", "8191"}) {
    EXPECT_EQ(cpu_list(*cpus_of(text)), text);
  }
}

}  // namespace
}  // namespace tw
