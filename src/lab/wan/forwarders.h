// The relay's competitors on the same two hosts: HAProxy twice in series, and `ssh -L`.
// The client connects to a port of R_C in the clear; what listens there is on its own.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/bed/process.h"
#include "lab/bed/scratch.h"
#include "lab/bed/topology.h"

namespace tw::lab {

/// Two programs that hand on one port of R_C to port 80 of the server's address `service`.
class Forwarders {
 public:
  /// In TCP mode, one thread each, splicing where it can.
  static Result<Forwarders> start_haproxy(const Topology& topology, const ScratchFolder& scratch,
                                          const std::string& service);
  /// sshd on R_S and a client on R_C, with keys of their own and no configuration of the machine's.
  static Result<Forwarders> start_ssh(const Topology& topology, const ScratchFolder& scratch,
                                      const std::string& service, Interrupt& interrupt);
  Forwarders(Forwarders&&) noexcept = default;
  Forwarders& operator=(Forwarders&&) = delete;
  /// Ends both, and what they have started: sshd's sessions leave its process group.
  ~Forwarders();

  /// "198.18.1.2:8080": where the client connects to.
  const std::string& authority() const noexcept { return authority_; }
  std::vector<pid_t> pids() const;
  Result<void> check();
  const std::vector<std::string>& commands() const noexcept { return commands_; }

 private:
  struct Removed {
    void operator()(const char* folder) const noexcept;
  };

  explicit Forwarders(std::string authority) : authority_(std::move(authority)) {}
  Result<void> add(const Command& command);

  std::string authority_;
  std::unique_ptr<const char, Removed> made_folder_;  ///< on the machine, by us
  std::vector<Process> processes_;                    ///< on R_S, on R_C
  std::vector<std::string> commands_;
};

/// A program that the configuration needs and that is not installed; "" if all are.
std::string missing_for_haproxy();
std::string missing_for_ssh();

}  // namespace tw::lab
