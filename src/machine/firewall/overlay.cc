#include "machine/firewall/overlay.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace tw {
namespace {

__extension__ using Number = unsigned __int128;

Number number_of(const IpAddress& address) {
  Number number = 0;
  for (const std::uint8_t octet : address.bytes()) number = number << 8U | octet;
  return number;
}

IpAddress address_of(Number number, Family family) {
  std::array<std::uint8_t, 16> octets{};
  const std::size_t size = family == Family::v4 ? 4 : 16;
  for (std::size_t i = 0; i < size; ++i) {
    octets[size - 1 - i] = static_cast<std::uint8_t>(number >> (8U * i));
  }
  return IpAddress::from_bytes({octets.data(), size});
}

// A prefix as numbers; without an owner it is a hole in what holds it.
struct Span {
  Number first, last;
  std::uint8_t length;
  std::optional<std::uint32_t> owner;
};

Span span_of(const Prefix& prefix, std::optional<std::uint32_t> owner) {
  const auto host_bits = static_cast<unsigned>(prefix.address.bits() - prefix.length);
  const Number first = number_of(prefix.address);
  const Number hosts = host_bits == 128 ? ~Number{0} : (Number{1} << host_bits) - 1;
  return {first, first | hosts, prefix.length, owner};
}

// Prefixes nest or are apart, so the innermost that is open is the longest match.
class Sweep {
 public:
  Sweep(Family family, std::vector<OverlayRange>& ranges) : family_(family), ranges_(ranges) {}

  void add(const Span& span) {
    while (!open_.empty() && open_.back().last < span.first) close();
    if (!open_.empty() && at_ < span.first) emit(at_, span.first - 1, open_.back().owner);
    at_ = span.first;
    open_.push_back(span);
  }
  void finish() {
    while (!open_.empty()) close();
  }

 private:
  void close() {
    const Span span = open_.back();
    open_.pop_back();
    if (!past_end_ && at_ <= span.last) emit(at_, span.last, span.owner);
    past_end_ = past_end_ || span.last + 1 == 0;
    at_ = std::max(at_, span.last + 1);
  }
  void emit(Number first, Number last, std::optional<std::uint32_t> owner) {
    if (!owner) return;
    if (!ranges_.empty() && ranges_.back().peer == *owner &&
        ranges_.back().last.family() == family_ && number_of(ranges_.back().last) + 1 == first) {
      ranges_.back().last = address_of(last, family_);
      return;
    }
    ranges_.push_back({address_of(first, family_), address_of(last, family_), *owner});
  }

  const Family family_;
  std::vector<OverlayRange>& ranges_;
  std::vector<Span> open_;
  Number at_ = 0;
  bool past_end_ = false;  // the family's last address has been reached
};

}  // namespace

std::vector<OverlayRange> overlay_ranges(std::vector<OwnedPrefix> owned,
                                         const std::vector<Prefix>& elsewhere) {
  std::ranges::sort(owned);
  const auto again = std::ranges::unique(owned, {}, &OwnedPrefix::first);
  owned.erase(again.begin(), again.end());
  std::vector<OverlayRange> ranges;
  for (const Family family : {Family::v4, Family::v6}) {
    std::vector<Span> spans;
    for (const auto& [prefix, peer] : owned) {
      if (prefix.address.family() == family) spans.push_back(span_of(prefix, peer));
    }
    for (const Prefix& other : std::set<Prefix>{elsewhere.begin(), elsewhere.end()}) {
      const bool taken = std::ranges::binary_search(owned, other, {}, &OwnedPrefix::first);
      if (other.address.family() == family && !taken) spans.push_back(span_of(other, {}));
    }
    std::ranges::sort(spans, [](const Span& left, const Span& right) {
      return left.first != right.first ? left.first < right.first : left.length < right.length;
    });
    Sweep sweep(family, ranges);
    for (const Span& span : spans) sweep.add(span);
    sweep.finish();
  }
  return ranges;
}

std::vector<OverlayRange> without_peers(std::vector<OverlayRange> ranges) {
  std::vector<OverlayRange> joined;
  for (OverlayRange& range : ranges) {
    range.peer = 0;
    if (!joined.empty() && joined.back().last.family() == range.first.family() &&
        number_of(joined.back().last) + 1 == number_of(range.first)) {
      joined.back().last = range.last;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

bool names_overlay(const Prefix& allowed_ip) noexcept {
  const IpAddress& address = allowed_ip.address;
  const bool of_each_link = !address.is_v4() && address.is_link_local();
  return allowed_ip.length > 1 && !address.is_multicast() && !of_each_link;
}

}  // namespace tw
