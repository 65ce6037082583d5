#include "relay/legs/proxy_targets.h"

#include <string>

namespace tw::relay {

std::optional<ProxyTarget> ProxyTarget::parse(std::string_view text) {
  // Behind the prefix length a colon can only be the port's; without one, the only colon is.
  const std::size_t slash = text.find('/');
  std::size_t colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
  if (slash == std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
    colon = std::string_view::npos;  // an IPv6 address
  }
  if (colon == std::string_view::npos) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) return std::nullopt;
    return ProxyTarget{.prefix = *prefix};
  }
  const auto prefix = Prefix::parse(text.substr(0, colon));
  // Endpoint knows what a port may look like.
  const auto endpoint = Endpoint::parse("0.0.0.0" + std::string{text.substr(colon)});
  if (!prefix || !endpoint || endpoint->port == 0) return std::nullopt;
  return ProxyTarget{.prefix = *prefix, .port = endpoint->port};
}

}  // namespace tw::relay
