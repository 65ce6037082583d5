#include "node/config/ip_numbers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "node/config/config_values.h"

namespace tw::node {
namespace {

constexpr std::uint32_t main_table_number = 254;

std::optional<std::uint32_t> c_number(std::string_view text, std::uint32_t highest) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end || value > highest) return {};
  return value;
}

/// One to four octets; those that are left out are zero, and stand at the end.
std::optional<IpAddress> short_v4(std::string_view text) {
  std::array<std::uint8_t, 4> octets{};
  for (std::uint8_t& octet : octets) {
    const std::size_t dot = text.find('.');
    const auto value = c_number(text.substr(0, dot), 255);
    if (!value) return {};
    octet = static_cast<std::uint8_t>(*value);
    if (dot == std::string_view::npos) return IpAddress::v4(octets);
    text.remove_prefix(dot + 1);
  }
  return {};
}

/// The length of a netmask; empty if its ones are not all at the front.
std::optional<std::uint32_t> mask_length(const IpAddress& mask) {
  std::uint32_t bits = 0;
  for (const std::uint8_t octet : mask.bytes()) bits = bits << 8U | octet;
  if (std::popcount(bits) != std::countl_one(bits)) return {};
  return static_cast<std::uint32_t>(std::popcount(bits));
}

using Tables = std::vector<std::pair<std::string, std::uint32_t>>;

void add_tables(const std::filesystem::path& file, Tables& tables) {
  std::ifstream stream{file};
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words{line.substr(0, line.find('#'))};
    std::string number, name;
    if (!(words >> number >> name)) continue;
    if (const auto value = c_number(number, UINT32_MAX)) tables.emplace_back(name, *value);
  }
}

/// As iproute2 has them: what is read later counts.
Tables route_tables(const std::string& folder) {
  Tables tables{{"default", 253}, {"main", main_table_number}, {"local", 255}};
  add_tables(folder + "/rt_tables", tables);
  std::error_code failed;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{folder + "/rt_tables.d", failed}) {
    if (entry.path().extension() == ".conf") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const auto& file : files) add_tables(file, tables);
  return tables;
}

}  // namespace

Parsed<std::uint32_t> read_c_number(std::string_view text, std::uint32_t highest) {
  if (const auto value = c_number(text, highest)) return *value;
  return flaw(shown(text) + " is not a number from 0 to " + std::to_string(highest),
              "write decimal digits alone");
}

Parsed<InterfaceAddress> read_ip_address(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const bool is_v6 = host.contains(':');
  const auto address = is_v6 ? IpAddress::parse(host) : short_v4(host);
  std::optional<std::uint32_t> length;
  if (address) length = static_cast<std::uint32_t>(address->bits());
  if (address && slash != std::string_view::npos) {
    const std::string_view bits = text.substr(slash + 1);
    length = c_number(bits, *length);
    const auto mask = IpAddress::parse(bits);
    if (!length && mask && mask->is_v4() && !is_v6) length = mask_length(*mask);
  }
  if (!length) {
    return flaw(shown(text) + " is not an address with a prefix length",
                R"(write ADDRESS/BITS, such as "10.9.0.1/24" or "fd00::1/64")");
  }
  return InterfaceAddress{.address = *address, .length = static_cast<std::uint8_t>(*length)};
}

Parsed<std::uint32_t> read_route_table(std::string_view text, const std::string& folder) {
  const Tables tables = route_tables(folder);
  std::optional<std::uint32_t> number = c_number(text, UINT32_MAX);
  for (const auto& [name, value] : tables) {
    if (name == text) number = value;
  }
  if (!number) {
    std::vector<std::string> known{"auto", "off"};
    for (const auto& [name, value] : tables) known.push_back(name);
    return flaw(shown(text) + " is not a table",
                did_you_mean(text, known,
                             R"(write "auto", "off", a number from 1, or a name of )" + folder +
                                 "/rt_tables"));
  }
  // The kernel takes a route for the table 0 into the main one.
  return *number == 0 ? main_table_number : *number;
}

}  // namespace tw::node
