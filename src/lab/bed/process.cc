#include "lab/bed/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace tw::lab {
namespace {

UniqueFd memory_file(const char* name) { return UniqueFd{memfd_create(name, MFD_CLOEXEC)}; }

std::string contents(int fd) {
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t count = pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (count <= 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

/// Everything the child needs, made before the fork: after it, only async-signal-safe calls.
struct Launch {
  const char* path = nullptr;
  char** argv = nullptr;
  char** environment = nullptr;
  int netns_fd = -1;
  std::array<int, 3> standard{};
  int failure_fd = -1;
  int death_signal = 0;
  pid_t parent = 0;
};

[[noreturn]] void fail_child(const Launch& launch) noexcept {
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(launch.failure_fd, &error, sizeof error);
  _exit(127);
}

[[noreturn]] void become(const Launch& launch) noexcept {
  setpgid(0, 0);
  if (prctl(PR_SET_PDEATHSIG, launch.death_signal) != 0) fail_child(launch);
  if (getppid() != launch.parent) _exit(127);  // it died before the line above took effect
  if (launch.netns_fd >= 0 && setns(launch.netns_fd, CLONE_NEWNET) != 0) fail_child(launch);
  for (int fd = 0; fd < 3; ++fd) {
    if (dup2(launch.standard[static_cast<std::size_t>(fd)], fd) < 0) fail_child(launch);
  }
  syscall(SYS_close_range, 3U, ~0U, static_cast<unsigned>(CLOSE_RANGE_CLOEXEC));
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  execve(launch.path, launch.argv, launch.environment);
  fail_child(launch);
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) result.emplace_back(*entry);
  result.insert(result.end(), command.environment.begin(), command.environment.end());
  return result;
}

/// The errno of a child that could not become the program; 0 when it did.
int launch_failure(int fd) noexcept {
  int error = 0;
  ssize_t count = 0;
  while ((count = read(fd, &error, sizeof error)) < 0 && errno == EINTR) {
  }
  return count == sizeof error ? error : 0;
}

std::string_view last_words(const Outcome& outcome) {
  std::string_view text = outcome.err.empty() ? outcome.out : outcome.err;
  while (text.ends_with('\n')) text.remove_suffix(1);
  constexpr std::size_t most = 600;
  return text.size() > most ? text.substr(text.size() - most) : text;
}

}  // namespace

std::string Command::text() const {
  std::string line;
  for (const std::string& word : argv) {
    if (!line.empty()) line += ' ';
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$&;|<>*?%{}()") == std::string::npos;
    line += plain ? word : "'" + word + "'";
  }
  return line;
}

std::string find_program(const std::string& name) {
  const auto executable = [](const std::string& path) {
    struct stat status{};
    return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) return executable(name) ? name : "";
  const char* path = secure_getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  folders += ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const std::string candidate = folders.substr(begin, end - begin) + "/" + name;
    if (end > begin && executable(candidate)) return candidate;
    begin = end + 1;
  }
  return "";
}

Result<Process> Process::start(const Command& command) {
  const std::string& name = command.argv.front();
  const std::string path = find_program(name);
  if (path.empty()) return make_error(Error::Kind::unavailable, name + " is not installed");
  UniqueFd in = memory_file("in");
  UniqueFd out = memory_file("out");
  UniqueFd err = memory_file("err");
  std::array<int, 2> failure{};
  if (!in || !out || !err || pipe2(failure.data(), O_CLOEXEC) != 0) {
    return system_error("start " + name);
  }
  const UniqueFd failure_read{failure[0]};
  UniqueFd failure_write{failure[1]};
  if (pwrite(in.get(), command.input.data(), command.input.size(), 0) < 0) {
    return system_error("start " + name);
  }
  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> environment = environment_of(command);
  std::vector<char*> argv = pointers(arguments);
  std::vector<char*> envp = pointers(environment);
  const Launch launch{path.c_str(),
                      argv.data(),
                      envp.data(),
                      command.netns_fd,
                      {in.get(), out.get(), err.get()},
                      failure_write.get(),
                      command.death_signal,
                      getpid()};
  const pid_t pid = fork();
  if (pid < 0) return system_error("fork for " + name);
  if (pid == 0) become(launch);
  setpgid(pid, pid);  // by whichever of the two comes first
  failure_write.reset();
  Process process{pid, UniqueFd{static_cast<int>(syscall(SYS_pidfd_open, pid, 0U))}, std::move(out),
                  std::move(err), name};
  if (const int error = launch_failure(failure_read.get()); error != 0) {
    return system_error(error, "start " + path);
  }
  if (!process.pidfd_) return system_error("pidfd_open for " + name);
  return process;
}

Process::Process(pid_t pid, UniqueFd pidfd, UniqueFd out, UniqueFd err, std::string name)
    : pid_(pid),
      pidfd_(std::move(pidfd)),
      out_(std::move(out)),
      err_(std::move(err)),
      name_(std::move(name)) {}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      name_(std::move(other.name_)),
      exit_code_(other.exit_code_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  stop();
  pid_ = std::exchange(other.pid_, -1);
  pidfd_ = std::move(other.pidfd_);
  out_ = std::move(other.out_);
  err_ = std::move(other.err_);
  name_ = std::move(other.name_);
  exit_code_ = other.exit_code_;
  return *this;
}

Process::~Process() { stop(); }

void Process::reap(int status) noexcept {
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Process::running() noexcept {
  if (pid_ < 0 || exit_code_ >= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  reap(status);
  return false;
}

Result<int> Process::wait(Interrupt& interrupt, Duration timeout) {
  if (running()) {
    interrupt.wait_readable(pidfd_.get(), timeout);
    if (running()) {
      if (interrupt.fired()) return interrupted();
      return make_error(Error::Kind::unavailable, name_ + " did not end in time");
    }
  }
  return exit_code_;
}

void Process::stop(Duration grace) noexcept {
  if (!running()) return;
  kill(-pid_, SIGTERM);
  if (!ends_within(patience)) kill(-pid_, SIGTERM);
  ends_within(grace);
  // The group, once more: what the program started may still be there when it has gone.
  kill(-pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reap(status);
}

bool Process::ends_within(Duration time) noexcept {
  if (!pidfd_) return false;
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  const auto time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return poll(&ended, 1, static_cast<int>(time_ms)) > 0;
}

std::string Process::out() const { return contents(out_.get()); }
std::string Process::err() const { return contents(err_.get()); }

Result<Outcome> run(const Command& command, Interrupt& interrupt, Duration timeout) {
  Result<Process> process = Process::start(command);
  if (!process) return std::unexpected(process.error());
  Result<int> exit_code = process->wait(interrupt, timeout);
  if (!exit_code) return std::unexpected(exit_code.error());
  return Outcome{*exit_code, process->out(), process->err()};
}

Result<std::string> run_checked(const Command& command, Interrupt& interrupt, Duration timeout) {
  Result<Outcome> outcome = run(command, interrupt, timeout);
  if (!outcome) return in_context(command.text(), outcome.error());
  if (outcome->exit_code != 0) {
    return make_error(Error::Kind::unavailable, command.text() + ": exit code " +
                                                    std::to_string(outcome->exit_code) + ": " +
                                                    std::string{last_words(*outcome)});
  }
  return std::move(outcome->out);
}

}  // namespace tw::lab
