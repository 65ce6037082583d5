#include "node/http/request_head.h"

#include <algorithm>
#include <optional>

namespace tw::node {
namespace {

constexpr std::string_view blanks = " \t";

bool is_token(std::string_view text) noexcept {
  static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";  // RFC 9110, section 5.6.2
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           marks.find(c) != std::string_view::npos;
  });
}

// Octets from 0x80 on are opaque (RFC 9110, section 5.5).
bool is_visible(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return c == '\t' || (octet >= 0x20 && octet != 0x7f);
  });
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_same(std::string_view left, std::string_view right) noexcept {
  return std::ranges::equal(left, right, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// Takes the text before `separator`, or all, and the separator with it.
std::string_view take_until(std::string_view& text, char separator) noexcept {
  const std::size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

std::string_view take_line(std::string_view& text) noexcept {
  std::string_view line = take_until(text, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

struct Fields {
  int hosts = 0;
  bool close = false, keep_alive = false, has_body = false;
};

void read_connection(std::string_view value, Fields& fields) noexcept {
  while (!value.empty()) {
    const std::string_view option = trimmed(take_until(value, ','));
    if (is_same(option, "close")) fields.close = true;
    if (is_same(option, "keep-alive")) fields.keep_alive = true;
  }
}

/// False if the line is no field. One that begins with a blank is none: folding is obsolete.
bool read_field(std::string_view line, Fields& fields) noexcept {
  if (line.find(':') == std::string_view::npos) return false;
  const std::string_view name = take_until(line, ':');
  const std::string_view value = trimmed(line);
  if (!is_token(name) || !is_visible(value)) return false;
  if (is_same(name, "host")) ++fields.hosts;
  if (is_same(name, "connection")) read_connection(value, fields);
  if (is_same(name, "transfer-encoding")) fields.has_body = true;
  if (is_same(name, "content-length") && value != "0") fields.has_body = true;
  return true;
}

/// The minor version of "HTTP/1.x".
std::optional<int> read_version(std::string_view text) noexcept {
  if (text == "HTTP/1.0") return 0;
  if (text == "HTTP/1.1") return 1;
  return std::nullopt;
}

}  // namespace

std::size_t find_head_end(std::string_view received, std::size_t scanned) noexcept {
  // The line's end before the empty line may be the last that was seen.
  std::size_t at = scanned < 2 ? 0 : scanned - 2;
  while ((at = received.find('\n', at)) != std::string_view::npos) {
    const std::string_view rest = received.substr(++at);
    if (rest.starts_with('\n')) return at + 1;
    if (rest.starts_with("\r\n")) return at + 2;
  }
  return 0;
}

RequestHead read_request_head(std::string_view head) noexcept {
  RequestHead request;
  std::string_view line = take_line(head);
  const std::string_view method = take_until(line, ' ');
  std::string_view target = take_until(line, ' ');
  const std::optional<int> version = read_version(line);
  if (!is_token(method) || target.empty() || !is_visible(target) || !version) return request;
  Fields fields;
  for (line = take_line(head); !line.empty(); line = take_line(head)) {
    if (!read_field(line, fields)) return request;
  }
  if (fields.hosts > 1 || (*version == 1 && fields.hosts == 0)) return request;
  request.verdict = fields.has_body ? RequestHead::Verdict::has_body : RequestHead::Verdict::good;
  request.method = method;
  request.target = take_until(target, '?');
  request.keep_alive = !fields.close && (*version == 1 || fields.keep_alive);
  return request;
}

}  // namespace tw::node
