#include "node/clients/file_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

class FileChangesTest : public testing::Test {
 protected:
  FileChangesTest() { folder.write("old", "old text", 0640); }

  std::string in(const std::string& name) const { return folder.path() + name; }

  /// The contents of the folder, but for the keys that each such folder has.
  std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator{folder.path()}) {
      const std::string name = entry.path().filename();
      if (name == "node.key" || name == "peer.psk") continue;
      std::ifstream file{entry.path()};
      files[name] = {std::istreambuf_iterator<char>{file}, {}};
    }
    return files;
  }
  mode_t mode(const std::string& name) const {
    struct stat status{};
    return ::stat(in(name).c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
  }

  TestFolder folder;
  using Files = std::map<std::string, std::string>;
  const Files before{{"old", "old text"}};
};

TEST_F(FileChangesTest, WhatIsNotKeptIsTakenBack) {
  {
    FileChanges changes;
    EXPECT_TRUE(changes.make(in("new"), "new text"));
    EXPECT_EQ(mode("new"), 0600U);
    EXPECT_TRUE(changes.rename(in("old"), in("other"), "other text"));
    EXPECT_TRUE(changes.remove(in("new")));
    EXPECT_TRUE(changes.rename(in("other"), in("other"), "third text"));
    EXPECT_EQ(all(), (Files{{"other", "third text"}}));
    EXPECT_EQ(mode("other"), 0640U);
  }
  EXPECT_EQ(all(), before);
  EXPECT_EQ(mode("old"), 0640U);
}

TEST_F(FileChangesTest, WhatIsKeptStays) {
  FileChanges changes;
  EXPECT_TRUE(changes.make(in("new"), "new text"));
  EXPECT_TRUE(changes.remove(in("old")));
  changes.keep();
  EXPECT_THAT(changes.undo(), testing::IsEmpty());
  EXPECT_EQ(all(), (Files{{"new", "new text"}}));
}

TEST_F(FileChangesTest, NothingIsWrittenOver) {
  ASSERT_EQ(::symlink("nowhere", in("link").c_str()), 0);
  folder.write("there", "text");
  FileChanges changes;
  for (const char* name : {"there", "link"}) {
    EXPECT_FALSE(changes.make(in(name), "other")) << name;
    EXPECT_FALSE(changes.rename(in("old"), in(name), "other")) << name;
  }
  EXPECT_FALSE(changes.make(in("absent/new"), "x"));
  EXPECT_FALSE(changes.remove(in("absent")));
  ::unlink(in("link").c_str());
  ::unlink(in("there").c_str());
  EXPECT_EQ(all(), before) << "and nothing is left of what failed";
}

TEST_F(FileChangesTest, WhatCannotBeTakenBackIsSaid) {
  FileChanges changes;
  EXPECT_TRUE(changes.make(in("new"), "text"));
  EXPECT_TRUE(changes.remove(in("old")));
  ::unlink(in("new").c_str());
  EXPECT_THAT(changes.undo(), testing::ElementsAre(testing::HasSubstr("remove " + in("new"))));
  EXPECT_EQ(all(), before);
}

}  // namespace
}  // namespace tw::node
