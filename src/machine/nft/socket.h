// A netlink socket to nf_tables: commits transactions, reads counters, hears of changes.
//
// A table with `flags owner` belongs to the socket that made it: nobody else can change it, and it
// vanishes when the socket is closed, which the kernel does for a process that was killed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "machine/nft/batch.h"

namespace tw::nft {

struct Counter {
  std::string name;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// Belongs to one thread at a time. Works on the network namespace that thread was in at open().
class Socket {
 public:
  /// `unavailable` if this kernel has no nfnetlink.
  static Result<Socket> open();

  /// All of the batch or nothing. Needs CAP_NET_ADMIN. The error has the kernel's errno, and says
  /// what the transaction was made for and which part of it was refused.
  Result<void> commit(Batch batch, std::string_view doing);
  /// Fails if the kernel would not take it. Changes nothing.
  Result<void> try_out(Batch batch, std::string_view doing);

  /// The named counters of a table of family inet. Empty if there is no such table.
  Result<std::vector<Counter>> counters(const std::string& table);
  /// True if there is such a table, of family inet.
  Result<bool> has_table(const std::string& table);

  /// From now on next_change() tells of what others do.
  Result<void> listen();
  /// Readable when it has something to tell.
  int wait_fd() const noexcept { return fd_.get(); }
  /// Takes what has come. True if the table (of family inet) may be another than it was: others
  /// have changed it, or more was changed than the kernel could tell us of. `ours` is the port of a
  /// socket whose changes are left out.
  bool changed_by_others(const std::string& table, std::uint32_t ours);
  std::uint32_t port() const noexcept { return port_; }

 private:
  Socket(UniqueFd fd, std::uint32_t port) noexcept : fd_(std::move(fd)), port_(port) {}
  Result<void> exchange(Batch& batch, bool commits, std::string_view doing);

  UniqueFd fd_;
  std::uint32_t port_ = 0;
};

}  // namespace tw::nft
