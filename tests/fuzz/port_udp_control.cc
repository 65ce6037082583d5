// link: tw_port
// covers: port/udp/udp_control.cc
// Control messages of a received train, as a kernel (or what claims to be one) fills a buffer: the
// first byte says how much of the train's 64 KB came, the rest is the buffer. Not a byte outside it
// is read; what is believed is what a naive reader finds, which takes the buffer apart into a list
// first; and whatever the segment size, the segments cover the train.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "port/udp/udp_control.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

// cmsg(3) on a 64-bit machine: length (8), level (4), type (4), value, padded to 8.
struct Message {
  std::uint32_t level, type;
  Bytes value;

  std::uint64_t number(std::size_t at, std::size_t size) const {
    std::uint64_t read = 0;
    for (std::size_t i = size; i > 0; --i) read = read << 8U | value[at + i - 1];
    return read;
  }
};

std::vector<Message> messages_of(const Bytes& buffer) {
  std::vector<Message> all;
  for (std::size_t at = 0; at + 16 <= buffer.size();) {
    const Message header{0, 0, Bytes(buffer.begin() + static_cast<long>(at), buffer.end())};
    const std::uint64_t claimed = header.number(0, 8);
    if (claimed < 16) break;
    const std::size_t length = std::min<std::uint64_t>(claimed, buffer.size() - at);
    all.push_back(
        {static_cast<std::uint32_t>(header.number(8, 4)),
         static_cast<std::uint32_t>(header.number(12, 4)),
         Bytes(header.value.begin() + 16, header.value.begin() + static_cast<long>(length))});
    at += (length + 7) / 8 * 8;
  }
  return all;
}

// The last one that is long enough; null if there is none.
const Message* last_of(const std::vector<Message>& all, std::uint32_t level, std::uint32_t type,
                       std::size_t size) {
  const Message* found = nullptr;
  for (const Message& one : all) {
    if (one.level == level && one.type == type && one.value.size() >= size) found = &one;
  }
  return found;
}

// The last one of a kind that says a number above 0, as an int; 0 if there is none.
std::uint32_t last_positive(const std::vector<Message>& all, std::uint32_t level,
                            std::uint32_t type) {
  std::uint32_t found = 0;
  for (const Message& one : all) {
    if (one.level != level || one.type != type || one.value.size() < 4) continue;
    const auto number = static_cast<std::uint32_t>(one.number(0, 4));
    if (number > 0 && number <= INT32_MAX) found = number;
  }
  return found;
}

void check_addresses(const std::vector<Message>& all, const tw::UdpControl& control) {
  const Message* const v4 = last_of(all, IPPROTO_IP, IP_PKTINFO, 12);
  const Message* const v6 = last_of(all, IPPROTO_IPV6, IPV6_PKTINFO, 20);
  const Message* const last = std::max(v4, v6);  // they lie in one list
  if (last == nullptr) {
    TW_ASSERT(!control.local.known());
  } else if (last == v4) {
    TW_ASSERT(control.local.ifindex == v4->number(0, 4));
    TW_ASSERT(control.local.address.is_v4());
    TW_ASSERT(
        std::ranges::equal(control.local.address.bytes(), tw::ByteView{v4->value}.subspan(4, 4)));
  } else {
    TW_ASSERT(control.local.ifindex == v6->number(16, 4));
    TW_ASSERT(std::ranges::equal(control.local.address.bytes(), tw::ByteView{v6->value}.first(16)));
  }
}

void check_segments(std::uint32_t length, std::uint32_t segment_size) {
  tw::Train train;
  train.length = length;
  train.segment_size = segment_size > 0 ? std::min(segment_size, length) : length;
  const std::size_t count = train.segments();
  TW_ASSERT(count >= 1 && count <= std::max(1U, length));
  TW_ASSERT(count * train.segment_size >= length);
  TW_ASSERT(length == 0 || (count - 1) * train.segment_size < length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 1) return 0;
  const Bytes buffer(bytes + 1, bytes + size);
  const auto all = messages_of(buffer);
  const auto control = tw::UdpControl::read(buffer);
  TW_ASSERT(control.segment_size == last_positive(all, SOL_UDP, UDP_GRO));
  const Message* const overflows = last_of(all, SOL_SOCKET, SO_RXQ_OVFL, 4);
  TW_ASSERT(control.overflows.has_value() == (overflows != nullptr));
  if (overflows != nullptr) TW_ASSERT(*control.overflows == overflows->number(0, 4));
  const Message* const arrived = last_of(all, SOL_SOCKET, SO_TIMESTAMPNS, 16);
  TW_ASSERT(control.arrived.has_value() == (arrived != nullptr));
  if (arrived != nullptr) {
    TW_ASSERT(static_cast<std::uint64_t>(control.arrived->tv_sec) == arrived->number(0, 8));
    TW_ASSERT(static_cast<std::uint64_t>(control.arrived->tv_nsec) == arrived->number(8, 8));
  }
  if (const Message* const tos = last_of(all, IPPROTO_IP, IP_TOS, 1);
      tos != nullptr && last_of(all, IPPROTO_IPV6, IPV6_TCLASS, 4) == nullptr) {
    TW_ASSERT(control.traffic_class == tos->value[0]);
  }
  check_addresses(all, control);
  check_segments(bytes[0] * 257U, control.segment_size);
  return 0;
}
