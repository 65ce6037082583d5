#include "machine/nft/socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>

namespace tw::nft {
namespace {

// An answer has few attributes; the kernel cuts a dump into datagrams of at most 32 KB.
constexpr std::size_t answer_bytes = 64 * 1024;
constexpr int send_buffer_bytes = 64 << 20;  // a batch is one datagram: 10,000 prefixes are 1.3 MB
constexpr int receive_buffer_bytes = 4 << 20;

using OnMessage = std::function<void(const nlmsghdr&, ByteView)>;

ByteView payload_of(ByteView message, std::size_t header) {
  return message.size() < header ? ByteView{} : message.subspan(header);
}

// The value of the first attribute of this kind.
std::optional<ByteView> find(ByteView attributes, std::uint16_t kind) {
  while (attributes.size() >= NLA_HDRLEN) {
    nlattr head{};
    std::memcpy(&head, attributes.data(), sizeof head);
    if (head.nla_len < NLA_HDRLEN || head.nla_len > attributes.size()) return {};
    if ((head.nla_type & NLA_TYPE_MASK) == kind) {
      return attributes.subspan(NLA_HDRLEN, head.nla_len - std::size_t{NLA_HDRLEN});
    }
    attributes =
        attributes.subspan(std::min<std::size_t>(NLA_ALIGN(head.nla_len), attributes.size()));
  }
  return {};
}

std::string text_of(ByteView attributes, std::uint16_t kind) {
  const auto value = find(attributes, kind);
  if (!value) return {};
  const std::string_view text = as_text(*value);
  return std::string{text.substr(0, text.find('\0'))};
}

std::uint64_t number_of(ByteView attributes, std::uint16_t kind) {
  std::uint64_t number = 0;
  const auto value = find(attributes, kind);
  for (const std::uint8_t octet : value.value_or(ByteView{})) number = number << 8U | octet;
  return number;
}

// Calls `on_message` with each message that is there, header and payload. errno, or 0.
int receive(int fd, int flags, const OnMessage& on_message) {
  std::vector<std::uint8_t> buffer(answer_bytes);
  const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), flags);
  if (size < 0) return errno;
  ByteView left{buffer.data(), static_cast<std::size_t>(size)};
  while (left.size() >= NLMSG_HDRLEN) {
    nlmsghdr head{};
    std::memcpy(&head, left.data(), sizeof head);
    if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > left.size()) break;
    on_message(head, left.subspan(NLMSG_HDRLEN, head.nlmsg_len - std::size_t{NLMSG_HDRLEN}));
    left = left.subspan(std::min<std::size_t>(NLMSG_ALIGN(head.nlmsg_len), left.size()));
  }
  return 0;
}

int error_of(ByteView payload) {
  int negative = 0;
  if (payload.size() >= sizeof negative) std::memcpy(&negative, payload.data(), sizeof negative);
  return -negative;
}

ByteView attributes_of(ByteView payload) {
  return payload_of(payload, NLMSG_ALIGN(sizeof(nfgenmsg)));
}

std::uint8_t family_of(ByteView payload) { return payload.empty() ? 0 : payload.front(); }

}  // namespace

Result<Socket> Socket::open() {
  UniqueFd fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)};
  if (!fd) return system_error("nftables: this kernel has no netfilter netlink (nfnetlink)");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return system_error("nftables: bind a netlink socket");
  }
  // Without CAP_NET_ADMIN reading still works, and the rest is refused anyway.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer_bytes, sizeof send_buffer_bytes);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes,
               sizeof receive_buffer_bytes);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return Socket{std::move(fd), address.nl_pid};
}

Result<void> Socket::exchange(Batch& batch, bool commits, std::string_view doing) {
  const std::vector<std::uint8_t>& octets = batch.finish(commits);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd_.get(), octets.data(), octets.size(), 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return system_error(fmt::format("{}: nftables: send", doing));
  }
  // The kernel works on a batch within the call above: what it has to say is there.
  bool taken = false;
  std::optional<std::pair<int, std::string>> refused;
  const auto note = [&](const nlmsghdr& head, ByteView payload) {
    if (head.nlmsg_type != NLMSG_ERROR) return;
    const int error = error_of(payload);
    if (error == 0) {
      taken = taken || head.nlmsg_seq == batch.acknowledged_sequence();
    } else if (!refused) {
      refused.emplace(error, std::string{batch.source_of(head.nlmsg_seq)});
    }
  };
  int failed = 0;
  while (failed == 0) failed = receive(fd_.get(), MSG_DONTWAIT, note);
  if (refused) {
    return system_error(refused->first,
                        fmt::format("{}: nftables refuses \"{}\"", doing, refused->second));
  }
  if (failed != EAGAIN) return system_error(failed, fmt::format("{}: nftables: receive", doing));
  if (!taken) {
    return make_error(Error::Kind::unavailable, fmt::format("{}: nftables: no answer", doing));
  }
  return {};
}

Result<void> Socket::commit(Batch batch, std::string_view doing) {
  return exchange(batch, true, doing);
}

Result<void> Socket::try_out(Batch batch, std::string_view doing) {
  return exchange(batch, false, doing);
}

namespace {

// One request that is answered by messages; errno, or 0.
int ask(int fd, std::uint8_t message, std::uint16_t flags, const Attributes& wanted,
        const OnMessage& on_message) {
  std::vector<std::uint8_t> request(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg)));
  request.insert(request.end(), wanted.view().begin(), wanted.view().end());
  nlmsghdr head{};
  head.nlmsg_len = static_cast<std::uint32_t>(request.size());
  head.nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8U | message);
  head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  std::memcpy(request.data(), &head, sizeof head);
  request[NLMSG_HDRLEN] = NFPROTO_INET;
  if (::send(fd, request.data(), request.size(), 0) < 0) return errno;
  bool done = false;
  int refused = 0;
  const auto note = [&](const nlmsghdr& answer, ByteView payload) {
    if (answer.nlmsg_type == NLMSG_DONE) {
      done = true;
    } else if (answer.nlmsg_type == NLMSG_ERROR) {
      done = true;
      refused = error_of(payload);
    } else {
      on_message(answer, payload);
    }
  };
  while (!done) {
    if (const int failed = receive(fd, 0, note); failed != 0) return failed;
  }
  return refused;
}

}  // namespace

Result<std::vector<Counter>> Socket::counters(const std::string& table) {
  std::vector<Counter> counters;
  Attributes wanted;
  wanted.text(NFTA_OBJ_TABLE, table);
  wanted.number(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
  const auto note = [&](const nlmsghdr&, ByteView payload) {
    const ByteView attributes = attributes_of(payload);
    const ByteView data = find(attributes, NFTA_OBJ_DATA).value_or(ByteView{});
    // The table asked for is a filter of the dump, and not every kernel has it.
    if (text_of(attributes, NFTA_OBJ_TABLE) != table) return;
    counters.push_back({text_of(attributes, NFTA_OBJ_NAME), number_of(data, NFTA_COUNTER_PACKETS),
                        number_of(data, NFTA_COUNTER_BYTES)});
  };
  const int failed = ask(fd_.get(), NFT_MSG_GETOBJ, NLM_F_DUMP, wanted, note);
  if (failed != 0 && failed != ENOENT) {
    return system_error(failed, "nftables: read the counters of " + table);
  }
  return counters;
}

Result<bool> Socket::has_table(const std::string& table) {
  Attributes wanted;
  wanted.text(NFTA_TABLE_NAME, table);
  const int failed =
      ask(fd_.get(), NFT_MSG_GETTABLE, NLM_F_ACK, wanted, [](const nlmsghdr&, ByteView) {});
  if (failed == 0) return true;
  if (failed == ENOENT) return false;
  return system_error(failed, "nftables: look for " + table);
}

Result<void> Socket::listen() {
  const int group = NFNLGRP_NFTABLES;
  if (::setsockopt(fd_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
    return system_error("nftables: listen for changes");
  }
  return {};
}

bool Socket::changed_by_others(const std::string& table, std::uint32_t ours) {
  bool changed = false;
  const auto note = [&](const nlmsghdr& head, ByteView payload) {
    if (head.nlmsg_pid == ours || head.nlmsg_type >> 8U != NFNL_SUBSYS_NFTABLES) return;
    if (family_of(payload) != NFPROTO_INET) return;
    // The name of the table is the first attribute of tables, chains, rules, sets and objects
    // alike.
    changed = changed || text_of(attributes_of(payload), NFTA_TABLE_NAME) == table;
  };
  while (true) {
    const int failed = receive(fd_.get(), MSG_DONTWAIT, note);
    if (failed == ENOBUFS) changed = true;
    if (failed != 0 && failed != ENOBUFS) return changed;
  }
}

}  // namespace tw::nft
