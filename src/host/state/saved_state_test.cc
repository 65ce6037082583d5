#include "host/state/saved_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tw::host {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

SavedState two_devices() {
  return {.boot = "b",
          .devices = {{.netns = 1, .index = 2, .name = "va"},
                      {.netns = 18446744073709551615U,
                       .index = 7,
                       .name = "eth0 x",
                       .where = "/run/netns/h",
                       .uid = 1000,
                       .seconds = 5}},
          .settings = {{{Kind::gro}, 0, "off", "on"},
                       {{Kind::napi_thread, 1}, 1, {}, "fifo 19 nice 0 cpus 1"},
                       {{Kind::idle_state, 3, 2}, {}, "0", "1"}}};
}

std::string with_line(const std::string& line) {
  return "thalweg-host\t1\tb\ndevice\t1\t2\tva\t-\t0\t0\n" + line + "\nend\n";
}

TEST(SavedState, ComesBackFromItsText) {
  const auto text = to_text(two_devices());
  ASSERT_TRUE(text);
  const auto state = state_of(*text);
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(*state, two_devices());
}

TEST(SavedState, ATextThatIsCutShortAnywhereIsRefused) {
  const std::string text = *to_text(two_devices());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(state_of(std::string_view{text}.substr(0, size))) << size;
  }
}

TEST(SavedState, RefusesValuesThatNoSettingCanHave) {
  EXPECT_TRUE(state_of(with_line("set\tgro\t0\t0\t0\toff\ton")));
  for (const char* line :
       {"set\tgro\t0\t0\t0\toff\tmaybe", "set\tgro\t1\t0\t0\toff\ton", "set\tgro\t-\t0\t0\toff\ton",
        "set\tirq_affinity\t0\t3\t0\t0\t1", "set\tgovernor\t-\t0\t0\t../x\tperformance",
        "set\tnonsense\t0\t0\t0\t0\t1", "set\tgro\t0\t0\t0\toff", "set\tgro\t0\t00\t0\toff\ton",
        "set\tgro\t0\t-1\t0\toff\ton", "set\tgro\t0\t4294967296\t0\toff\ton",
        "device\t1\t0\tva\t-\t0\t0", "device\t1\t2\t../va\t-\t0\t0", "device\t1\t2\tva\tx\t0\t0",
        "set\tgro\t0\t0\t0\toff\ton\nset\tgro\t0\t0\t0\toff\ton", "end", "", "what"}) {
    EXPECT_FALSE(state_of(with_line(line))) << line;
  }
}

TEST(SavedState, NamesTheLineThatIsWrong) {
  EXPECT_THAT(state_of(with_line("what")).error().text(), HasSubstr("line 3"));
  EXPECT_THAT(state_of("x").error().text(), HasSubstr("line 1"));
}

TEST(SavedState, WhatCannotBeReadAgainIsNotWritten) {
  SavedState state = two_devices();
  state.settings[0].before = "off\nset";
  EXPECT_FALSE(to_text(state));
  state = two_devices();
  state.devices[0].where = "/run/a\tb";
  EXPECT_FALSE(to_text(state));
}

class StateFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "host-state-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    parent_ = pattern;
    folder_ = pattern + "/run";
  }
  void TearDown() override { fs::remove_all(parent_); }
  std::string parent_, folder_;
};

TEST_F(StateFileTest, KeepsOneWriterAtATime) {
  const auto file = StateFile::open(folder_);
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_THAT(StateFile::open(folder_).error().text(), HasSubstr("at work"));
}

TEST_F(StateFileTest, StoresLoadsAndGoesWithItsLastSetting) {
  const auto file = StateFile::open(folder_);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->load()->settings.empty());
  SavedState state = two_devices();
  state.boot = *boot_id();
  ASSERT_TRUE(file->store(state));
  EXPECT_EQ(*file->load(), state);
  EXPECT_EQ(*StateFile::peek(folder_), state);
  state.settings.clear();
  ASSERT_TRUE(file->store(state));
  EXPECT_FALSE(fs::exists(file->path()));
}

TEST_F(StateFileTest, AnotherStartOfTheMachineMakesItVoid) {
  const auto file = StateFile::open(folder_);
  ASSERT_TRUE(file && file->store(two_devices()));
  EXPECT_TRUE(file->load()->settings.empty());
}

TEST_F(StateFileTest, DamageIsSaidAndNotTakenForNothing) {
  const auto file = StateFile::open(folder_);
  ASSERT_TRUE(file);
  std::ofstream{file->path()} << "thalweg-host\t1\tb\nset\n";
  EXPECT_THAT(file->load().error().text(), HasSubstr("damaged"));
}

}  // namespace
}  // namespace tw::host
