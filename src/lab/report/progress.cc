#include "lab/report/progress.h"

#include <unistd.h>

#include <cstdio>

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

void Progress::show(std::string_view text) noexcept {
  if (!terminal_) return note(text);
  clear();
  // A line that wraps could not be rewritten.
  print(text.substr(0, 78));
  std::fflush(stderr);
  shown_ = true;
}

void Progress::note(std::string_view text) noexcept {
  clear();
  print(text);
  print("\n");
}

}  // namespace tw::lab
