#include "node/config/config_mistakes.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

namespace tw::node {
namespace {

constexpr std::size_t longest_shown = 60;
constexpr std::size_t longest_word = 64;
constexpr std::size_t most_candidates = 256;

bool is_base64(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

/// Optimal string alignment: insertions, deletions, substitutions, and swapped neighbours.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::array<std::array<std::size_t, longest_word + 1>, 3> rows{};
  std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& above_that = rows[(i + 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t changed = left[i - 1] == right[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + changed});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
        row[j] = std::min(row[j], above_that[j - 2] + 1);
      }
    }
  }
  return rows[left.size() % 3][right.size()];
}

}  // namespace

bool looks_like_key(std::string_view text) noexcept {
  const bool padded = text.size() == 44 && text.ends_with('=');
  if (padded) text.remove_suffix(1);
  return text.size() == 43 && (padded || text.front() != '/') &&
         std::ranges::all_of(text, is_base64);
}

std::string shown(std::string_view text) {
  // Where a key hides between other characters, its neighbours are hidden with it.
  for (std::size_t run = 0; const char c : text) {
    run = is_base64(c) ? run + 1 : 0;
    // A long path may look like one, too; but one key in 64 begins with a slash.
    if (run >= 42) return "(what may be a key)";
  }
  std::string out = "\"";
  for (const char c : text.substr(0, longest_shown)) {
    const auto octet = static_cast<unsigned char>(c);
    out += octet < 0x20 || octet == 0x7f || c == '"' ? '?' : c;
  }
  if (text.size() > longest_shown) {
    // Not in the middle of a character of UTF-8.
    while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0x80U) != 0) out.pop_back();
    out += "…";
  }
  return out + '"';
}

std::string_view nearest(std::string_view word, std::span<const std::string> candidates) {
  if (word.size() > longest_word || candidates.size() > most_candidates) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest_word) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates,
                         std::string otherwise) {
  const std::string_view best = nearest(word, candidates);
  return best.empty() ? std::move(otherwise) : "did you mean " + shown(best) + "?";
}

std::string ConfigMistake::text() const {
  std::string out = file;
  if (line != 0) out += ':' + std::to_string(line) + ':' + std::to_string(column);
  out += ": ";
  if (!key.empty()) out += key + ": ";
  out += what;
  if (!mend.empty()) out += " — " + mend;
  return out;
}

Place MistakeList::place_of(std::string_view key) const {
  while (!key.empty()) {
    if (const auto found = places_.find(std::string{key}); found != places_.end()) {
      return found->second;
    }
    const std::size_t end = key.find_last_of(".[");
    if (end == std::string_view::npos) break;
    key = key.substr(0, end);
  }
  return {};
}

void MistakeList::add(std::string key, std::string what, std::string mend) {
  const Place place = place_of(key);
  add_at(place, std::move(key), std::move(what), std::move(mend));
}

void MistakeList::add_at(Place place, std::string key, std::string what, std::string mend) {
  if (found_.size() > most) return;
  if (found_.size() == most) {
    place = {};
    key.clear();
    what = "more than " + std::to_string(most) + " mistakes";
    mend = "mend these first; the others were not kept";
  }
  found_.push_back({.file = file_,
                    .line = place.line,
                    .column = place.column,
                    .key = std::move(key),
                    .what = std::move(what),
                    .mend = std::move(mend)});
}

std::string key_seen_from(const MistakeList& reader, const std::string& key,
                          const MistakeList& owner) {
  if (&owner == &reader) return key;
  return key + " in " + owner.file() + ", line " + std::to_string(owner.place_of(key).line);
}

std::vector<ConfigMistake> MistakeList::take() {
  std::ranges::sort(found_, {}, [](const ConfigMistake& mistake) {
    return std::tie(mistake.line, mistake.column, mistake.key, mistake.what);
  });
  return std::exchange(found_, {});
}

}  // namespace tw::node
