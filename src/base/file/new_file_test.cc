#include "base/file/new_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace tw {
namespace {

namespace fs = std::filesystem;

class NewFile : public testing::Test {
 protected:
  NewFile() {
    std::string name = testing::TempDir() + "thalweg-file-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~NewFile() override { fs::remove_all(folder_); }

  std::string at(const std::string& name) const { return folder_ / name; }
  static std::string content(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
  }
  static void write(const std::string& path, const std::string& text, mode_t mode = 0600) {
    std::ofstream{path} << text;
    ::chmod(path.c_str(), mode);
  }
  static mode_t mode(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder_}, {}));
  }

  fs::path folder_;
};

TEST_F(NewFile, ReplacesAFileWhole) {
  write(at("a"), "old", 0644);
  EXPECT_TRUE(replace_file(at("a"), "new"));
  EXPECT_EQ(content(at("a")), "new");
  EXPECT_EQ(mode(at("a")), 0600U);
  EXPECT_TRUE(replace_file(at("b"), "fresh", public_mode));
  EXPECT_EQ(mode(at("b")), 0644U);
  EXPECT_EQ(count(), 2U) << "nothing else is left";
}

TEST_F(NewFile, ReplacesNothingThatIsNoFile) {
  write(at("victim"), "precious");
  fs::create_symlink(at("victim"), at("link"));
  fs::create_symlink(at("nowhere"), at("dangling"));
  fs::create_directory(at("folder"));
  for (const char* name : {"link", "dangling", "folder", "absent/file"}) {
    EXPECT_FALSE(replace_file(at(name), "text")) << name;
  }
  EXPECT_FALSE(replace_file("/dev/null", "text"));
  EXPECT_EQ(content(at("victim")), "precious");
  EXPECT_EQ(count(), 4U);
}

TEST_F(NewFile, LogsAreAppendedTo) {
  {
    const auto made = open_to_append(at("log"));
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(::write(made->get(), "one\n", 4), 4);
  }
  EXPECT_EQ(mode(at("log")) & ~0640U, 0U);
  const auto again = open_to_append(at("log"));
  ASSERT_TRUE(again);
  EXPECT_EQ(::write(again->get(), "two\n", 4), 4);
  EXPECT_EQ(content(at("log")), "one\ntwo\n");
  EXPECT_TRUE(open_to_append("/dev/null"));
}

TEST_F(NewFile, LogsAreNotWrittenWhereSomebodyElsePointsTo) {
  write(at("victim"), "precious");
  fs::create_symlink(at("victim"), at("link"));
  fs::create_symlink(at("nowhere"), at("dangling"));
  fs::create_hard_link(at("victim"), at("other-name"));
  write(at("open"), "", 0666);
  for (const char* name : {"link", "dangling", "victim", "other-name", "open"}) {
    EXPECT_FALSE(open_to_append(at(name))) << name;
  }
  if (::geteuid() == 0) {
    write(at("theirs"), "");
    ASSERT_EQ(::chown(at("theirs").c_str(), 65534, 65534), 0);
    EXPECT_FALSE(open_to_append(at("theirs")));
  }
  EXPECT_EQ(content(at("victim")), "precious");
  EXPECT_FALSE(fs::exists(at("nowhere")));
}

TEST_F(NewFile, FoldersAreOursAlone) {
  EXPECT_TRUE(make_private_folder(at("new")));
  EXPECT_EQ(mode(at("new")), 0700U);
  fs::create_directory(at("wide"));
  ::chmod(at("wide").c_str(), 0755);
  EXPECT_TRUE(make_private_folder(at("wide")));
  EXPECT_EQ(mode(at("wide")), 0700U);
  write(at("file"), "");
  fs::create_directory_symlink(at("new"), at("link"));
  for (const char* name : {"file", "link", "absent/folder"}) {
    EXPECT_FALSE(make_private_folder(at(name))) << name;
  }
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(at("wide").c_str(), 65534, 65534), 0);
    EXPECT_FALSE(make_private_folder(at("wide")));
  }
}

}  // namespace
}  // namespace tw
