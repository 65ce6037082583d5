#include "cli/cli_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <type_traits>

namespace tw::cli {
namespace {

std::string text_of(const std::string& value) { return value; }

std::string text_of(bool value) { return value ? "yes" : "no"; }

template <typename Number>
  requires std::is_arithmetic_v<Number>
std::string text_of(Number value) {
  return fmt::format("{}", value);
}

template <typename Value>
std::string text_of(const std::vector<Value>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}

template <typename Number>
CLI::Range range_of(lab::Range range) {
  return {static_cast<Number>(range.least), static_cast<Number>(range.most)};
}

}  // namespace

template <typename Value>
void CliOptions::remember(const std::string& name, const Value& value) {
  values_.emplace_back(name.substr(name.find_first_not_of('-')),
                       [&value] { return text_of(value); });
}

void CliOptions::flag(const std::string& name, bool& value, const std::string& help) {
  command_.add_flag(name, value, help);
  remember(name, value);
}

void CliOptions::text(const std::string& name, std::string& value, const std::string& help) {
  command_.add_option(name, value, help);
  remember(name, value);
}

void CliOptions::choice(const std::string& name, std::string& value,
                        const std::vector<std::string>& allowed, const std::string& help) {
  command_.add_option(name, value, help)->check(CLI::IsMember(allowed));
  remember(name, value);
}

void CliOptions::number(const std::string& name, double& value, lab::Range range,
                        const std::string& help) {
  command_.add_option(name, value, help)->check(range_of<double>(range));
  remember(name, value);
}

void CliOptions::count(const std::string& name, std::uint32_t& value, lab::Range range,
                       const std::string& help) {
  command_.add_option(name, value, help)->check(range_of<std::uint32_t>(range));
  remember(name, value);
}

void CliOptions::seed(const std::string& name, std::uint64_t& value, const std::string& help) {
  command_.add_option(name, value, help);
  remember(name, value);
}

void CliOptions::choices(const std::string& name, std::vector<std::string>& values,
                         const std::vector<std::string>& allowed, const std::string& help) {
  command_.add_option(name, values, help)->delimiter(',')->check(CLI::IsMember(allowed));
  remember(name, values);
}

void CliOptions::numbers(const std::string& name, std::vector<double>& values, lab::Range range,
                         std::size_t expected, const std::string& help) {
  CLI::Option* option =
      command_.add_option(name, values, help)->delimiter(',')->check(range_of<double>(range));
  if (expected > 0) option->expected(static_cast<int>(expected));
  remember(name, values);
}

void CliOptions::sizes(const std::string& name, std::vector<std::uint64_t>& values,
                       lab::Range range, const std::string& help) {
  command_.add_option(name, values, help)
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(true))
      ->check(range_of<std::uint64_t>(range));
  remember(name, values);
}

void CliOptions::require(const std::string& name) { command_.get_option(name)->required(); }

bool CliOptions::given(const std::string& name) const { return command_.count(name) > 0; }

lab::OptionValues CliOptions::values() const {
  lab::OptionValues result;
  for (const auto& [name, text] : values_) {
    if (std::string value = text(); !value.empty()) result.emplace_back(name, std::move(value));
  }
  return result;
}

}  // namespace tw::cli
