#include "lab/wan/forwarders.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <utility>

#include "lab/bed/descendants.h"
#include "lab/bed/overlay.h"

namespace tw::lab {
namespace {

constexpr int haproxy_port = 8080;
constexpr int ssh_forward_port = 8022;
constexpr int sshd_port = 8122;
/// sshd locks its unprivileged half into it, and does not start without.
constexpr const char* privilege_folder = "/run/sshd";

std::string haproxy_config(const std::string& listen, const std::string& next) {
  return fmt::format(
      "global\n  maxconn 1000\n  nbthread 1\n"
      "defaults\n  mode tcp\n  option splice-auto\n  option tcp-smart-accept\n"
      "  timeout connect 10s\n  timeout client 5m\n  timeout server 5m\n"
      "listen onward\n  bind {}\n  server next {}\n",
      listen, next);
}

std::string sshd_config(const std::string& folder) {
  return fmt::format(
      "ListenAddress {1}:{2}\nHostKey {0}/ssh_host_key\nAuthorizedKeysFile {0}/ssh_key.pub\n"
      "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"
      "PasswordAuthentication no\nKbdInteractiveAuthentication no\nAllowTcpForwarding local\n"
      "PrintMotd no\nUseDNS no\n",
      folder, address::rs, sshd_port);
}

Result<std::string> make_key(const ScratchFolder& scratch, const std::string& name,
                             Interrupt& interrupt) {
  std::string path = (scratch.path() / name).string();
  auto made = run_checked(
      {.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "thalweg", "-f", path}},
      interrupt);
  if (!made) return std::unexpected(made.error());
  return path;
}

Command ssh_command(const std::string& key, const std::string& service, const Namespace& host) {
  return {.argv = {"ssh",
                   "-F",
                   "none",
                   "-N",
                   "-p",
                   fmt::format("{}", sshd_port),
                   "-i",
                   key,
                   "-o",
                   "BatchMode=yes",
                   "-o",
                   "StrictHostKeyChecking=no",
                   "-o",
                   "UserKnownHostsFile=/dev/null",
                   "-o",
                   "LogLevel=ERROR",
                   "-o",
                   "ExitOnForwardFailure=yes",
                   "-o",
                   "ConnectionAttempts=20",
                   "-L",
                   fmt::format("{}:{}:{}:80", address::rc_access, ssh_forward_port, service),
                   fmt::format("root@{}", address::rs)},
          .netns_fd = host.fd(),
          .death_signal = SIGTERM};
}

std::string missing_of(std::initializer_list<const char*> programs) {
  for (const char* name : programs) {
    if (find_program(name).empty()) return name;
  }
  return "";
}

}  // namespace

std::string missing_for_haproxy() { return missing_of({"haproxy"}); }
std::string missing_for_ssh() { return missing_of({"ssh", "sshd", "ssh-keygen"}); }

void Forwarders::Removed::operator()(const char* folder) const noexcept { rmdir(folder); }

Forwarders::~Forwarders() {
  // Last started, first ended; and sessions before whoever has to bury them.
  while (!processes_.empty()) {
    for (const Handle& session : descendants_of(processes_.back().pid())) session.end();
    processes_.pop_back();
  }
}

Result<void> Forwarders::add(const Command& command) {
  auto process = Process::start(command);
  if (!process) return std::unexpected(process.error());
  processes_.push_back(std::move(*process));
  commands_.push_back(command.text());
  return {};
}

std::vector<pid_t> Forwarders::pids() const {
  std::vector<pid_t> pids;
  for (const Process& process : processes_) {
    pids.push_back(process.pid());
    for (const Handle& child : descendants_of(process.pid())) pids.push_back(child.pid());
  }
  return pids;
}

Result<void> Forwarders::check() {
  for (std::size_t index = 0; index < processes_.size(); ++index) {
    if (processes_[index].running()) continue;
    return make_error(Error::Kind::unavailable, commands_[index] + " ended by itself: " +
                                                    last_lines(processes_[index].err(), 6));
  }
  return {};
}

Result<Forwarders> Forwarders::start_haproxy(const Topology& topology, const ScratchFolder& scratch,
                                             const std::string& service) {
  const std::string near = fmt::format("{}:{}", address::rc_access, haproxy_port);
  const std::string far = fmt::format("{}:{}", address::rs, haproxy_port);
  Forwarders forwarders{near};
  struct Half {
    const Namespace& host;
    const char* file;
    std::string config;
  };
  for (const Half& half :
       {Half{topology.rs(), "haproxy-rs.cfg", haproxy_config(far, service + ":80")},
        Half{topology.rc(), "haproxy-rc.cfg", haproxy_config(near, far)}}) {
    auto file = scratch.write(half.file, half.config);
    if (!file) return std::unexpected(file.error());
    auto added = forwarders.add({.argv = {"haproxy", "-db", "-f", *file},
                                 .netns_fd = half.host.fd(),
                                 .death_signal = SIGTERM});
    if (!added) return std::unexpected(added.error());
  }
  return forwarders;
}

Result<Forwarders> Forwarders::start_ssh(const Topology& topology, const ScratchFolder& scratch,
                                         const std::string& service, Interrupt& interrupt) {
  Forwarders forwarders{fmt::format("{}:{}", address::rc_access, ssh_forward_port)};
  if (mkdir(privilege_folder, 0755) == 0) {
    forwarders.made_folder_.reset(privilege_folder);
  } else if (errno != EEXIST) {
    return system_error(fmt::format("make {}, which sshd needs", privilege_folder));
  }
  auto host_key = make_key(scratch, "ssh_host_key", interrupt);
  if (!host_key) return std::unexpected(host_key.error());
  auto key = make_key(scratch, "ssh_key", interrupt);
  if (!key) return std::unexpected(key.error());
  auto file = scratch.write("sshd_config", sshd_config(scratch.path().string()));
  if (!file) return std::unexpected(file.error());
  // It starts itself again for every session, and wants to know by which path.
  auto added = forwarders.add({.argv = {find_program("sshd"), "-D", "-e", "-f", *file},
                               .netns_fd = topology.rs().fd(),
                               .death_signal = SIGTERM});
  if (added) added = forwarders.add(ssh_command(*key, service, topology.rc()));
  if (!added) return std::unexpected(added.error());
  return forwarders;
}

}  // namespace tw::lab
