#include "base/file/line_writer.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

namespace tw {

bool LineWriter::is_terminal() const noexcept { return ::isatty(fd_) == 1; }

/// False if not all of it could be written; a begun line is then marked as torn.
bool LineWriter::put(std::string_view text) noexcept {
  const std::size_t whole = text.size();
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      torn_ = torn_ || text.size() < whole;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void LineWriter::write(std::string_view line) noexcept {
  const std::uint64_t unsaid = lost() - said_;
  if (unsaid > 0) {
    std::array<char, 64> notice{};
    const int size = std::snprintf(notice.data(), notice.size(), "%s(%" PRIu64 " log lines lost)\n",
                                   torn_ ? "\n" : "", unsaid);
    if (!put({notice.data(), static_cast<std::size_t>(size)})) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    torn_ = false;
    said_ += unsaid;
  }
  if (!put(line)) lost_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace tw
