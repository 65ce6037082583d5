// What a long run is doing, for whoever waits: one line that is rewritten on a terminal, a line a
// step elsewhere. Always on stderr, so that results can be piped.
#pragma once

#include <string_view>

namespace tw::lab {

class Progress {
 public:
  Progress() noexcept;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  ///< clears the line, if there is one

  void show(std::string_view text) noexcept;
  /// A line that stays.
  void note(std::string_view text) noexcept;

 private:
  void clear() noexcept;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace tw::lab
