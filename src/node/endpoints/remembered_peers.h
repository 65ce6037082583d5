// Where recent peers were, kept over a restart. A client that has a session goes on sending under
// its keys, which died with the process, and hears nothing for 15 s until it asks anew; a node that
// knows where the client was asks first.
//
// A file of text, root's alone, replaced whole. Each line is a peer: KEY ENDPOINT OWN-ADDRESS
// INTERFACE SECONDS, "-" and 0 where our address is not known. A line that this program would not
// have written is passed over, and costs nobody but whoever it may have been about.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "port/train.h"
#include "wire/address.h"

namespace tw::node {

struct RememberedPeer {
  crypto::PublicKey public_key;
  Endpoint endpoint;
  tw::LocalAddress local;  ///< the address of ours that the peer spoke to, if known; not node's
  WallTime handshake;      ///< the latest, to the second
  friend bool operator==(const RememberedPeer&, const RememberedPeer&) = default;
};

/// As many as a device has.
inline constexpr std::size_t remembered_peers_max = std::size_t{1} << 16U;
/// After this (REJECT_AFTER_TIME) a client asks for a handshake by itself before it sends.
inline constexpr Duration remembered_for = 180s;

struct RememberedText {
  std::vector<RememberedPeer> peers;
  std::size_t damaged_lines = 0;  ///< passed over
};

/// At most remembered_peers_max of them.
std::string to_text(std::span<const RememberedPeer> peers);
/// The first remembered_peers_max of them; lines beyond count as damaged. A line without its
/// newline was never finished, and is damaged.
RememberedText remembered_peers_from(std::string_view text);
/// Returns the peers whose sessions live at `now`, each key once.
std::vector<RememberedPeer> still_recent(std::vector<RememberedPeer> peers, WallTime now);

class PeerMemory {
 public:
  /// DIRECTORY/DEVICE.NAMESPACE.peers, as the journal beside it (machine/journal.h).
  static Result<PeerMemory> of(const std::string& directory, const std::string& device);
  /// A file with this path.
  explicit PeerMemory(std::string path) : path_(std::move(path)) {}

  /// None if there is no file. Refuses one that is not ours, or that others may touch; a symbolic
  /// link is not followed. Of a file longer than any of ours the rest is not read.
  Result<RememberedText> load() const;
  /// Replaces the file (mode 0600) in one step, unless it would say the same as the last time: a
  /// crash leaves the old one or the new one. No peers: removes it.
  Result<void> save(std::span<const RememberedPeer> peers);
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  std::optional<std::size_t> saved_;  // a hash of what is in the file
};

}  // namespace tw::node
