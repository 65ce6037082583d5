// The options of an experiment, read by CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lab/option_set.h"
#include "lab/report/provenance.h"

namespace tw::cli {

class CliOptions : public lab::OptionSet {
 public:
  /// `command` must outlive it.
  explicit CliOptions(CLI::App& command) : command_(command) {}

  void flag(const std::string& name, bool& value, const std::string& help) override;
  void text(const std::string& name, std::string& value, const std::string& help) override;
  void choice(const std::string& name, std::string& value, const std::vector<std::string>& allowed,
              const std::string& help) override;
  void number(const std::string& name, double& value, lab::Range range,
              const std::string& help) override;
  void count(const std::string& name, std::uint32_t& value, lab::Range range,
             const std::string& help) override;
  void seed(const std::string& name, std::uint64_t& value, const std::string& help) override;
  void choices(const std::string& name, std::vector<std::string>& values,
               const std::vector<std::string>& allowed, const std::string& help) override;
  void numbers(const std::string& name, std::vector<double>& values, lab::Range range,
               std::size_t expected, const std::string& help) override;
  void sizes(const std::string& name, std::vector<std::uint64_t>& values, lab::Range range,
             const std::string& help) override;
  void require(const std::string& name) override;
  bool given(const std::string& name) const override;

  /// Every option with the value that it has now. Options that are empty are left out.
  lab::OptionValues values() const;

 private:
  template <typename Value>
  void remember(const std::string& name, const Value& value);

  CLI::App& command_;
  std::vector<std::pair<std::string, std::function<std::string()>>> values_;
};

}  // namespace tw::cli
