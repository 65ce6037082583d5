// Shenango's way: the n-th of the active cores, n = hash % how many there are. Nothing to remember,
// and most flows move whenever a core comes or goes (80 % from 4 to 5).
#pragma once

#include "steer/policy/policy.h"

namespace tw {

class ModuloPolicy final : public SteeringPolicy {
 public:
  explicit ModuloPolicy(const CoreSet& active) noexcept : active_(active) {}

  std::string_view name() const noexcept override { return "modulo"; }
  Steered steer(std::uint32_t hash) noexcept override {
    return {.core = active_.nth(hash % active_.size()), .steps = {.array_reads = 1}};
  }
  std::span<const SlotMove> set_active(const CoreSet& active, Instant) override {
    active_ = active;
    return {};
  }

 private:
  CoreSet active_;
};

}  // namespace tw
