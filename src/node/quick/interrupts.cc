#include "node/quick/interrupts.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace tw::node {

namespace {

struct Asked {
  int number;
  const char* name;
};
constexpr std::array<Asked, 4> all_asked{
    {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}, {SIGQUIT, "SIGQUIT"}}};

}  // namespace

Result<Interrupts> Interrupts::open() {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
  sigset_t asked;
  sigemptyset(&asked);
  for (const Asked& one : all_asked) sigaddset(&asked, one.number);
  ::pthread_sigmask(SIG_BLOCK, &asked, nullptr);
  UniqueFd signals{::signalfd(-1, &asked, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals) return system_error("signalfd");
  return Interrupts{std::move(signals)};
}

int Interrupts::received() noexcept {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (first_ == 0) first_ = static_cast<int>(info.ssi_signo);
  }
  return first_;
}

bool Interrupts::sleep(std::chrono::milliseconds duration) noexcept {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (received() == 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    pollfd waiting{signals_.get(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(left.count()));
  }
  return false;
}

Error Interrupts::error() const {
  const auto found = std::ranges::find(all_asked, first_, &Asked::number);
  return {Error::Kind::unavailable, 0,
          std::string{"interrupted by "} + (found == all_asked.end() ? "nobody" : found->name)};
}

void tell(std::string_view line) noexcept {
  std::string text{line};
  text += '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t size = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace tw::node
