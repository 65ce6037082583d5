#include "lab/probe/tcp_counts.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace tw::lab {
namespace {

/// The front of `text` up to `end`, which it takes away with that character.
std::string_view take_until(std::string_view& text, char end) noexcept {
  const std::size_t at = text.find(end);
  const std::string_view front = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return front;
}

/// The next line that begins with "Tcp:"; empty if there is none.
std::string_view take_tcp_line(std::string_view& text) noexcept {
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    if (line.starts_with("Tcp:")) return line;
  }
  return {};
}

}  // namespace

std::optional<TcpCounts> parse_tcp_counts(std::string_view snmp) noexcept {
  std::string_view names = take_tcp_line(snmp);
  std::string_view values = take_tcp_line(snmp);
  std::optional<std::uint64_t> sent, retransmitted;
  while (!names.empty() && !values.empty()) {
    const std::string_view name = take_until(names, ' ');
    const std::string_view text = take_until(values, ' ');
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) continue;
    if (name == "OutSegs") sent = value;
    if (name == "RetransSegs") retransmitted = value;
  }
  if (!sent || !retransmitted) return {};
  return TcpCounts{.sent = *sent, .retransmitted = *retransmitted};
}

Result<TcpCounts> tcp_counts_of(const Namespace& host) {
  std::string text;
  auto read = host.enter([&]() -> Result<void> {
    // /proc/net would be that of the process's first thread, which is elsewhere.
    std::ifstream file{"/proc/thread-self/net/snmp"};
    text.assign(std::istreambuf_iterator<char>{file}, {});
    return {};
  });
  if (!read) return std::unexpected(read.error());
  const auto counts = parse_tcp_counts(text);
  if (!counts) {
    return make_error(Error::Kind::unavailable, host.name() + ": no TCP counters in its /proc");
  }
  return *counts;
}

}  // namespace tw::lab
