// link: tw_port
// covers: port/kernel/syn_watch.cc
// Frames for the program that watches for SYNs (bpf/syn_watch.bpf.c), run by the kernel itself
// (BPF_PROG_RUN), and judged by a reader written down here from the RFCs: what that finds a SYN is
// reported as that reads it, nothing else is, and no frame is changed or held up. The input is a
// byte that says how, and a frame without its addresses. Without the privileges it takes nothing is
// tried.
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "port/kernel/syn_watch.h"

namespace {

using tw::ByteView, tw::IpAddress;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t link_header = 14;
constexpr std::size_t longest = 1500;             // the kernel wants a page for all
constexpr std::uint32_t untouched = 0xffff'ffff;  // TC_ACT_UNSPEC
constexpr std::uint32_t plenty = 100'000'000;

std::size_t number(ByteView bytes, std::size_t at, std::size_t size) {
  std::size_t read = 0;
  for (std::size_t i = 0; i < size; ++i) read = read << 8U | bytes[at + i];
  return read;
}

struct NaiveSyn {
  IpAddress client, target;
  std::size_t client_port, target_port, sequence, payload;
};

/// Where TCP begins, and how long the whole packet is by its own words.
struct Place {
  std::size_t tcp, total;
};

std::optional<Place> place_v4(ByteView packet) {
  if (packet.size() < 20 || packet[0] / 16 != 4 || packet[0] % 16 < 5) return {};
  if (packet[9] != 6 || number(packet, 6, 2) % 0x4000 != 0) return {};  // more to come, or offset
  return Place{packet[0] % 16U * std::size_t{4}, number(packet, 2, 2)};
}

// Hop-by-hop options, routing and destination options, no more than four together (abi.h).
std::optional<Place> place_v6(ByteView packet) {
  if (packet.size() < 40 || packet[0] / 16 != 6) return {};
  Place place{40, 40 + number(packet, 4, 2)};
  std::uint8_t next = packet[6];
  for (int extensions = 0; next != 6; ++extensions) {
    if (extensions == 4 || (next != 0 && next != 43 && next != 60)) return {};
    if (packet.size() < place.tcp + 2) return {};
    next = packet[place.tcp];
    place.tcp += 8 + packet[place.tcp + 1] * std::size_t{8};
  }
  return place;
}

// A SYN that begins a connection, whole but for what the link's header hides of its end.
std::optional<NaiveSyn> naive_syn(std::size_t type, ByteView packet) {
  if (type != 0x0800 && type != 0x86dd) return {};
  const bool v4 = type == 0x0800;
  const auto place = v4 ? place_v4(packet) : place_v6(packet);
  if (!place || packet.size() < place->tcp + 20) return {};
  const ByteView tcp = packet.subspan(place->tcp);
  const std::size_t header = tcp[12] / 16U * std::size_t{4};
  if (header < 20 || (tcp[13] & 0x17U) != 0x02) return {};
  if (place->total < place->tcp + header || packet.size() + link_header < place->total) return {};
  const std::size_t addresses = v4 ? 12 : 8, size = v4 ? 4 : 16;
  return NaiveSyn{IpAddress::from_bytes(packet.subspan(addresses, size)),
                  IpAddress::from_bytes(packet.subspan(addresses + size, size)),
                  number(tcp, 0, 2),
                  number(tcp, 2, 2),
                  number(tcp, 4, 4),
                  place->total - place->tcp - header};
}

// Returns false for an address that no client can have: report_of() refuses it. IPv4 inside IPv6 is
// IPv4.
bool can_be_client(const NaiveSyn& syn) {
  ByteView bytes = syn.client.bytes();
  if (bytes.size() == 16 && number(bytes, 0, 8) == 0 && number(bytes, 8, 4) == 0xffff) {
    bytes = bytes.last(4);
  }
  const auto is_all = [&](std::uint8_t octet) {
    return std::ranges::all_of(bytes, [&](std::uint8_t byte) { return byte == octet; });
  };
  if (syn.client_port == 0 || is_all(0)) return false;
  if (bytes.size() == 4) {
    const bool is_link_local = bytes[0] == 169 && bytes[1] == 254;
    return bytes[0] != 127 && bytes[0] / 16 != 14 && !is_link_local && !is_all(0xff);
  }
  const bool is_loopback = number(bytes, 0, 8) == 0 && number(bytes, 8, 8) == 1;
  return !is_loopback && bytes[0] != 0xff && !(bytes[0] == 0xfe && bytes[1] / 64 == 2);
}

tw::SynWatch* watch() {
  static const auto loaded = [] {
    auto made = tw::SynWatch::load({plenty, plenty, plenty, plenty, plenty, plenty});
    if (!made) std::fprintf(stderr, "nothing is tried: %s\n", made.error().text().c_str());
    return made ? std::make_unique<tw::SynWatch>(std::move(*made)) : nullptr;
  }();
  return loaded.get();
}

// False if the kernel does not take such a frame for a run.
bool run(const Bytes& frame, std::uint32_t segments) {
  Bytes out(frame.size());
  __sk_buff context{};
  context.gso_segs = segments;
  bpf_attr attributes{};
  auto& run = attributes.test;
  run.prog_fd = static_cast<std::uint32_t>(watch()->program_fd());
  run.data_in = reinterpret_cast<std::uintptr_t>(frame.data());
  run.data_size_in = static_cast<std::uint32_t>(frame.size());
  run.data_out = reinterpret_cast<std::uintptr_t>(out.data());
  run.data_size_out = static_cast<std::uint32_t>(out.size());
  run.ctx_in = reinterpret_cast<std::uintptr_t>(&context);
  run.ctx_size_in = sizeof context;
  if (::syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes) != 0) return false;
  TW_ASSERT(run.retval == untouched && out == frame);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 3 || watch() == nullptr) return 0;
  // Addresses of the link: to this machine, to all, to another one.
  constexpr std::array<std::uint8_t, 4> targets{0x00, 0x00, 0x01, 0x02};
  const std::uint8_t target = targets[bytes[0] % targets.size()];
  const std::uint32_t segments = bytes[0] / 4U % 4;
  Bytes frame(12, 0);
  frame[0] = target;
  frame.insert(frame.end(), bytes + 1, bytes + std::min(size, longest));
  const auto before = watch()->counters();
  if (!run(frame, segments)) return 0;
  const ByteView packet = ByteView{frame}.subspan(link_header);
  auto syn = naive_syn(number(frame, 12, 2), packet);
  if (target != 0 || segments > 1) syn.reset();
  const auto after = watch()->counters();
  TW_ASSERT(before && after);
  TW_ASSERT(after->seen == before->seen + (syn ? 1 : 0));
  TW_ASSERT(after->reported == before->reported + (syn ? 1 : 0));
  tw::SynReport report;
  const bool came = watch()->pop(report);
  TW_ASSERT(came == (syn && can_be_client(*syn)));
  if (!came) return 0;
  TW_ASSERT(report.client ==
            (tw::Endpoint{syn->client, static_cast<std::uint16_t>(syn->client_port), 0}));
  TW_ASSERT(report.target ==
            (tw::Endpoint{syn->target, static_cast<std::uint16_t>(syn->target_port), 0}));
  TW_ASSERT(report.sequence == syn->sequence && report.payload_bytes == syn->payload);
  TW_ASSERT(!report.proven && !report.is_held());
  return 0;
}
