#include "relay/stream/receive_budget.h"

#include <algorithm>

#include "base/assert.h"

namespace tw::relay {
namespace {

std::uint64_t left_of(std::uint64_t limit, std::uint64_t used) noexcept {
  return limit > used ? limit - used : 0;
}

}  // namespace

void ReceiveBudget::set_limits(std::uint64_t total, std::uint64_t per_client) noexcept {
  total_ = total;
  per_client_ = per_client;
}

std::uint64_t ReceiveBudget::take(const Principal& client, std::uint64_t wanted,
                                  std::uint64_t part) {
  const auto known = by_client_.find(client);
  const std::uint64_t used = known == by_client_.end() ? 0 : known->second;
  const std::uint64_t given = std::min(
      {wanted, left_of(per_client_, used) / part, left_of(total_, promised_) / (2 * part)});
  if (given < wanted) ++cut_short_;
  if (given == 0) return 0;
  promised_ += given;
  by_client_[client] += given;
  return given;
}

void ReceiveBudget::give_back(const Principal& client, std::uint64_t bytes) noexcept {
  if (bytes == 0) return;
  const auto known = by_client_.find(client);
  TW_ASSERT(known != by_client_.end() && known->second >= bytes);
  promised_ -= bytes;
  known->second -= bytes;
  if (known->second == 0) by_client_.erase(known);
}

ReceiveBudgetState ReceiveBudget::state() const noexcept {
  return {.promised_bytes = promised_, .clients = by_client_.size(), .cut_short = cut_short_};
}

}  // namespace tw::relay
