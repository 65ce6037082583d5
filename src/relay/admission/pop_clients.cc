#include "relay/admission/pop_clients.h"

#include <algorithm>
#include <map>
#include <utility>

namespace tw::relay {

PopClients::PopClients(const std::vector<Owned>& allowed_ips, std::vector<IpAddress> own,
                       std::vector<Pop> pops)
    : own_(std::move(own)), pops_(std::move(pops)) {
  std::map<Prefix, std::uint32_t> peer_of;
  for (const Owned& owned : allowed_ips) peer_of.emplace(owned.prefix, owned.peer);
  peers_ = PrefixTable{std::move(peer_of)};
}

std::optional<PopClients::Owned> PopClients::owner_of(const IpAddress& client) const noexcept {
  const auto* const owner = peers_.longest(client.unmapped());
  if (owner == nullptr) return std::nullopt;
  return Owned{owner->prefix, owner->value};
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
