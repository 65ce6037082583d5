#include "cli/peer/peer_site.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/control/control_answer.h"
#include "node/config/config_socket.h"

namespace tw::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* default_file = "/etc/thalweg/thalweg.toml";

bool nobody_listens(const Error& error) noexcept {
  return error.os_errno == ENOENT || error.os_errno == ECONNREFUSED;
}

}  // namespace

std::string dumped(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Result<void> PeerSite::identify(bool must_answer) {
  const auto answer = ask_node(socket_, Json{{"command", "identify"}}, reload_patience);
  if (!answer) {
    if (must_answer || !nobody_listens(answer.error())) return std::unexpected(answer.error());
    socket_.clear();
    return {};
  }
  if (answer->contains("error")) {
    return make_error(Error::Kind::unavailable,
                      socket_ + ": " + member(*answer, "error", std::string{}));
  }
  const std::string named = member(*answer, "config_file", std::string{});
  std::error_code ignored;
  if (!file_.empty() && !std::filesystem::equivalent(file_, named, ignored)) {
    return make_error(Error::Kind::config, "the node at " + socket_ + " runs with " + named +
                                               ", not with " + file_ + ": name that file");
  }
  file_ = named;
  listen_port_ = member(*answer, "listen_port", listen_port_);
  return {};
}

Result<void> PeerSite::find(const ControlTarget& target) {
  ControlTarget wanted = target;
  std::error_code ignored;
  const bool any = target.socket.empty() && target.interface.empty() && target.config_file.empty();
  auto path = control_path(wanted);
  if (!path && any && std::filesystem::exists(default_file, ignored) &&
      path.error().kind == Error::Kind::unavailable) {
    wanted.config_file = default_file;
    path = control_path(wanted);
  }
  if (!path) {
    return any ? make_error(path.error().kind, path.error().text() + ", or --config FILE")
               : std::unexpected(path.error());
  }
  socket_ = *path;
  file_ = wanted.config_file;
  return identify(file_.empty());
}

// The file itself is what is locked: whoever else changes peers has to have it in common.
Result<void> PeerSite::lock() {
  for (;;) {
    UniqueFd fd{::open(file_.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd) return system_error("open " + file_);
    while (::flock(fd.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return system_error("lock " + file_);
    }
    // An editor may have put another file in its place while we waited.
    struct stat locked{}, named{};
    if (::fstat(fd.get(), &locked) != 0 || ::stat(file_.c_str(), &named) != 0) {
      return system_error("look at " + file_);
    }
    if (locked.st_ino != named.st_ino || locked.st_dev != named.st_dev) continue;
    lock_ = std::move(fd);
    return {};
  }
}

Result<PeerSite> PeerSite::open(const ControlTarget& target, bool alone) {
  PeerSite site;
  if (auto found = site.find(target); !found) return std::unexpected(found.error());
  if (alone) {
    if (auto locked = site.lock(); !locked) return std::unexpected(locked.error());
  }
  auto config = node::load_config(site.file_);
  if (!config) {
    for (const node::ConfigMistake& mistake : config.error()) {
      fmt::print(stderr, "{}\n", mistake.text());
    }
    return make_error(Error::Kind::config, site.file_ + " has mistakes: mend them first");
  }
  site.config_ = *std::move(config);
  if (site.listen_port_ == 0) site.listen_port_ = site.config_.tunnel.listen_port;
  return site;
}

Result<std::vector<std::string>> PeerSite::take_over(node::FileChanges& changes) {
  const auto refuse = [&](const std::vector<std::string>& mistakes, const std::string& why) {
    for (const std::string& mistake : mistakes) fmt::print(stderr, "{}\n", mistake);
    for (const std::string& left : changes.undo()) fmt::print(stderr, "{}\n", left);
    return make_error(Error::Kind::config, why + "; the files are as they were");
  };
  if (!runs()) {
    const auto checked = node::load_config(file_);
    if (checked) return std::vector<std::string>{};
    std::vector<std::string> mistakes;
    for (const node::ConfigMistake& mistake : checked.error()) mistakes.push_back(mistake.text());
    return refuse(mistakes, "refused");
  }
  const auto answer = ask_node(socket_, Json{{"command", "reload"}}, reload_patience);
  if (answer && !answer->contains("error")) return lines_of(*answer, "changes");
  const auto mistakes = answer ? lines_of(*answer, "mistakes") : std::vector<std::string>{};
  const std::string why = answer ? member(*answer, "error", std::string{}) : answer.error().text();
  auto refused = refuse(mistakes, why);
  // With mistakes nothing was changed. Else a part may have been, and goes back to what it was.
  if (mistakes.empty())
    static_cast<void>(ask_node(socket_, Json{{"command", "reload"}}, reload_patience));
  return refused;
}

void PeerSite::give_up(node::FileChanges& changes) {
  for (const std::string& left : changes.undo()) fmt::print(stderr, "{}\n", left);
  if (runs()) static_cast<void>(ask_node(socket_, Json{{"command", "reload"}}, reload_patience));
}

}  // namespace tw::cli
