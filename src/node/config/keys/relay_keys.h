// The keys of [relay] and its tables, [[pop]] and [[policy]].
#pragma once

#include <array>

#include "node/config/config_values.h"
#include "node/config/keys/key.h"

namespace tw::node {

// Readers of keys that need more than their own text: config_relay.cc.

/// Reads prefixes, and names of peers and groups of the draft, which stand for their allowed IPs.
bool read_from(KeyReading& at, const Key<relay::PolicyRule>& key, relay::PolicyRule& rule);
bool read_to(KeyReading& at, const Key<relay::PolicyRule>& key, relay::PolicyRule& rule);
/// Reads ports: 80, or "8000-8100".
bool read_ports(KeyReading& at, const Key<relay::PolicyRule>& key, relay::PolicyRule& rule);

// Bounds: wide enough for any machine, narrow enough that a slip in the number of zeros is seen.
inline constexpr std::uint64_t most_connections = 1'000'000, most_syns = 1'000'000;
inline constexpr std::uint64_t smallest_budget = 1U << 20U,
                               largest_budget = std::uint64_t{1} << 40U;
inline constexpr std::uint64_t largest_initcwnd = 65'535, largest_rate_mbps = 100'000;
inline constexpr std::uint64_t most_warm_legs = 10'000, a_day_s = 24ULL * 3600;
inline constexpr std::uint64_t longest_keepalive_s = 32'767;  // the kernel's own bound

using InRelay = Kinds<RelayConfig>;
inline constexpr auto relay_keys = std::to_array<Key<RelayConfig>>({
    {.name = "enabled",
     .kind = InRelay::boolean<&RelayConfig::enabled>(),
     .change = Change::relay,
     .help = "split TCP where the policy says `relay`, and take legs from PoPs"},
    {.name = "listen_port",
     .kind = InRelay::number<&RelayConfig::listen_port>(1),
     .change = Change::relay,
     .help = "TCP; the transparent listener, on this machine only"},
    {.name = "leg_port",
     .kind = InRelay::number<&RelayConfig::leg_port>(1),
     .change = Change::relay,
     .help = "TCP; where PoPs open legs, inside the tunnel; the same on every PoP; not "
             "`listen_port`"},
    {.name = "client_devices",
     .kind = InRelay::list<read_interface_name, &RelayConfig::client_devices>("list of devices"),
     .change = Change::relay,
     .help = "further devices (a LAN) whose clients' TCP is relayed as the tunnel's is; the policy "
             "judges what they send onward, too. They must exist. Early SYN needs Linux 6.6 there"},
    {.name = "direct",
     .kind = InRelay::word<direct_words, &RelayConfig::direct>(),
     .help = "when a target with a PoP's route is connected to from here: `never`; `fallback`, "
             "while none of its PoPs can be used; `measured`, then, and where the way from here is "
             "shorter than the leg to the PoP alone"},
    {.name = "accept",
     .kind = InRelay::word<accept_words, &RelayConfig::accept>(),
     .help = "`verified`: a tunnel client's connection is accepted when its server has accepted "
             "it, and a port that refuses looks refused ([relay](relay.md#verified)). Needs "
             "`early_syn`, and PoPs that all know it; clients of `client_devices` are accepted "
             "early all the same"},
    {.name = "fast_open",
     .kind = InRelay::boolean<&RelayConfig::fast_open>(),
     .help = "TCP Fast Open: taken from clients, and used towards servers for a client that used "
             "it"},
    {.name = "quic",
     .kind = InRelay::word<quic_words, &RelayConfig::quic>(),
     .help = "HTTP/3 would go past the relay: `reject` answers clients' UDP to port 443 by ICMP "
             "(port unreachable) where the policy would relay TCP to there. Browsers then take "
             "TCP; flows that are established are ended"},
    {.name = "proxy_protocol",
     .kind = InRelay::list<read_proxy_target, &RelayConfig::proxy_protocol>(
         "list of prefixes, each with `:PORT` or without"),
     .help = "servers that are told the client: the PoP that connects to them begins with a PROXY "
             "v2 header. `\"10.1.0.0/16\"`, `\"192.0.2.7/32:443\"`"},
    {.name = "local_targets",
     .kind = InRelay::list<read_prefix, &RelayConfig::local_targets>("list of prefixes"),
     .help = "addresses of this machine, or otherwise special ones, that may be a target after "
             "all"},
    {.name = "max_connections",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::max_connections>(
         1, most_connections),
     .help = "relayed at one time"},
    {.name = "max_connections_per_client",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::max_connections_per_client>(
         1, most_connections),
     .help = "of one client: a peer with all its addresses; else an IPv4 address, or an IPv6 /64; "
             "further ones are reset"},
    {.name = "max_connections_per_pop",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::max_connections_per_pop>(
         1, most_connections),
     .help = "legs that one other PoP may have here; and never more than three times the places "
             "that are free"},
    {.name = "max_waiting_legs_per_pop",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::max_waiting_legs_per_pop>(
         1, most_connections),
     .help = "of these, legs without a target yet. At least four times `relay.pool.high` of that "
             "PoP"},
    {.name = "buffer_bytes",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::buffer_bytes>(
         smallest_budget, largest_budget, "bytes"),
     .help = "kernel memory that may be promised to all connections together for readers that are "
             "slow or have paused ([relay](relay.md#what-one-may-hold)). A reader that drains "
             "needs about twice rate × RTT"},
    {.name = "buffer_bytes_per_client",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::buffer_bytes_per_client>(
         smallest_budget, largest_budget, "bytes"),
     .help = "of that, to one client"},
    {.name = "pipe_bytes",
     .kind = InRelay::number<&RelayConfig::limits, &relay::RelayLimits::pipe_bytes>(
         4096, 64U << 20U, "bytes"),
     .help = "buffer of a direction; the kernel may give less"},
    {.name = "coalesce_us",
     .kind = InRelay::microseconds<&RelayConfig::limits, &relay::RelayLimits::coalesce>(0, 1000),
     .help = "how long the bytes of a transfer gather when they come in small pieces; 0: each is "
             "passed on by itself. A conversation does not wait"},
    {.name = "connect_timeout_s",
     .kind = InRelay::seconds<&RelayConfig::limits, &relay::RelayLimits::connect_timeout>(1, 600),
     .help = "for the onward connection, by whichever PoPs it is tried, and for a leg's header; "
             "after so long without an answer of a PoP, and no less than 7 s, connections by it "
             "are reset"},
    {.name = "idle_timeout_s",
     .kind =
         InRelay::seconds<&RelayConfig::limits, &relay::RelayLimits::idle_timeout>(1, 30 * a_day_s),
     .help = "no byte either way"},
    {.name = "half_close_timeout_s",
     .kind = InRelay::seconds<&RelayConfig::limits, &relay::RelayLimits::half_close_timeout>(
         1, a_day_s),
     .help = "one side has ended, and the other is silent"},
    {.name = "keepalive_s",
     .kind = InRelay::seconds<&RelayConfig::limits, &relay::RelayLimits::keepalive>(
         0, longest_keepalive_s),
     .help = "silence after which TCP asks whether the other side lives; 0: never"},
    {.name = "user_timeout_s",
     .kind = InRelay::seconds<&RelayConfig::limits, &relay::RelayLimits::user_timeout>(0, a_day_s),
     .help = "bytes unacknowledged for so long, even by a reader that has paused, end the "
             "connection; 0: the system's time"},
});

using InTurbo = Kinds<relay::TurboSettings>;
inline constexpr auto turbo_keys = std::to_array<Key<relay::TurboSettings>>({
    {.name = "initcwnd",
     .kind = InTurbo::number<&relay::TurboSettings::initcwnd>(1, largest_initcwnd, "segments"),
     .help = "that may be on their way before the first answer, at most. With `pacing = false` "
             "there are so many: write 400 or so, as more than the path carries in one RTT is "
             "lost, and hurts others"},
    {.name = "socket_buffer_bytes",
     .kind = InTurbo::number<&relay::TurboSettings::socket_buffer_bytes>(64U << 10U, 512U << 20U,
                                                                         "bytes"),
     .help = "forced send and receive buffers: twice rate × RTT. What a leg may receive grows to "
             "that as it is drained"},
    {.name = "congestion_control",
     .kind = InTurbo::text<read_congestion_control, &relay::TurboSettings::congestion_control>(
         "string"),
     .help = "a word of `net.ipv4.tcp_available_congestion_control`",
     .otherwise = "the system's"},
    {.name = "pacing",
     .kind = InTurbo::boolean<&relay::TurboSettings::pacing>(),
     .help = "a leg starts with what its path is known to carry, paced over a round trip, and "
             "finds out whether that is more ([relay](relay.md#turbo-start)). Before Linux 6.4 "
             "only the pacing"},
    {.name = "first_rate_mbps",
     .kind = InTurbo::megabits<&relay::TurboSettings::first_rate_bps>(1, largest_rate_mbps),
     .help = "at which the first leg to a PoP starts"},
});

using InClientStart = Kinds<relay::ClientStartSettings>;
inline constexpr auto client_start_keys = std::to_array<Key<relay::ClientStartSettings>>({
    {.name = "enabled",
     .kind = InClientStart::boolean<&relay::ClientStartSettings::enabled>(),
     .help = "takes Linux 6.4"},
    {.name = "cap_mbps",
     .kind = InClientStart::megabits<&relay::ClientStartSettings::cap_bps>(1, largest_rate_mbps),
     .help = "the first flights to one client leave no faster, whatever was remembered"},
    {.name = "initcwnd",
     .kind = InClientStart::number<&relay::ClientStartSettings::initcwnd>(1, largest_initcwnd,
                                                                          "segments"),
     .help = "of a first flight, at most; as many as the rate fills in one RTT"},
});

using InPool = Kinds<relay::PoolSettings>;
inline constexpr auto pool_keys = std::to_array<Key<relay::PoolSettings>>({
    {.name = "enabled",
     .kind = InPool::boolean<&relay::PoolSettings::enabled>(),
     .help = "make warm legs"},
    {.name = "low",
     .kind = InPool::number<&relay::PoolSettings::low>(0, most_warm_legs),
     .help = "legs that wait at all times; not above `high`"},
    {.name = "high",
     .kind = InPool::number<&relay::PoolSettings::high>(1, most_warm_legs),
     .help = "at most; between the two their number follows the use"},
    {.name = "max_age_s",
     .kind = InPool::seconds<&relay::PoolSettings::max_age>(1, 3600),
     .help = "an older one is replaced"},
});

using InEarlySyn = Kinds<relay::EarlySynSettings>;
inline constexpr auto early_syn_keys = std::to_array<Key<relay::EarlySynSettings>>({
    {.name = "enabled",
     .kind = InEarlySyn::boolean<&relay::EarlySynSettings::enabled>(),
     .help = "begin at the SYN"},
    {.name = "per_source_rate",
     .kind = InEarlySyn::number<&relay::EarlySynSettings::per_source_rate>(1, most_syns),
     .help = "halves a second for one client address (IPv6: a /64)"},
    {.name = "per_source_burst",
     .kind = InEarlySyn::number<&relay::EarlySynSettings::per_source_burst>(1, most_syns),
     .help = "of these, at once"},
    {.name = "total_rate",
     .kind = InEarlySyn::number<&relay::EarlySynSettings::total_rate>(1, most_syns),
     .help = "halves a second for all clients together"},
    {.name = "total_burst",
     .kind = InEarlySyn::number<&relay::EarlySynSettings::total_burst>(1, most_syns),
     .help = "of these, at once"},
    {.name = "max_unclaimed",
     .kind = InEarlySyn::number<&relay::EarlySynSettings::max_unclaimed>(1, most_syns),
     .help = "halves that wait for their clients at one time"},
    {.name = "max_unclaimed_per_client",
     .kind = InEarlySyn::number<&relay::EarlySynSettings::max_unclaimed_per_client>(1, most_syns),
     .help = "of these, of one client (IPv6: a /64)"},
    {.name = "claim_timeout_s",
     .kind = InEarlySyn::seconds<&relay::EarlySynSettings::claim_timeout>(1, 60),
     .help = "for so long; one whose SYN is held (`accept`) waits for its server first, at most "
             "`connect_timeout_s`"},
});

using InLog = Kinds<relay::LogSettings>;
inline constexpr auto relay_log_keys = std::to_array<Key<relay::LogSettings>>({
    {.name = "connections",
     .kind = InLog::boolean<&relay::LogSettings::connections>(),
     .help = "write them"},
    {.name = "format",
     .kind = InLog::text<read_log_format, &relay::LogSettings::format>("string"),
     .help = "text with `{fields}`; `{{` and `}}` are braces. An unknown field is a mistake",
     .otherwise = "see there"},
    {.name = "sample",
     .kind = InLog::number<&relay::LogSettings::sample>(1, 1'000'000),
     .help = "of those that were relayed, one of so many; what failed is always logged"},
    {.name = "file",
     .kind = InLog::text<read_log_path, &relay::LogSettings::file>("path"),
     .help =
         "absolute; appended to, opened anew at a reload; none: the node's own log, at `info`. By "
         "hand only a file that the configuration file names, or none",
     .otherwise = "none"},
});

using InPop = Kinds<PopDraft>;
inline constexpr auto pop_keys = std::to_array<Key<PopDraft>>({
    {.name = "name",
     .kind = InPop::text<read_name, &PopDraft::pop, &PopConfig::pop, &relay::PopSettings::name>(
         "string"),
     .help = "for logs and `status`; unique",
     .otherwise = "`peer`"},
    {.name = "peer",
     .kind = InPop::text<read_name, &PopDraft::pop, &PopConfig::peer>("string"),
     .help = "name of the `[[peer]]`",
     .required = "name the [[peer]] that is this PoP"},
    {.name = "overlay_address",
     .kind = InPop::text<read_address, &PopDraft::pop, &PopConfig::pop,
                         &relay::PopSettings::overlay_address>("address"),
     .help = "its address in the tunnel: in its peer's allowed IPs, not in another's, and of a "
             "family that `tunnel.addresses` has",
     .required = "write the PoP's own address in the tunnel"},
    {.name = "legs",
     .kind = InPop::word<legs_words, &PopDraft::pop, &PopConfig::pop, &relay::PopSettings::legs>(),
     .help = "what its legs, and ours to it, must prove: that they are made with the private keys "
             "and the preshared key of this pair of peers; `any`: nothing, for the time of an "
             "[upgrade](operations.md#upgrading-pops-that-prove-nothing)"},
    {.name = "clients",
     .kind = InPop::list<read_prefix, &PopDraft::clients>("list of prefixes"),
     .help = "clients that it may name besides its own peer's and those that are in nobody's "
             "`allowed_ips`: other peers', or ours, who roam between the PoPs, and those of PoPs "
             "behind it ([relay](relay.md#whom-a-pop-may-name))"},
    {.name = "routes",
     .kind = InPop::list<read_prefix, &PopDraft::routes>("list of prefixes"),
     .help = "targets it carries; the longest prefix over all PoPs wins; of PoPs with the same one "
             "the first that answers"},
});

using InPolicy = Kinds<relay::PolicyRule>;
inline constexpr auto policy_keys = std::to_array<Key<relay::PolicyRule>>({
    {.name = "from",
     .kind = InPolicy::special<read_from>("list"),
     .help = "prefixes, or names of peers and groups, which stand for their allowed IPs; what can "
             "be read as "
             "a prefix is one",
     .otherwise = "everything"},
    {.name = "to",
     .kind = InPolicy::special<read_to>("list"),
     .help = "the same",
     .otherwise = "everything"},
    {.name = "protocol",
     .kind = InPolicy::word<protocol_words, &relay::PolicyRule::protocol>(),
     .help = "`icmp`: ICMP and ICMPv6"},
    {.name = "ports",
     .kind = InPolicy::special<read_ports>("list"),
     .help = "of the target: `80` or `\"8000-8100\"`; only with `tcp` or `udp`",
     .otherwise = "every port"},
    {.name = "action",
     .kind = InPolicy::word<action_words, &relay::PolicyRule::action>(),
     .help = "`relay`: TCP only, and only while the relay is enabled",
     .required = R"(write action = "relay", "route" or "refuse")"},
});

}  // namespace tw::node
