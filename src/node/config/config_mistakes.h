// Collects the mistakes of a configuration file: a person mends a file once, not once a
// mistake. Whoever reads a value remembers where it stood, under the value's key ("peer[2].name",
// counted from 1); whoever finds a mistake, then or much later, names the key alone.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/config/config.h"

namespace tw::node {

/// Where something stands in a file, both from 1; 0: the file as a whole.
struct Place {
  std::uint32_t line = 0, column = 0;
};

/// A mistake in one value, before it is known where it stands.
struct Flaw {
  std::string what;
  std::string mend;
};
template <typename T>
using Parsed = std::expected<T, Flaw>;

inline std::unexpected<Flaw> flaw(std::string what, std::string mend) {
  return std::unexpected{Flaw{.what = std::move(what), .mend = std::move(mend)}};
}

/// Text of a file, fit for a message: in quotes, on one line, cut to 60 bytes. What looks like a
/// key is not shown at all, wherever it was written by mistake.
std::string shown(std::string_view text);

/// 43 or 44 characters of base64 alone: a key with, or just without, its padding.
bool looks_like_key(std::string_view text) noexcept;

/// The candidate that `word` is most likely a slip of; empty if none is near. Cost: the product of
/// the lengths, a candidate; words above 64 bytes are near to nothing.
std::string_view nearest(std::string_view word, std::span<const std::string> candidates);

/// `did you mean "…"?`, or `otherwise` where nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates,
                         std::string otherwise);

class MistakeList {
 public:
  /// A file that is wrong from end to end shall not fill the memory, or the screen.
  static constexpr std::size_t most = 500;

  explicit MistakeList(std::string file) : file_(std::move(file)) {}

  const std::string& file() const noexcept { return file_; }

  void remember(const std::string& key, Place place) { places_.insert_or_assign(key, place); }
  /// The place of `key`, or of the nearest table or list around it that was remembered.
  Place place_of(std::string_view key) const;

  void add(std::string key, std::string what, std::string mend);
  void add_at(Place place, std::string key, std::string what, std::string mend);
  void add(std::string key, const Flaw& flaw) { add(std::move(key), flaw.what, flaw.mend); }

  bool empty() const noexcept { return found_.empty(); }
  /// All of them, in the order of the file.
  std::vector<ConfigMistake> take();

 private:
  std::string file_;
  std::unordered_map<std::string, Place> places_;
  std::vector<ConfigMistake> found_;
};

/// `key` of the file of `owner`, as whoever mends the file of `reader` finds it: with its place if
/// that is another file.
std::string key_seen_from(const MistakeList& reader, const std::string& key,
                          const MistakeList& owner);

}  // namespace tw::node
