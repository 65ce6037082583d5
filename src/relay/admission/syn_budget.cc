#include "relay/admission/syn_budget.h"

#include <algorithm>
#include <functional>

namespace tw::relay {
namespace {

constexpr Duration second = 1s;

}  // namespace

bool TokenBucket::has_token(std::uint32_t rate, std::uint32_t burst, Instant now) const noexcept {
  const Duration interval = second / rate;
  return std::max(full_at_, now) + interval - now <= interval * burst;
}

void TokenBucket::take(std::uint32_t rate, Instant now) noexcept {
  full_at_ = std::max(full_at_, now) + second / rate;
}

SynBudget::SynBudget() : by_source_(source_buckets) {}

bool SynBudget::allow(const Principal& client, const EarlySynSettings& settings,
                      Instant now) noexcept {
  TokenBucket& source = by_source_[std::hash<Principal>{}(client) % by_source_.size()];
  if (!source.has_token(settings.per_source_rate, settings.per_source_burst, now) ||
      !total_.has_token(settings.total_rate, settings.total_burst, now)) {
    return false;
  }
  source.take(settings.per_source_rate, now);
  total_.take(settings.total_rate, now);
  return true;
}

}  // namespace tw::relay
