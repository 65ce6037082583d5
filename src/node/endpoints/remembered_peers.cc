#include "node/endpoints/remembered_peers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/file/new_file.h"
#include "base/unique_fd.h"
#include "machine/journal.h"

namespace tw::node {
namespace {

/// A key, two IPv6 addresses with port and zone, and two numbers.
constexpr std::size_t line_bytes_max = 192;
constexpr std::size_t file_bytes_max = remembered_peers_max * line_bytes_max;

/// The text before `end`, which is taken off with it; empty if `end` does not come.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + 1);
  return taken;
}

template <typename Number>
std::optional<Number> number_from(std::string_view text) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string line_of(const RememberedPeer& peer) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(peer.handshake.since_epoch).count();
  return fmt::format("{} {} {} {} {}\n", crypto::key_to_base64(peer.public_key.bytes),
                     peer.endpoint.text(), peer.local.known() ? peer.local.address.text() : "-",
                     peer.local.ifindex, seconds);
}

/// `line` without its newline.
std::optional<RememberedPeer> peer_of(std::string_view line) {
  const std::string_view whole = line;
  const auto key = take_until(line, ' '), endpoint = take_until(line, ' ');
  const auto local = take_until(line, ' '), ifindex = take_until(line, ' ');
  if (!key || !endpoint || !local || !ifindex) return std::nullopt;
  const auto octets = crypto::key_from_base64(*key);
  const auto where = Endpoint::parse(*endpoint);
  const auto own = *local == "-" ? std::optional{IpAddress{}} : IpAddress::parse(*local);
  const auto device = number_from<std::uint32_t>(*ifindex);
  const auto seconds = number_from<std::int64_t>(line);
  constexpr std::int64_t seconds_max = std::int64_t{1} << 33U;  // 2242
  if (!octets || !where || where->port == 0 || !own || !device || !seconds || *seconds < 0 ||
      *seconds > seconds_max) {
    return std::nullopt;
  }
  RememberedPeer peer{.public_key = {},
                      .endpoint = *where,
                      .local = {*own, *device},
                      .handshake = {std::chrono::seconds{*seconds}}};
  peer.public_key.bytes = *octets;
  const bool fits = !peer.local.known() || own->family() == where->address.family();
  // One way to write a thing: what reads otherwise is somebody else's.
  return fits && line_of(peer) == std::string{whole} + '\n' ? std::optional{peer} : std::nullopt;
}

Result<std::string> read_whole(int fd, std::size_t size, const std::string& path) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::read(fd, text.data() + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read " + path);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

}  // namespace

std::string to_text(std::span<const RememberedPeer> peers) {
  std::string text;
  for (const RememberedPeer& peer : peers.first(std::min(peers.size(), remembered_peers_max))) {
    text += line_of(peer);
  }
  return text;
}

RememberedText remembered_peers_from(std::string_view text) {
  RememberedText read;
  while (!text.empty()) {
    const auto line = take_until(text, '\n');
    if (!line) text = {};
    const auto peer = line ? peer_of(*line) : std::nullopt;
    if (peer && read.peers.size() < remembered_peers_max) {
      read.peers.push_back(*peer);
    } else {
      ++read.damaged_lines;
    }
  }
  return read;
}

std::vector<RememberedPeer> still_recent(std::vector<RememberedPeer> peers, WallTime now) {
  std::unordered_set<crypto::PublicKey> seen;
  std::erase_if(peers, [&](const RememberedPeer& peer) {
    // One from the future: the clock was set back, and says nothing.
    return peer.handshake > now || peer.handshake.since_epoch + remembered_for < now.since_epoch ||
           !seen.insert(peer.public_key).second;
  });
  return peers;
}

Result<PeerMemory> PeerMemory::of(const std::string& directory, const std::string& device) {
  const Result<std::uint64_t> cookie = namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  return PeerMemory{fmt::format("{}/{}.{}.peers", directory, device, *cookie)};
}

Result<RememberedText> PeerMemory::load() const {
  const UniqueFd file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file && errno == ENOENT) return RememberedText{};
  if (!file) return system_error("open " + path_);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return system_error("look at " + path_);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return make_error(Error::Kind::config,
                      path_ + " must be a file of ours that nobody else may touch: remove it");
  }
  const std::size_t size = static_cast<std::size_t>(std::max<off_t>(0, status.st_size));
  const auto text = read_whole(file.get(), std::min(size, file_bytes_max), path_);
  if (!text) return std::unexpected(text.error());
  return remembered_peers_from(*text);
}

Result<void> PeerMemory::save(std::span<const RememberedPeer> peers) {
  if (peers.empty()) {
    saved_.reset();
    if (::unlink(path_.c_str()) == 0 || errno == ENOENT) return {};
    return system_error("remove " + path_);
  }
  const std::string text = to_text(peers);
  const std::size_t hash = std::hash<std::string>{}(text);
  // Unless somebody has cleared up.
  if (saved_ == hash && ::access(path_.c_str(), F_OK) == 0) return {};
  saved_.reset();
  // One name, and not a new one each time: a crash leaves one draft at most.
  const std::string draft = path_ + ".new";
  // Left by a crash, or planted: whatever it is, it is not written to.
  ::unlink(draft.c_str());
  const UniqueFd file{
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, private_mode)};
  if (!file) return system_error("create " + draft);
  Result<void> done = write_whole(file.get(), text, draft);
  if (done && ::rename(draft.c_str(), path_.c_str()) != 0) done = system_error("rename " + draft);
  if (!done) {
    ::unlink(draft.c_str());
    return done;
  }
  saved_ = hash;
  return {};
}

}  // namespace tw::node
