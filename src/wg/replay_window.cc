#include "wg/replay_window.h"

#include <algorithm>

namespace tw::wg {

bool ReplayWindow::accept(std::uint64_t counter) noexcept {
  if (counter >= reject_after_messages) return false;
  const std::uint64_t place = counter + 1;  // cannot wrap: the limit is below 2^64 - window
  if (place + window < top_) return false;

  std::uint64_t word = place / 64;
  if (place > top_) {
    // Words between the old top's and the new one's hold counters of 8192 ago, or nothing.
    const std::uint64_t passed = std::min<std::uint64_t>(word - top_ / 64, words);
    for (std::uint64_t step = 0; step < passed; ++step) seen_[(word - step) % words] = 0;
    top_ = place;
  }
  word %= words;
  const std::uint64_t bit = std::uint64_t{1} << (place % 64);
  if ((seen_[word] & bit) != 0) return false;
  seen_[word] |= bit;
  return true;
}

}  // namespace tw::wg
