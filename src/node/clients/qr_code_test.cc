#include "node/clients/qr_code.h"

#include <gtest/gtest.h>
#include <png.h>

#include <string>

namespace tw::node {
namespace {

constexpr std::size_t margin = 4, points = 8;

/// The modules that a terminal shows, with the margin: true is dark.
std::vector<std::vector<bool>> read_terminal(const std::string& text) {
  std::vector<std::vector<bool>> rows;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    EXPECT_TRUE(line.starts_with("\x1b[97;40m") && line.ends_with("\x1b[0m"));
    line = line.substr(8, line.size() - 12);
    std::vector<bool> upper, lower;
    while (!line.empty()) {
      const bool blank = line.starts_with(' ');
      const std::string sign = line.substr(0, blank ? 1 : 3);
      upper.push_back(blank || sign == "▄");
      lower.push_back(blank || sign == "▀");
      line.erase(0, sign.size());
    }
    rows.push_back(upper);
    rows.push_back(lower);
    at = end + 1;
  }
  return rows;
}

TEST(QrCode, TheTerminalShowsIt) {
  const auto code = QrCode::of("a text that is long enough to be a code of several versions");
  ASSERT_TRUE(code);
  const auto rows = read_terminal(code->terminal_text());
  const std::size_t all = code->width() + 2 * margin;
  ASSERT_GE(rows.size(), all);
  ASSERT_LE(rows.size(), all + 1);
  std::size_t dark = 0;
  for (std::size_t row = 0; row < all; ++row) {
    ASSERT_EQ(rows[row].size(), all);
    for (std::size_t column = 0; column < all; ++column) {
      ASSERT_EQ(rows[row][column], code->is_dark(row - margin, column - margin))
          << row << ' ' << column;
      dark += rows[row][column] ? 1 : 0;
    }
  }
  EXPECT_GT(dark, code->width() * code->width() / 4);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_TRUE(code->is_dark(0, i)) << "the finder's edge";
}

TEST(QrCode, ThePictureShowsTheSame) {
  const auto code = QrCode::of("[Interface]\n");
  ASSERT_TRUE(code);
  const auto png = code->png();
  ASSERT_TRUE(png) << png.error().text();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_NE(::png_image_begin_read_from_memory(&image, png->data(), png->size()), 0);
  image.format = PNG_FORMAT_GRAY;
  const std::size_t side = (code->width() + 2 * margin) * points;
  ASSERT_EQ(image.width, side);
  ASSERT_EQ(image.height, side);
  std::vector<std::uint8_t> grey(side * side);
  ASSERT_NE(::png_image_finish_read(&image, nullptr, grey.data(), 0, nullptr), 0);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      const bool dark = code->is_dark(y / points - margin, x / points - margin);
      ASSERT_EQ(grey[y * side + x], dark ? 0 : 255);
    }
  }
}

TEST(QrCode, WhatDoesNotFitIsRefused) {
  EXPECT_TRUE(QrCode::of(std::string(2953, 'a')));
  EXPECT_FALSE(QrCode::of(std::string(2954, 'a')));
  EXPECT_FALSE(QrCode::of({}));
}

}  // namespace
}  // namespace tw::node
