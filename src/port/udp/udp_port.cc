#include "port/udp/udp_port.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "port/udp/sockets.h"
#include "port/udp/udp_control.h"
#include "wire/sockaddr.h"

namespace tw {
namespace {

constexpr std::size_t messages_per_call = 64;
constexpr std::size_t bytes_per_call = std::size_t{128} << 10U;
constexpr std::size_t local_control_bytes = CMSG_SPACE(sizeof(in6_pktinfo));  // the longer of two
constexpr std::size_t receive_control_bytes =
    3 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(timespec)) + local_control_bytes;
constexpr std::size_t send_control_bytes = 3 * CMSG_SPACE(sizeof(int)) + local_control_bytes;
constexpr std::size_t no_train = SIZE_MAX;
constexpr std::size_t kernel_max_segments = 128;
constexpr std::size_t old_kernel_max_segments = 64;  // UDP_MAX_SEGMENTS before Linux 6.9
constexpr unsigned queued_errors_per_poll = 8;       // each failed call takes one off the socket
constexpr Duration oldest_train = 1s;  // what says it is older has seen the clock being set

// Appends control messages to a msghdr whose control buffer is large enough for all of them.
template <typename T>
void add_control(msghdr& message, int level, int type, T value) noexcept {
  auto* const header = reinterpret_cast<cmsghdr*>(static_cast<std::uint8_t*>(message.msg_control) +
                                                  message.msg_controllen);
  *header = {.cmsg_len = CMSG_LEN(sizeof value), .cmsg_level = level, .cmsg_type = type};
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  message.msg_controllen += CMSG_SPACE(sizeof value);
}

Duration since_epoch(const timespec& time) noexcept {
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

// The kernel stamps packets with the wall clock, which may have been set since.
Duration age_of(const timespec& arrival, Duration now) noexcept {
  const Duration age = now - since_epoch(arrival);
  return age < Duration::zero() || age > oldest_train ? Duration::zero() : age;
}

void add_local(msghdr& message, const LocalAddress& local) noexcept {
  const ByteView octets = local.address.bytes();
  if (local.address.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, octets.data(), octets.size());
    return add_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, octets.data(), octets.size());
  if (local.address.is_link_local()) info.ipi6_ifindex = local.ifindex;
  add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

// Returns true for the errors by which the kernel refuses a source address that is gone, or has no
// route any more. It says the same for other reasons.
bool may_blame_source(int os_errno) noexcept {
  return os_errno == EINVAL || os_errno == EADDRNOTAVAIL || os_errno == ENODEV ||
         os_errno == ENETUNREACH || os_errno == EHOSTUNREACH;
}

bool kernel_takes_trains(int fd) noexcept {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_UDP, UDP_SEGMENT, &value, &length) == 0;
}

}  // namespace

struct UdpPort::Receive {
  std::array<mmsghdr, messages_per_call> messages{};
  std::array<iovec, messages_per_call> buffers{};
  std::array<sockaddr_in6, messages_per_call> sources{};
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, receive_control_bytes> bytes;
  };
  std::array<Control, messages_per_call> controls{};

  void prepare(std::size_t index, ByteSpan buffer) noexcept {
    buffers[index] = {.iov_base = buffer.data(), .iov_len = buffer.size()};
    messages[index] = {};
    messages[index].msg_hdr = {.msg_name = &sources[index],
                               .msg_namelen = sizeof sources[index],
                               .msg_iov = &buffers[index],
                               .msg_iovlen = 1,
                               .msg_control = controls[index].bytes.data(),
                               .msg_controllen = controls[index].bytes.size(),
                               .msg_flags = 0};
  }
};

struct UdpPort::Transmit {
  /// Segments [begin, end) of trains[train]: what one message carries.
  struct Part {
    std::size_t train, begin, end;
    std::size_t count() const noexcept { return end - begin; }
  };
  std::array<mmsghdr, messages_per_call> messages{};
  std::array<iovec, messages_per_call> buffers{};
  std::array<SocketAddress, messages_per_call> targets;
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, send_control_bytes> bytes;
  };
  std::array<Control, messages_per_call> controls{};
  std::array<Part, messages_per_call> parts{};
  std::size_t sourceless = no_train;  ///< the train that is to leave without its local address
  bool is_cut_by_route = false;       ///< what fill() has prepared

  /// Messages for what begins with segment `begin` of trains[train], at most `limit` segments each,
  /// up to the first train that needs other settings of the socket. None if trains[train] must not
  /// be sent at all.
  unsigned fill(std::span<const Train> trains, std::size_t train, std::size_t begin,
                std::size_t limit, PathTable& paths) noexcept;
  void prepare(std::size_t index, const Train& train, bool source_holds) noexcept;
};

unsigned UdpPort::Transmit::fill(std::span<const Train> trains, std::size_t train,
                                 std::size_t begin, std::size_t limit, PathTable& paths) noexcept {
  unsigned count = 0;
  for (; train < trains.size(); ++train, begin = 0) {
    PathTable::Entry& way = paths.find(trains[train]);
    if (way.is_loop) return count;
    const std::uint32_t segment = std::max(1U, trains[train].segment_size);
    const bool is_cut = way.is_cut_by_route(segment);
    if (count > 0 && is_cut != is_cut_by_route) return count;
    is_cut_by_route = is_cut;
    const std::size_t all = trains[train].segments();
    std::size_t most = limit;
    if (all > 1 && way.wants_singles(segment)) {
      if (begin == 0) --way.singles_left;
      most = 1;
    }
    if (is_cut) most = 1;
    const std::size_t step = std::clamp<std::size_t>(max_message_bytes / segment, 1, most);
    for (; begin < all; begin += step) {
      if (count == messages_per_call) return count;
      parts[count] = {train, begin, std::min(begin + step, all)};
      prepare(count++, trains[train], way.source_holds);
    }
  }
  return count;
}

void UdpPort::Transmit::prepare(std::size_t index, const Train& train, bool source_holds) noexcept {
  const Part& part = parts[index];
  const std::size_t first = part.begin * train.segment_size;
  const std::size_t last = std::min<std::size_t>(part.end * train.segment_size, train.length);
  buffers[index] = {.iov_base = train.bytes + first, .iov_len = last - first};
  targets[index] = to_sockaddr(train.destination);
  messages[index] = {};
  msghdr& message = messages[index].msg_hdr;
  message = {.msg_name = &targets[index].storage,
             .msg_namelen = targets[index].length,
             .msg_iov = &buffers[index],
             .msg_iovlen = 1,
             .msg_control = controls[index].bytes.data(),
             .msg_controllen = 0,
             .msg_flags = 0};
  if (train.local.known() && source_holds && part.train != sourceless) {
    add_local(message, train.local);
  }
  if (part.count() > 1) {
    add_control(message, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(train.segment_size));
  }
  const bool v4 = train.destination.address.is_v4();
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  if (train.traffic_class != 0) {
    add_control(message, level, v4 ? IP_TOS : IPV6_TCLASS, int{train.traffic_class});
  }
  if (train.hop_limit != 0) {
    add_control(message, level, v4 ? IP_TTL : IPV6_HOPLIMIT, int{train.hop_limit});
  }
  if (message.msg_controllen == 0) message.msg_control = nullptr;
}

UdpPort::UdpPort(UniqueFd fd, SendMessages send_messages, std::unique_ptr<PathTable> paths,
                 bool receives_trains)
    : fd_(std::move(fd)),
      send_messages_(send_messages),
      receive_(std::make_unique<Receive>()),
      transmit_(std::make_unique<Transmit>()),
      paths_(paths != nullptr ? std::move(paths) : std::make_unique<PathTable>()),
      receives_trains_(receives_trains),
      max_segments_(kernel_takes_trains(fd_.get()) ? kernel_max_segments : 1),
      messages_wanted_(messages_per_call) {}

UdpPort::~UdpPort() = default;

PortCapabilities UdpPort::capabilities() const noexcept {
  return {.receives_trains = receives_trains_, .sends_trains = max_segments_ > 1};
}

std::size_t UdpPort::poll(PacketBatch& batch) noexcept {
  std::size_t appended = 0;
  paths_->begin_turn();
  timespec wall{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  const Duration now = since_epoch(wall);
  const Duration unpolled = std::max(now - polled_at_, Duration::zero());
  polled_at_ = now;
  const std::size_t before = batch.size();
  while (const std::size_t wanted = std::min(batch.room(), messages_wanted_)) {
    for (std::size_t i = 0; i < wanted; ++i) receive_->prepare(i, batch.buffer(i));
    const std::size_t came = receive(static_cast<unsigned>(wanted));
    if (came == 0) break;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < came; ++i) {
      bytes += receive_->messages[i].msg_len;
      appended += append_received(i, batch, now) ? 1 : 0;
    }
    // Long trains come a few at a time: the batch's byte limit is looked at between calls.
    messages_wanted_ =
        std::clamp<std::size_t>(bytes_per_call * came / (bytes + 1), 1, messages_per_call);
    if (came < wanted) break;
  }
  for (Train& train : batch.trains().subspan(before)) train.unpolled = unpolled;
  return appended;
}

// An ICMP error queued on the socket fails one call and says nothing about what else has come.
std::size_t UdpPort::receive(unsigned wanted) noexcept {
  for (unsigned attempt = 0; attempt < queued_errors_per_poll; ++attempt) {
    const int count =
        ::recvmmsg(fd_.get(), receive_->messages.data(), wanted, MSG_DONTWAIT, nullptr);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) counters_.receive_errors.add();
  }
  return 0;
}

bool UdpPort::append_received(std::size_t index, PacketBatch& batch, Duration now) noexcept {
  mmsghdr& received = receive_->messages[index];
  msghdr& message = received.msg_hdr;
  Train train;
  train.length = train.segment_size = received.msg_len;
  const UdpControl control = UdpControl::read(
      {static_cast<const std::uint8_t*>(message.msg_control), message.msg_controllen});
  if (control.overflows) note_overflow(*control.overflows);
  // Without its control messages nobody knows where a train's datagrams begin.
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    counters_.truncated.add();
    return false;
  }
  if (control.segment_size > 0) {
    train.segment_size = std::min(control.segment_size, train.length);
  }
  train.traffic_class = control.traffic_class;
  train.local = control.local;
  if (control.arrived) train.age = age_of(*control.arrived, now);
  const std::optional<Endpoint> source =
      from_sockaddr(static_cast<const sockaddr*>(message.msg_name), message.msg_namelen);
  if (!source) {
    counters_.no_source.add();
    return false;
  }
  train.source = *source;
  // After one that was dropped the bytes lie a buffer too far: where the next poll() would write.
  train.bytes = batch.buffer().data();
  const void* const came = receive_->buffers[index].iov_base;
  if (came != train.bytes) std::memcpy(train.bytes, came, train.length);
  batch.append(train);
  return true;
}

// The kernel counts in 32 bits, from the socket's beginning.
void UdpPort::note_overflow(std::uint32_t total) noexcept {
  kernel_drops_.add(total - last_overflow_);
  last_overflow_ = total;
}

SendResult UdpPort::send(std::span<const Train> trains) noexcept {
  SendResult result;
  std::size_t limit = max_segments_;
  transmit_->sourceless = no_train;
  bool refused = false;
  while (!refused && result.taken < trains.size()) {
    if (result.source_gone && *result.source_gone < result.taken) break;
    const unsigned count = transmit_->fill(trains, result.taken, result.partial, limit, *paths_);
    if (count == 0) {
      result.os_errno = ELOOP;
      break;
    }
    obey_route_mtu(transmit_->is_cut_by_route);
    const int sent = send_messages_(fd_.get(), transmit_->messages.data(), count, MSG_DONTWAIT);
    if (sent > 0) {
      note_sent(trains, static_cast<std::size_t>(sent), limit, result);
      continue;
    }
    int os_errno = errno;
    const Transmit::Part part = transmit_->parts[0];
    if (send_without_source(trains, limit, result, os_errno)) continue;
    switch (diagnose(os_errno, trains[part.train], part.count())) {
      case Remedy::again:
        limit = max_segments_;
        break;
      case Remedy::shorter:
        limit = old_kernel_max_segments;
        break;
      case Remedy::singles:
        limit = max_segments_;
        refused = !send_singles(trains, part.end, result);
        break;
      case Remedy::none:
        result.os_errno = os_errno;
        refused = true;
        break;
    }
  }
  obey_route_mtu(false);
  return result;
}

// For the messages that follow. Refused, they leave as long as the device takes.
void UdpPort::obey_route_mtu(bool obey) noexcept {
  if (obey == obeys_route_mtu_) return;
  if (set_route_mtu(fd_.get(), obey)) obeys_route_mtu_ = obey;
}

// Moves `result` behind the last message sent, and learns what the kernel takes.
void UdpPort::note_sent(std::span<const Train> trains, std::size_t messages, std::size_t& limit,
                        SendResult& result) noexcept {
  for (std::size_t i = 0; i < messages; ++i) {
    const Transmit::Part& part = transmit_->parts[i];
    if (part.count() > 1 && limit < max_segments_) max_segments_ = limit;  // it took the shorter
    if (part.begin > 0) counters_.extra_messages.add();
    result.taken = part.train;
    result.partial = part.end;
    if (part.end == trains[part.train].segments()) {
      ++result.taken;
      result.partial = 0;
    }
  }
  limit = max_segments_;
}

// After the first message of a call was refused with `os_errno`: true if the same one has left
// without its local address, so that it was this that was refused. Nothing else tells: the errno is
// that of other troubles too. If false, `os_errno` is what the kernel says of the message itself.
bool UdpPort::send_without_source(std::span<const Train> trains, std::size_t& limit,
                                  SendResult& result, int& os_errno) noexcept {
  const Transmit::Part part = transmit_->parts[0];
  if (!may_blame_source(os_errno) || !trains[part.train].local.known() ||
      transmit_->sourceless == part.train) {
    return false;
  }
  transmit_->sourceless = part.train;
  transmit_->prepare(0, trains[part.train], false);
  if (send_messages_(fd_.get(), transmit_->messages.data(), 1, MSG_DONTWAIT) == 1) {
    result.source_gone = part.train;
    note_sent(trains, 1, limit, result);
    return true;
  }
  os_errno = errno;
  transmit_->sourceless = no_train;
  return false;
}

UdpPort::Remedy UdpPort::diagnose(int os_errno, const Train& train, std::size_t segments) noexcept {
  // ECONNREFUSED: an ICMP error queued before; reporting it has cleared it.
  if (os_errno == EINTR || os_errno == ECONNREFUSED) return Remedy::again;
  if (segments <= 1) return Remedy::none;
  // EIO: a device that cannot finish checksums, or IPsec. The others: segments longer than the
  // path's MTU, if it was not their number. All of that is this destination's business alone; a
  // kernel that takes no train at all has said so when the port was made.
  if (os_errno != EIO && os_errno != EINVAL && os_errno != EMSGSIZE) return Remedy::none;
  if (os_errno != EIO && segments > old_kernel_max_segments) return Remedy::shorter;
  counters_.trains_refused.add();
  PathTable::refused(paths_->find(train), os_errno == EIO ? 0 : train.segment_size);
  return Remedy::singles;
}

// Sends up to segment `end` of trains[result.taken] one by one. False if one was refused.
bool UdpPort::send_singles(std::span<const Train> trains, std::size_t end,
                           SendResult& result) noexcept {
  const std::size_t train = result.taken;
  while (result.taken == train && result.partial < end) {
    const unsigned filled =
        transmit_->fill(trains.first(train + 1), train, result.partial, 1, *paths_);
    if (filled == 0) {
      result.os_errno = ELOOP;
      return false;
    }
    const auto count = static_cast<unsigned>(std::min<std::size_t>(filled, end - result.partial));
    const int sent = send_messages_(fd_.get(), transmit_->messages.data(), count, MSG_DONTWAIT);
    if (sent > 0) {
      std::size_t limit = max_segments_;
      note_sent(trains, static_cast<std::size_t>(sent), limit, result);
      continue;
    }
    int os_errno = errno;
    std::size_t limit = 1;
    if (send_without_source(trains, limit, result, os_errno)) continue;
    if (diagnose(os_errno, trains[train], 1) == Remedy::none) {
      result.os_errno = os_errno;
      return false;
    }
  }
  return true;
}

}  // namespace tw
