// Lets an experiment declare its options without knowing the library that reads the command line:
// the CLI implements this with CLI11. Each value keeps its default unless the option is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tw::lab {

/// The least and the greatest value that an option takes.
struct Range {
  double least = 0;
  double most = 0;
};

/// Names are as they are typed: "--runs". Every `value` must live until the command line has been
/// read. A value that is out of range, or not among `allowed`, is an error of usage.
class OptionSet {
 public:
  virtual ~OptionSet() = default;

  virtual void flag(const std::string& name, bool& value, const std::string& help) = 0;
  virtual void text(const std::string& name, std::string& value, const std::string& help) = 0;
  /// One of `allowed`.
  virtual void choice(const std::string& name, std::string& value,
                      const std::vector<std::string>& allowed, const std::string& help) = 0;
  virtual void number(const std::string& name, double& value, Range range,
                      const std::string& help) = 0;
  virtual void count(const std::string& name, std::uint32_t& value, Range range,
                     const std::string& help) = 0;
  /// Any number that 64 bits hold.
  virtual void seed(const std::string& name, std::uint64_t& value, const std::string& help) = 0;
  /// Some of `allowed`, separated by commas.
  virtual void choices(const std::string& name, std::vector<std::string>& values,
                       const std::vector<std::string>& allowed, const std::string& help) = 0;
  /// Numbers separated by commas: exactly `expected` of them, or any number of them if that is 0.
  virtual void numbers(const std::string& name, std::vector<double>& values, Range range,
                       std::size_t expected, const std::string& help) = 0;
  /// Sizes in bytes separated by commas: 10KB, 1MB, 1MiB, 4096.
  virtual void sizes(const std::string& name, std::vector<std::uint64_t>& values, Range range,
                     const std::string& help) = 0;
  /// Makes an option one that must be given.
  virtual void require(const std::string& name) = 0;

  /// Returns true if the option stood on the command line. Only after that has been read.
  virtual bool given(const std::string& name) const = 0;
};

}  // namespace tw::lab
