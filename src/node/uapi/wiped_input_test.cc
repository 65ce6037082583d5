// The buffer of a request must not hold its keys any longer. The objects are searched byte by byte.
#include "node/uapi/wiped_input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "node/uapi/uapi_protocol.h"

namespace tw::node {
namespace {

constexpr std::string_view key_line =
    "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
constexpr std::string_view digits = key_line.substr(12, 32);

template <typename Object>
bool holds(const Object& object, std::string_view text) {
  const std::string_view bytes{reinterpret_cast<const char*>(&object), sizeof object};
  return bytes.find(text) != std::string_view::npos;
}

class Nothing final : public DeviceControl {
 public:
  Result<void> apply(const DeviceChange& change) override {
    had_key = change.private_key.has_value();
    return {};
  }
  Result<DeviceState> state() override { return DeviceState{}; }
  bool had_key = false;
};

void fill(WipedInput& input, std::string_view text) {
  std::ranges::copy(as_bytes(text), input.room().begin());
  input.filled(text.size());
}

TEST(WipedInput, ForgetsWhatIsTaken) {
  WipedInput input;
  fill(input, std::string{key_line} + "\nlisten_port=1");
  EXPECT_TRUE(holds(input, digits));
  input.take(key_line.size() + 1);
  EXPECT_FALSE(holds(input, digits)) << "though something still waits";
  EXPECT_EQ(as_text(input.waiting()), "listen_port=1");
  input.take(input.waiting().size());
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(holds(input, "listen_port"));
}

TEST(WipedInput, TheConversationForgetsALineThatCameInParts) {
  Nothing device;
  UapiConversation conversation{device};
  SecretText out;
  for (const char byte : std::string{"set=1\n"} + std::string{key_line}) {
    conversation.receive(as_bytes({&byte, 1}), out);
  }
  EXPECT_TRUE(holds(conversation, digits));
  conversation.receive(as_bytes("\n"), out);
  EXPECT_FALSE(holds(conversation, digits));
  conversation.receive(as_bytes("\n"), out);
  EXPECT_TRUE(device.had_key);
  EXPECT_EQ(out.view(), "errno=0\n\n");
}

// The whole way of a request through both.
TEST(WipedInput, ARequestLeavesNoKeyBehind) {
  Nothing device;
  UapiConversation conversation{device};
  WipedInput input;
  SecretText out;
  fill(input, "set=1\n" + std::string{key_line} + "\n\nget=1\n");
  input.take(conversation.receive(input.waiting(), out).taken);
  EXPECT_TRUE(device.had_key);
  EXPECT_EQ(as_text(input.waiting()), "get=1\n");
  EXPECT_FALSE(holds(input, digits));
  EXPECT_FALSE(holds(conversation, digits));
}

}  // namespace
}  // namespace tw::node
