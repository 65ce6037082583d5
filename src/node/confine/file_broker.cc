#include "node/confine/file_broker.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "machine/privileges.h"
#include "node/config/config_file.h"
#include "node/confine/confine.h"
#include "node/confine/named_files.h"

namespace tw::node {
namespace {

/// The head of a question, which is one packet; the path, without a zero, follows.
struct Question {
  std::int32_t flags;
  std::uint32_t mode;
};
constexpr std::size_t longest_question = sizeof(Question) + PATH_MAX;
/// The errno of an answer, 0 with a descriptor; and how many bytes of text the first may have.
using Answer = std::int32_t;
constexpr std::size_t longest_report = 512;

constexpr int harmless = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_DIRECTORY;
constexpr int appending = O_WRONLY | O_CREAT | O_APPEND;
constexpr mode_t widest_mode = 0640;

struct alignas(cmsghdr) Control {
  std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

// ---- The broker's side

/// Decides which files the broker may open, as the configuration says now.
class Authority {
 public:
  explicit Authority(std::string config_path) : config_path_(std::move(config_path)) {}

  /// Reads the configuration again when it is asked for, and for a name that it did not have.
  bool allows(const std::string& path, int flags) {
    const bool reads = (flags & O_ACCMODE) == O_RDONLY;
    if (reads && path == config_path_) {
      refresh();
      return true;
    }
    if (names(path, reads)) return true;
    refresh();
    return names(path, reads);
  }

 private:
  bool names(const std::string& path, bool reads) const {
    return (reads ? named_.readable : named_.appendable).contains(path);
  }

  void refresh() {
    auto text = read_config_file(config_path_);
    named_ = text ? named_files(*text, config_path_) : NamedFiles{};
    if (text) wipe_text(*text);
    add_included(named_);
  }

  const std::string config_path_;
  NamedFiles named_;
};

/// An errno, or the file.
std::pair<int, UniqueFd> answer(Authority& authority, std::string_view packet) {
  Question question{};
  if (packet.size() <= sizeof question) return {EINVAL, UniqueFd{}};
  std::memcpy(&question, packet.data(), sizeof question);
  const std::string path{packet.substr(sizeof question)};
  const int kind = question.flags & ~harmless;
  if (path.contains('\0') || (kind != O_RDONLY && kind != appending)) return {EINVAL, UniqueFd{}};
  if (!authority.allows(path, question.flags)) return {EACCES, UniqueFd{}};
  // Neither a pipe nor a terminal holds the broker up.
  UniqueFd file{::open(path.c_str(), question.flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                       question.mode & widest_mode)};
  if (!file) return {errno, UniqueFd{}};
  return {0, std::move(file)};
}

bool send_answer(int socket, int os_errno, const UniqueFd& file) noexcept {
  Answer code = os_errno;
  iovec part{&code, sizeof code};
  Control control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (file) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = file.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof code);
}

void serve(int socket, const std::string& config_path) {
  Authority authority{config_path};
  std::array<char, longest_question> packet;
  for (;;) {
    const ssize_t size = ::recv(socket, packet.data(), packet.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;  // the node is gone
    const auto [os_errno, file] =
        answer(authority, {packet.data(), static_cast<std::size_t>(size)});
    if (!send_answer(socket, os_errno, file)) return;
  }
}

Result<void> confine_broker() {
  // Signals to the whole group (Ctrl-C, a service that is stopped) are the node's to answer.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(number, SIG_IGN);
  if (::prctl(PR_SET_NAME, "thalweg-files", 0, 0, 0) != 0) return system_error("name the broker");
  if (auto dropped = drop_all_privileges(); !dropped) return dropped;
  const auto confined = confine({{"/", Reach::make}});
  return confined ? Result<void>{} : std::unexpected(confined.error());
}

[[noreturn]] void run_broker(const UniqueFd& socket, pid_t parent, const std::string& config_path) {
  // Only the socket and what errors are written to stay open: the rest belongs to the node.
  const auto kept = static_cast<unsigned>(socket.get());
  ::close_range(STDERR_FILENO + 1, kept - 1, 0);
  ::close_range(kept + 1, UINT_MAX, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(0);
  const Result<void> confined = confine_broker();
  const std::string report = confined ? std::string{} : confined.error().text();
  const std::string_view sent = confined ? std::string_view{"\0", 1} : std::string_view{report};
  if (::send(socket.get(), sent.data(), std::min(sent.size(), longest_report), MSG_NOSIGNAL) < 0 ||
      !confined) {
    ::_exit(1);
  }
  serve(socket.get(), config_path);
  ::_exit(0);
}

// ---- The node's side

/// An errno, or the file.
std::pair<int, UniqueFd> receive_answer(int socket) noexcept {
  Answer code = 0;
  iovec part{&code, sizeof code};
  Control control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof code)) return {EPIPE, UniqueFd{}};
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    return {code != 0 ? code : EPIPE, UniqueFd{}};
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return {code, UniqueFd{fd}};
}

}  // namespace

FileBroker::FileBroker(UniqueFd socket, pid_t child) noexcept
    : socket_(std::move(socket)), child_(child) {
  set_file_opener(this);
}

FileBroker::~FileBroker() {
  set_file_opener(nullptr);
  socket_.reset();
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<std::unique_ptr<FileBroker>> FileBroker::start(const std::string& config_path) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return system_error("socket to the broker that opens files");
  }
  UniqueFd ours{ends[0]}, theirs{ends[1]};
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return system_error("fork the broker that opens files");
  if (child == 0) {
    ours.reset();
    run_broker(theirs, parent, config_path);
  }
  return std::unique_ptr<FileBroker>{new FileBroker{std::move(ours), child}};
}

Result<void> FileBroker::ready() {
  std::array<char, longest_report> report{};
  ssize_t size = 0;
  do {
    size = ::recv(socket_.get(), report.data(), report.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size == 1 && report.front() == '\0') return {};
  const std::string_view said{report.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  return make_error(Error::Kind::unavailable,
                    "the broker that opens files: " +
                        std::string{said.empty() ? "ended before it was ready" : said});
}

UniqueFd FileBroker::open(const std::string& path, int flags, mode_t mode) noexcept {
  UniqueFd own{::open(path.c_str(), flags, mode)};
  if (own || errno != EACCES) return own;
  std::array<char, longest_question> packet;
  const Question question{.flags = flags, .mode = mode};
  if (path.size() > packet.size() - sizeof question) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(packet.data(), &question, sizeof question);
  path.copy(packet.data() + sizeof question, path.size());
  const std::lock_guard lock{mutex_};
  if (::send(socket_.get(), packet.data(), sizeof question + path.size(), MSG_NOSIGNAL) < 0) {
    errno = EPIPE;
    return {};
  }
  auto [os_errno, file] = receive_answer(socket_.get());
  errno = os_errno;
  return std::move(file);
}

}  // namespace tw::node
