// Runs an eBPF program on a packet that a test has built (BPF_PROG_TEST_RUN).
#pragma once

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tw {

/// Returns what the program returns for the IP packet. The kernel takes an Ethernet header off
/// before; its type is none here, because of IP the kernel would refuse to run what is cut short.
inline std::uint32_t run_on_packet(int program_fd, const std::vector<std::uint8_t>& packet) {
  std::vector<std::uint8_t> frame(14, 0);
  frame.insert(frame.end(), packet.begin(), packet.end());
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.repeat = 1;
  EXPECT_EQ(::bpf_prog_test_run_opts(program_fd, &options), 0);
  return options.retval;
}

}  // namespace tw
