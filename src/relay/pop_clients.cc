#include "relay/pop_clients.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace tw::relay {

PopClients::PopClients(std::vector<Owned> allowed_ips, std::vector<IpAddress> own,
                       std::vector<Pop> pops)
    : owned_(std::move(allowed_ips)), own_(std::move(own)), pops_(std::move(pops)) {
  std::ranges::sort(owned_, {}, &Owned::prefix);
  for (const Owned& owned : owned_) {
    auto& lengths = owned.prefix.address.is_v4() ? lengths_v4_ : lengths_v6_;
    if (std::ranges::find(lengths, owned.prefix.length) == lengths.end()) {
      lengths.push_back(owned.prefix.length);
    }
  }
  std::ranges::sort(lengths_v4_, std::greater{});
  std::ranges::sort(lengths_v6_, std::greater{});
}

std::optional<PopClients::Owned> PopClients::owner_of(const IpAddress& client) const noexcept {
  const IpAddress address = client.unmapped();
  for (const std::uint8_t length : address.is_v4() ? lengths_v4_ : lengths_v6_) {
    const Prefix prefix = Prefix::of(address, length);
    const auto found = std::ranges::lower_bound(owned_, prefix, {}, &Owned::prefix);
    if (found != owned_.end() && found->prefix == prefix) return *found;
  }
  return std::nullopt;
}

bool PopClients::may_name(std::size_t pop, const IpAddress& client) const noexcept {
  const IpAddress address = client.unmapped();
  if (address.is_unspecified() || address.is_loopback() || address.is_multicast()) return false;
  if (std::ranges::find(own_, address) != own_.end()) return false;
  const auto owner = owner_of(address);
  if (!owner || owner->peer == peer_of(pop)) return true;
  return is_given(pop, address);
}

bool PopClients::is_given(std::size_t pop, const IpAddress& client) const noexcept {
  const auto has = [&](const Prefix& prefix) { return prefix.contains(client.unmapped()); };
  return std::ranges::any_of(pops_[pop].given, has);
}

}  // namespace tw::relay
