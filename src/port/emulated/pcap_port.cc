#include "port/emulated/pcap_port.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "port/segments.h"
#include "wire/be.h"
#include "wire/checksum.h"

namespace tw {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} << 10U;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint8_t time_to_live = 64;

struct FileHeader {
  std::uint32_t magic = 0xa1b2c3d4;  // microseconds, this machine's byte order
  std::uint16_t major = 2, minor = 4;
  std::uint32_t zone = 0, accuracy = 0;
  std::uint32_t longest = 262'144;
  std::uint32_t link_type = 101;  // LINKTYPE_RAW
};
static_assert(sizeof(FileHeader) == 24);

struct RecordHeader {
  std::uint32_t seconds, microseconds;
  std::uint32_t stored, length;
};
static_assert(sizeof(RecordHeader) == 16);

// The IP and UDP headers in front of a datagram; our own address stays 0, nobody here knows it.
std::size_t write_headers(ByteSpan out, const Train& train, std::size_t payload, bool received) {
  const Endpoint& remote = received ? train.source : train.destination;
  const bool v4 = remote.address.is_v4();
  const std::size_t ip = v4 ? 20 : 40;
  const auto udp_length = static_cast<std::uint16_t>(payload + 8);
  std::ranges::fill(out, std::uint8_t{0});
  if (v4) {
    out[0] = 0x45;
    out[1] = train.traffic_class;
    store_be16(out, 2, static_cast<std::uint16_t>(ip + udp_length));
    out[8] = time_to_live;
    out[9] = protocol_udp;
    std::ranges::copy(remote.address.bytes(), out.begin() + (received ? 12 : 16));
    InternetSum sum;
    sum.add(out.first(ip));
    store_be16(out, 10, sum.checksum());
  } else {
    store_be32(out, 0, 0x60000000U | std::uint32_t{train.traffic_class} << 20U);
    store_be16(out, 4, udp_length);
    out[6] = protocol_udp;
    out[7] = time_to_live;
    std::ranges::copy(remote.address.bytes(), out.begin() + (received ? 8 : 24));
  }
  store_be16(out, ip + (received ? 0 : 2), remote.port);
  store_be16(out, ip + 4, udp_length);
  return ip + 8;
}

}  // namespace

Result<PcapPort> PcapPort::open(Port& inner, const Clock& clock, const std::string& path,
                                std::uint64_t max_bytes) {
  UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                       S_IRUSR | S_IWUSR)};
  if (!file) return system_error("open " + path);
  return PcapPort{inner, clock, std::move(file), max_bytes};
}

PcapPort::PcapPort(Port& inner, const Clock& clock, UniqueFd file, std::uint64_t max_bytes)
    : inner_(inner), clock_(clock), file_(std::move(file)), room_bytes_(max_bytes) {
  buffer_.reserve(buffer_bytes);
  const FileHeader header;
  buffer_.resize(sizeof header);
  std::memcpy(buffer_.data(), &header, sizeof header);
  room_bytes_ -= std::min<std::uint64_t>(room_bytes_, sizeof header);
}

PcapPort::~PcapPort() { flush(); }

std::size_t PcapPort::poll(PacketBatch& batch) noexcept {
  const std::size_t before = batch.size();
  const std::size_t count = inner_.poll(batch);
  for (std::size_t i = before; i < batch.size(); ++i) record(batch[i], true);
  return count;
}

SendResult PcapPort::send(std::span<const Train> trains) noexcept {
  const SendResult result = inner_.send(trains);
  for (const Train& train : trains.first(result.taken)) record(train, false);
  return result;
}

bool PcapPort::arm() noexcept {
  flush();  // before a sleep, so that whoever reads along sees everything
  return inner_.arm();
}

void PcapPort::record(const Train& train, bool received) noexcept {
  if (!is_tapping()) return;
  if (!TrainSegments::is_datagrams(train)) return write_record({}, train.all());
  std::array<std::uint8_t, 48> headers;
  for (std::size_t i = 0; i < train.segments(); ++i) {
    const ByteSpan payload = train.segment(i);
    const std::size_t size = write_headers(headers, train, payload.size(), received);
    write_record(std::span{headers}.first(size), payload);
  }
}

void PcapPort::write_record(ByteView headers, ByteView payload) noexcept {
  if (!is_tapping()) return;
  const std::size_t length = headers.size() + payload.size();
  const std::size_t whole = sizeof(RecordHeader) + length;
  if (whole > room_bytes_) return stop("its bound is reached");
  if (buffer_.size() + whole > buffer_.capacity()) flush();
  const auto now = clock_.wall().since_epoch;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const RecordHeader header{
      static_cast<std::uint32_t>(seconds.count()),
      static_cast<std::uint32_t>((now - seconds) / std::chrono::microseconds{1}),
      static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(length)};
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&header);
  buffer_.insert(buffer_.end(), bytes, bytes + sizeof header);
  buffer_.insert(buffer_.end(), headers.begin(), headers.end());
  buffer_.insert(buffer_.end(), payload.begin(), payload.end());
  room_bytes_ -= whole;
}

void PcapPort::flush() noexcept {
  if (!is_tapping()) return;
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(file_.get(), buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Takes back the piece of a record that still found room; what was flushed before stays.
      [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(written_bytes_));
      buffer_.clear();
      return stop("the disk is full or gone");
    }
    done += static_cast<std::size_t>(written);
  }
  written_bytes_ += buffer_.size();
  buffer_.clear();
}

void PcapPort::stop(const char* why) noexcept {
  if (!buffer_.empty()) flush();
  if (!is_tapping()) return;  // that has stopped it already
  file_.reset();
  log::warning("packet capture stopped: {}", why);
}

}  // namespace tw
