#include "node/clients/qr_code.h"

#include <png.h>
#include <qrencode.h>

#include <memory>

#include "crypto/secret.h"

namespace tw::node {
namespace {

constexpr std::size_t margin = 4;  // ISO/IEC 18004, section 5.3.8
constexpr std::size_t points = 8;

struct FreeCode {
  void operator()(QRcode* code) const noexcept {
    const auto size = static_cast<std::size_t>(code->width) * static_cast<std::size_t>(code->width);
    crypto::wipe({code->data, size});
    ::QRcode_free(code);
  }
};

}  // namespace

Result<QrCode> QrCode::of(std::string_view text) {
  const std::unique_ptr<QRcode, FreeCode> code{
      ::QRcode_encodeData(static_cast<int>(text.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), 0, QR_ECLEVEL_L)};
  if (!code) {
    return make_error(Error::Kind::exhausted,
                      "a file of " + std::to_string(text.size()) +
                          " bytes does not fit a QR code: name fewer routes, or do without");
  }
  const auto width = static_cast<std::size_t>(code->width);
  std::vector<std::uint8_t> modules(width * width);
  for (std::size_t i = 0; i < modules.size(); ++i) modules[i] = code->data[i] & 1U;
  return QrCode{width, std::move(modules)};
}

QrCode::~QrCode() { crypto::wipe(modules_); }

bool QrCode::is_dark(std::size_t row, std::size_t column) const noexcept {
  return row < width_ && column < width_ && modules_[row * width_ + column] != 0;
}

std::string QrCode::terminal_text() const {
  std::string out;
  const std::size_t all = width_ + 2 * margin;
  out.reserve(all * all * 2 + all * 16);
  // Unsigned: what is in the margin before the code is far behind it.
  for (std::size_t row = 0; row < all; row += 2) {
    out += "\x1b[97;40m";
    for (std::size_t column = 0; column < all; ++column) {
      const bool upper = is_dark(row - margin, column - margin);
      const bool lower = row + 1 >= all || is_dark(row + 1 - margin, column - margin);
      out += upper ? (lower ? " " : "▄") : (lower ? "▀" : "█");
    }
    out += "\x1b[0m\n";
  }
  return out;
}

Result<std::string> QrCode::png() const {
  const std::size_t side = (width_ + 2 * margin) * points;
  std::vector<std::uint8_t> grey(side * side);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      grey[y * side + x] = is_dark(y / points - margin, x / points - margin) ? 0 : 255;
    }
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = static_cast<png_uint_32>(side);
  image.format = PNG_FORMAT_GRAY;
  std::string out(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = out.size();
  const int made =
      ::png_image_write_to_memory(&image, out.data(), &size, 0, grey.data(), 0, nullptr);
  crypto::wipe(grey);
  if (made == 0) return make_error(Error::Kind::system, std::string{"PNG: "} + image.message);
  out.resize(size);
  return out;
}

}  // namespace tw::node
