#include "lab/report/provenance.h"

#include <gtest/gtest.h>

#include "lab/report/units.h"

namespace tw::lab {
namespace {

TEST(Provenance, CpuModelIsThatOfTheFirstCpu) {
  EXPECT_EQ(parse_cpu_model("processor\t: 0\nmodel name\t: Xeon X\nflags\t: a\nmodel name\t: Y\n"),
            "Xeon X");
  EXPECT_EQ(parse_cpu_model("processor\t: 0\nBogoMIPS\t: 48.00\n"), "unknown");
  EXPECT_EQ(parse_cpu_model(""), "unknown");
  EXPECT_EQ(parse_cpu_model("model name"), "unknown");
}

TEST(Provenance, MachineIsKnown) {
  const Provenance here = Provenance::now();
  EXPECT_GT(here.cpus, 0U);
  EXPECT_GT(here.memory_mb, 0U);
  EXPECT_EQ(here.date.size(), 20U);
}

TEST(Units, DurationsAreAsExactAsTheyAreLong) {
  EXPECT_EQ(duration_text(10ms), "1 s");
  EXPECT_EQ(duration_text(99s), "99 s");
  EXPECT_EQ(duration_text(120s), "2 min");
  EXPECT_EQ(duration_text(9000s), "2.5 h");
}

}  // namespace
}  // namespace tw::lab
