// The clients' identities: keys and inner addresses that follow from a seed and a number, so that
// the run and the target's configuration, written by another call, agree. Anybody who knows the
// seed knows the keys: for labs only.
#pragma once

#include <cstdint>
#include <string>

#include "crypto/secret.h"
#include "lab/clients/options.h"
#include "wire/address.h"

namespace tw::lab {

/// Returns the key of client `number`; the bystander's number is that behind the last peer.
crypto::PrivateKey client_key(std::uint64_t seed, std::uint32_t number) noexcept;
/// Returns the key of the device under load, unless it has one of its own.
crypto::PrivateKey target_key(std::uint64_t seed) noexcept;
/// The one the clients talk to. Cost: a curve operation where it is derived.
crypto::PublicKey target_public_key(const ClientsOptions& options) noexcept;

/// Addresses that a prefix has for clients: all but the first and the last. IPv4 only.
std::uint64_t address_count(const Prefix& addresses) noexcept;
/// Returns the inner address of client `number`, which must be below address_count().
IpAddress client_address(const Prefix& addresses, std::uint32_t number) noexcept;

/// Returns the text for `wg setconf`: the target's own key and port, then every client with its
/// address. With a target key given there is no [Interface] section: for `wg addconf`. Cost: a
/// curve operation a client.
std::string target_configuration(const ClientsOptions& options);

}  // namespace tw::lab
