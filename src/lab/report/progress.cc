#include "lab/report/progress.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "lab/report/units.h"

namespace tw::lab {
namespace {

void print(std::string_view text) noexcept { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

Progress::Progress() noexcept : terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { clear(); }

void Progress::clear() noexcept {
  if (shown_) print("\r\033[K");
  shown_ = false;
}

void Progress::due(Duration left) noexcept {
  end_.reset();
  if (left > Duration::zero()) end_ = std::chrono::steady_clock::now() + left;
}

void Progress::show(std::string_view text) {
  std::string line{text};
  if (end_) {
    const auto left = *end_ - std::chrono::steady_clock::now();
    line += "; " + duration_text(left) + " left";
  }
  if (!terminal_) return note(line);
  clear();
  // A line that wraps could not be rewritten.
  print(std::string_view{line}.substr(0, 78));
  std::fflush(stderr);
  shown_ = true;
}

void Progress::hint(std::string_view text) {
  if (terminal_) show(text);
}

void Progress::note(std::string_view text) noexcept {
  clear();
  print(text);
  print("\n");
}

}  // namespace tw::lab
