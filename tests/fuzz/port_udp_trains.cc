// link: tw_port
// covers: port/udp/udp_port.cc
// Trains through two sockets on loopback, while the system call that sends them fails, takes a part
// or takes all, as the input says: so every message that the kernel is given, and all that it says
// of what it received, is a real one. Each segment that send() says has left arrives, once, in
// order and byte for byte, with the mark it was sent with; and no other does.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/assert.h"
#include "fuzz_input.h"
#include "port/udp/sockets.h"
#include "port/udp/udp_port.h"

namespace {

using namespace tw;  // NOLINT(google-build-using-namespace)

constexpr std::size_t most_calls = 16;
constexpr std::size_t most_trains = 4;
constexpr std::size_t most_segments = 140;  // more than one message carries

// The outcomes of the next calls of sendmmsg(), front first; behind their end they succeed.
struct Script {
  struct Call {
    int os_errno;    // 0: it succeeds
    unsigned count;  // for so many messages at most
  };
  std::deque<Call> calls;
};
Script script;

int scripted_send(int fd, mmsghdr* messages, unsigned count, int flags) {
  Script::Call call{0, count};
  if (!script.calls.empty()) {
    call = script.calls.front();
    script.calls.pop_front();
  }
  if (call.os_errno != 0) {
    errno = call.os_errno;
    return -1;
  }
  return ::sendmmsg(fd, messages, std::min(count, std::max(1U, call.count)), flags);
}

Result<UdpSocket> open_on_loopback(Family family) {
  return open_udp({.family = family,
                   .address = *IpAddress::parse(family == Family::v4 ? "127.0.0.1" : "::1"),
                   .receive_age = true});
}

struct Pair {
  explicit Pair(Family family) : Pair(*open_on_loopback(family), *open_on_loopback(family)) {}
  Pair(UdpSocket from_socket, UdpSocket to_socket)
      : to_port(to_socket.port),
        from_port(from_socket.port),
        from{std::move(from_socket.fd), &scripted_send},
        to{std::move(to_socket.fd)} {}
  std::uint16_t to_port, from_port;
  UdpPort from, to;
};

struct Segment {
  std::vector<std::uint8_t> bytes;
  std::uint8_t traffic_class;
  friend bool operator==(const Segment&, const Segment&) = default;
};

class Run {
 public:
  Run(const std::uint8_t* bytes, std::size_t size)
      : input_(bytes, size), family_(input_.byte() % 2 == 0 ? Family::v4 : Family::v6) {
    script.calls.clear();
    receive();  // datagrams that an input before has left
  }
  void run() {
    for (std::size_t call = 0; call < most_calls && !input_.empty(); ++call) one_call();
  }

 private:
  Pair& pair() const {
    static Pair v4{Family::v4}, v6{Family::v6};
    return family_ == Family::v4 ? v4 : v6;
  }

  void one_call() {
    write_script();
    const std::size_t count = input_.byte() % most_trains + 1;
    std::vector<std::vector<std::uint8_t>> bytes(count);
    std::vector<Train> trains;
    for (auto& own : bytes) trains.push_back(train_of(own));
    const SendResult result = pair().from.send(trains);
    TW_ASSERT(result.taken <= trains.size());
    TW_ASSERT(result.taken == trains.size() || result.os_errno != 0 || result.source_gone);
    TW_ASSERT(result.partial == 0 || result.taken < trains.size());
    std::vector<Segment> left;
    for (std::size_t i = 0; i < trains.size() && i <= result.taken; ++i) {
      const std::size_t segments = trains[i].segments();
      TW_ASSERT(i < result.taken || result.partial < segments);
      const std::size_t gone = i < result.taken ? segments : result.partial;
      for (std::size_t at = 0; at < gone; ++at) {
        const ByteSpan segment = trains[i].segment(at);
        left.push_back({{segment.begin(), segment.end()}, trains[i].traffic_class});
      }
    }
    script.calls.clear();
    TW_ASSERT(receive() == left);
  }
  void write_script() {
    constexpr std::array errors{EINTR,   ECONNREFUSED, EINVAL,      EIO,           EMSGSIZE, EAGAIN,
                                ENOBUFS, EPERM,        ENETUNREACH, EADDRNOTAVAIL, EHOSTDOWN};
    script.calls.clear();
    for (std::size_t calls = input_.byte() % 8; calls > 0; --calls) {
      const std::uint8_t what = input_.byte();
      const int os_errno = what < 128 ? 0 : errors[what % errors.size()];
      script.calls.push_back({os_errno, what % 8U + 1});
    }
  }
  Train train_of(std::vector<std::uint8_t>& bytes) {
    Train train;
    const std::uint32_t segment = 1 + input_.word() % 1600U;
    const std::uint32_t most = std::min<std::uint32_t>(60000, segment * most_segments);
    bytes.resize(input_.word() % most);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(++stamp_ + i * 7);
    }
    train.bytes = bytes.data();
    train.length = static_cast<std::uint32_t>(bytes.size());
    train.segment_size = std::min(segment, train.length);
    train.traffic_class = static_cast<std::uint8_t>(input_.byte() & 0xfcU);
    const std::uint8_t how = input_.byte();
    if (how % 4 == 1) train.hop_limit = 9;
    const IpAddress own = *IpAddress::parse(family_ == Family::v4 ? "127.0.0.1" : "::1");
    if (how % 4 == 2) train.local = {own, 1};
    train.destination = {own, pair().to_port, 0};
    return train;
  }
  std::vector<Segment> receive() {
    static PacketBatch batch{64, 65535};
    std::vector<Segment> all;
    for (batch.clear(); pair().to.poll(batch) > 0; batch.clear()) {
      for (const Train& train : batch.trains()) {
        TW_ASSERT(train.source.port == pair().from_port && train.age >= Duration::zero());
        for (std::size_t i = 0; i < train.segments(); ++i) {
          const ByteSpan segment = train.segment(i);
          all.push_back({{segment.begin(), segment.end()}, train.traffic_class});
        }
      }
    }
    return all;
  }

  testing::FuzzInput input_;
  Family family_;
  std::uint8_t stamp_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  Run{bytes, size}.run();
  return 0;
}
