#include "base/file/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/unique_fd.h"

namespace tw {
namespace {

struct Pipe {
  UniqueFd reader, writer;
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    EXPECT_GT(::fcntl(writer.get(), F_SETPIPE_SZ, 4096), 0);
  }
  std::string drain() const {
    std::string all;
    std::array<char, 4096> part{};
    for (ssize_t size = 0; (size = ::read(reader.get(), part.data(), part.size())) > 0;) {
      all.append(part.data(), static_cast<std::size_t>(size));
    }
    return all;
  }
};

TEST(LineWriter, WritesLines) {
  const Pipe pipe;
  LineWriter writer{pipe.writer.get()};
  writer.write("one\n");
  writer.write("two\n");
  EXPECT_EQ(pipe.drain(), "one\ntwo\n");
  EXPECT_EQ(writer.lost(), 0U);
  EXPECT_FALSE(writer.is_terminal());
}

TEST(LineWriter, SaysHowManyLinesWereLostOnceThereIsRoom) {
  const Pipe pipe;
  LineWriter writer{pipe.writer.get()};
  const std::string line = std::string(1023, 'x') + '\n';
  for (int i = 0; i < 7; ++i) writer.write(line);
  EXPECT_EQ(writer.lost(), 3U);
  EXPECT_EQ(pipe.drain(), line + line + line + line);
  writer.write("again\n");
  writer.write("and again\n");
  EXPECT_EQ(pipe.drain(), "(3 log lines lost)\nagain\nand again\n");
  EXPECT_EQ(writer.lost(), 3U);
}

TEST(LineWriter, ATornLineIsEndedAndCounted) {
  const Pipe pipe;
  LineWriter writer{pipe.writer.get()};
  // Above PIPE_BUF a pipe takes what fits.
  writer.write(std::string(6000, 'x') + '\n');
  EXPECT_EQ(writer.lost(), 1U);
  EXPECT_EQ(pipe.drain(), std::string(4096, 'x'));
  writer.write("next\n");
  EXPECT_EQ(pipe.drain(), "\n(1 log lines lost)\nnext\n");
}

TEST(LineWriter, AFullDiskLosesLinesOnly) {
  const UniqueFd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  ASSERT_TRUE(full);
  LineWriter writer{full.get()};
  for (int i = 0; i < 5; ++i) writer.write("line\n");
  EXPECT_EQ(writer.lost(), 5U);
}

TEST(LineWriter, AClosedDescriptorLosesLinesOnly) {
  LineWriter writer{-1};
  writer.write("line\n");
  EXPECT_EQ(writer.lost(), 1U);
}

}  // namespace
}  // namespace tw
