// A QR code of a short text, for a telephone's camera: on a terminal, or as a picture. The library
// that makes it (libqrencode), and the one of pictures (libpng), are seen here alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::node {

class QrCode {
 public:
  /// The smallest code that holds the text, with the lowest correction of errors: screens are
  /// clean. Fails if the text has more than 2,953 bytes.
  static Result<QrCode> of(std::string_view text);
  QrCode(QrCode&&) noexcept = default;
  QrCode& operator=(QrCode&&) noexcept = default;
  QrCode(const QrCode&) = delete;
  QrCode& operator=(const QrCode&) = delete;
  ~QrCode();  ///< wipes it: the text is a key

  std::size_t width() const noexcept { return width_; }  ///< in modules, both ways
  /// True if the module is dark; all outside are light.
  bool is_dark(std::size_t row, std::size_t column) const noexcept;

  /// Lines of UTF-8, two rows of modules each, white on black whatever the terminal's colours are,
  /// with the margin of 4 modules that readers need.
  std::string terminal_text() const;
  /// A PNG of 8 points a module, with that margin.
  Result<std::string> png() const;

 private:
  QrCode(std::size_t width, std::vector<std::uint8_t> modules) noexcept
      : width_(width), modules_(std::move(modules)) {}
  std::size_t width_;
  std::vector<std::uint8_t> modules_;  // 1: dark
};

}  // namespace tw::node
