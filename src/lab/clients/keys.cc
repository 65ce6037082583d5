#include "lab/clients/keys.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "base/assert.h"
#include "crypto/primitives.h"
#include "wire/be.h"

namespace tw::lab {
namespace {

crypto::PrivateKey derive(std::string_view role, std::uint64_t seed,
                          std::uint32_t number) noexcept {
  std::array<std::uint8_t, 12> bytes;
  store_le64(bytes, 0, seed);
  store_le32(bytes, 8, number);
  const crypto::Hash hash =
      crypto::blake2s({as_bytes("thalweg lab clients"), as_bytes(role), bytes});
  return crypto::clamped(crypto::PrivateKey{hash});
}

}  // namespace

crypto::PrivateKey client_key(std::uint64_t seed, std::uint32_t number) noexcept {
  return derive("client", seed, number);
}

crypto::PrivateKey target_key(std::uint64_t seed) noexcept { return derive("target", seed, 0); }

crypto::PublicKey target_public_key(const ClientsOptions& options) noexcept {
  return options.target_key ? *options.target_key : crypto::public_key_of(target_key(options.seed));
}

std::uint64_t address_count(const Prefix& addresses) noexcept {
  const std::uint64_t all = std::uint64_t{1} << (32U - addresses.length);
  return all < 3 ? 0 : all - 2;
}

IpAddress client_address(const Prefix& addresses, std::uint32_t number) noexcept {
  TW_ASSERT(number < address_count(addresses));
  std::array<std::uint8_t, 4> octets;
  store_be32(octets, 0, load_be32(addresses.address.bytes(), 0) + 1 + number);
  return IpAddress::v4(octets);
}

std::string target_configuration(const ClientsOptions& options) {
  std::string text = fmt::format("# Of {} clients and a bystander, from seed {}: for labs only.\n",
                                 options.peers, options.seed);
  if (options.target_key) {
    text += "# The target keeps its key: for `wg addconf`.\n";
  } else {
    text +=
        fmt::format("[Interface]\nPrivateKey = {}\nListenPort = {}\n",
                    crypto::key_to_base64(target_key(options.seed).view()), options.target.port);
  }
  for (std::uint32_t number = 0; number <= options.peers; ++number) {
    const crypto::PublicKey key = crypto::public_key_of(client_key(options.seed, number));
    fmt::format_to(std::back_inserter(text), "[Peer]\nPublicKey = {}\nAllowedIPs = {}/32\n",
                   crypto::key_to_base64(key.bytes),
                   client_address(options.addresses, number).text());
  }
  return text;
}

}  // namespace tw::lab
