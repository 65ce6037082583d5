// Limits the kernel memory that the sources of all connections may be promised together, and those
// of one client: a reader that has paused keeps what was on its way to it, and the next one must
// still find room. Nobody is given all that is left, so that something always is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <unordered_map>
#include <utility>

#include "base/describe.h"
#include "relay/admission/principal.h"

namespace tw::relay {

struct ReceiveBudgetState {
  std::uint64_t promised_bytes = 0;  ///< now, to all
  std::uint64_t clients = 0;         ///< that have any of it
  std::uint64_t cut_short = 0;  ///< times that somebody was given less than a connection wanted
};

inline constexpr MetricFamily promised_metric{"relay_buffer_bytes",
                                              "Kernel memory promised to what is being relayed",
                                              MetricFamily::Type::gauge};
inline constexpr MetricFamily cut_short_metric{
    "relay_buffer_cut_short_total", "Times that a connection was given less memory than it wanted"};

template <typename Visitor>
void describe(Visitor& visit, const ReceiveBudgetState& of) {
  visit.number("promised_bytes", of.promised_bytes,
               {.family = &promised_metric, .words = "promised", .is_bytes = true});
  visit.number("clients", of.clients, {.words = "clients"});
  visit.number("cut_short", of.cut_short,
               {.family = &cut_short_metric, .words = "times less than was wanted"});
}

class ReceiveBudget {
 public:
  /// Bytes of kernel memory. What has been promised stays.
  void set_limits(std::uint64_t total, std::uint64_t per_client) noexcept;
  /// By whom clients are known from here on; null: by their addresses. Whoever has taken something
  /// gives it back as who he was.
  void set_principals(std::shared_ptr<const Principals> principals) noexcept {
    principals_ = std::move(principals);
  }
  /// Returns the owner of the share that a client of our own takes from: a peer's addresses have
  /// one.
  Principal principal_of(const IpAddress& client) const noexcept {
    return principals_ ? principals_->of(client) : Principal{client};
  }

  /// Gives at most one part in `part` of what the client has left, and half such a part of what all
  /// have left; `part` is 2 for a source that has shown that it drains, more for one that has not.
  /// Returns bytes, `wanted` at most; 0 if there is nothing. `client`: see principal.h.
  std::uint64_t take(const Principal& client, std::uint64_t wanted, std::uint64_t part);
  /// Gives back bytes that the same client has taken.
  void give_back(const Principal& client, std::uint64_t bytes) noexcept;

  ReceiveBudgetState state() const noexcept;

 private:
  std::uint64_t total_ = 0, per_client_ = 0;
  std::uint64_t promised_ = 0, cut_short_ = 0;
  std::shared_ptr<const Principals> principals_;
  // Entries that have gone make room for those that come.
  std::pmr::unsynchronized_pool_resource entries_;
  std::pmr::unordered_map<Principal, std::uint64_t> by_client_{&entries_};
};

}  // namespace tw::relay
