#include "node/quick/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace tw::node {
namespace {

/// Makes the input that a program reads: a file in memory, so that nobody has to feed it while it
/// runs.
Result<UniqueFd> input_file(const std::string& input) {
  UniqueFd file{::memfd_create("input", MFD_CLOEXEC)};
  if (!file) return system_error("memfd_create");
  std::string_view rest = input;
  while (!rest.empty()) {
    const ssize_t size = ::write(file.get(), rest.data(), rest.size());
    if (size < 0) return system_error("write the input of a program");
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return system_error("lseek");
  return file;
}

constexpr int grace_ms = 3'000;

/// The settings of a program to be started. Signals are as a shell would leave them to it.
class Spawn {
 public:
  Spawn() noexcept {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, pipe;
    sigemptyset(&none);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &pipe);
  }
  ~Spawn() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  /// In a group of its own, reading `file`.
  void read_from(int file) noexcept {
    ::posix_spawn_file_actions_adddup2(&actions_, file, STDIN_FILENO);
    flags_ |= POSIX_SPAWN_SETPGROUP;
  }
  Result<pid_t> start(const std::vector<std::string>& argv) {
    std::vector<char*> words;
    words.reserve(argv.size() + 1);
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::posix_spawnattr_setflags(&attributes_, flags_);
    pid_t child = -1;
    const int failed = ::posix_spawnp(&child, argv.front().c_str(), &actions_, &attributes_,
                                      words.data(), environ);
    if (failed != 0) return system_error(failed, "start " + argv.front());
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  short flags_ = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
};

UniqueFd open_process(pid_t pid) noexcept {
  return UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

/// The parent of each process, by its id.
std::vector<std::pair<pid_t, pid_t>> parents() {
  std::vector<std::pair<pid_t, pid_t>> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc", failed}) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stream{entry.path() / "stat"};
    std::string text;
    std::getline(stream, text, '\0');
    // "PID (NAME) STATE PARENT …": a name may hold anything.
    std::istringstream rest{text.substr(std::min(text.rfind(')'), text.size() - 1) + 1)};
    char state = 0;
    pid_t parent = 0;
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (rest >> state >> parent) found.emplace_back(pid, parent);
  }
  return found;
}

/// A process and those that it, or they, have started: as descriptors, which never come to mean
/// another process.
std::vector<UniqueFd> tree_of(pid_t root) {
  const auto all = parents();
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    for (const auto& [pid, parent] : all) {
      if (parent == tree[i]) tree.push_back(pid);
    }
  }
  std::vector<UniqueFd> processes;
  for (const pid_t pid : tree) {
    if (UniqueFd process = open_process(pid)) processes.push_back(std::move(process));
  }
  return processes;
}

void signal_all(const std::vector<UniqueFd>& processes, int number) noexcept {
  for (const UniqueFd& process : processes) {
    ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
  }
}

/// Ends a child with all that it has started.
void end_tree(pid_t child, int process) {
  const std::vector<UniqueFd> tree = tree_of(child);
  signal_all(tree, SIGTERM);
  pollfd waiting{process, POLLIN, 0};
  ::poll(&waiting, 1, grace_ms);
  signal_all(tree, SIGKILL);
}

/// Waits for the child's end, and returns its status as waitpid(2) has it.
Result<int> await(pid_t child, const std::string& name, Interrupts& interrupts) {
  const UniqueFd process = open_process(child);
  if (!process) return system_error("watch " + name);
  std::array<pollfd, 2> sources{{{process.get(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}}};
  bool interrupted = false;
  for (;;) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) {
      return system_error("wait for " + name);
    }
    if (sources[0].revents != 0) break;
    if (sources[1].revents == 0) continue;
    interrupts.received();
    interrupted = true;
    end_tree(child, process.get());
    break;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return system_error("wait for " + name);
  }
  if (interrupted) return std::unexpected(in_context(name, interrupts.error()).error());
  return status;
}

}  // namespace

Result<void> run_program(const std::vector<std::string>& argv,
                         const std::optional<std::string>& input, Interrupts& interrupts) {
  Spawn spawn;
  UniqueFd file;
  if (input) {
    Result<UniqueFd> made = input_file(*input);
    if (!made) return std::unexpected(made.error());
    file = std::move(*made);
    spawn.read_from(file.get());
  }
  const Result<pid_t> child = spawn.start(argv);
  if (!child) return std::unexpected(child.error());
  const Result<int> status = await(*child, argv.front(), interrupts);
  if (!status) return std::unexpected(status.error());
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return {};
  const std::string how = WIFEXITED(*status) ? fmt::format("exit code {}", WEXITSTATUS(*status))
                                             : fmt::format("signal {}", WTERMSIG(*status));
  return make_error(Error::Kind::unavailable, fmt::format("`{}` has failed: {}", argv.back(), how));
}

bool has_program(const std::string& name) {
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets any
  std::string_view rest = path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = fmt::format("{}/{}", rest.substr(0, end), name);
    if (end > 0 && ::access(candidate.c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

}  // namespace tw::node
