#include "node/control/control_request.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace tw::node {
namespace {

using Command = ControlRequest::Command;

TEST(ControlRequest, SaysWhatIsAskedFor) {
  EXPECT_EQ(ControlRequest::parse(R"({"command":"status"})"), ControlRequest{Command::status});
  EXPECT_EQ(ControlRequest::parse(R"( {"command": "reload", "later": [1]} )"),
            ControlRequest{Command::reload});
  ControlRequest dry{Command::reload};
  EXPECT_EQ(ControlRequest::parse(R"({"command":"reload","dry_run":false})"), dry);
  dry.dry_run = true;
  EXPECT_EQ(ControlRequest::parse(R"({"command":"reload","dry_run":true})"), dry);
  EXPECT_EQ(ControlRequest::parse(R"({"command":"drain","key":"x"})"),
            ControlRequest{Command::drain});
  EXPECT_EQ(ControlRequest::parse(R"({"command":"identify"})"), ControlRequest{Command::identify});
  EXPECT_EQ(ControlRequest::parse(R"({"command":"set","key":"relay.pool.low","value":"3"})"),
            (ControlRequest{Command::set, "relay.pool.low", "3"}));
}

TEST(ControlRequest, SaysWhatIsWrong) {
  const auto wrong = [](std::string_view line) {
    const auto parsed = ControlRequest::parse(line);
    EXPECT_FALSE(parsed) << line;
    return parsed ? std::string{} : parsed.error();
  };
  for (const char* line : {"", "status", "[]", "null", "\"status\"", "{\"command\":\"status\"",
                           "{\"command\":\"status\"} {}", "{\"command\":\"\xff\"}"}) {
    EXPECT_TRUE(wrong(line).contains("JSON object")) << line;
  }
  EXPECT_TRUE(wrong(std::string(4096, '[')).contains("JSON object"));
  for (const char* line : {"{}", R"({"command":7})", R"({"command":"stop"})",
                           R"({"command":"status\u0000"})", R"({"command":["status"]})"}) {
    EXPECT_TRUE(wrong(line).contains("known are status")) << line;
  }
  for (const char* line :
       {R"({"command":"reload","dry_run":1})", R"({"command":"reload","dry_run":"true"})",
        R"({"command":"reload","dry_run":null})"}) {
    EXPECT_TRUE(wrong(line).contains("true or false")) << line;
  }
  for (const char* line : {R"({"command":"set"})", R"({"command":"set","key":"relay.pool.low"})",
                           R"({"command":"set","key":"relay.pool.low","value":3})",
                           R"({"command":"set","key":{},"value":"3"})"}) {
    EXPECT_TRUE(wrong(line).contains("both of them strings")) << line;
  }
}

TEST(ControlError, IsOneLineOfJson) {
  for (const std::string what : {"", "a\nb", "\xff\xfe", "\"quoted\" \\"}) {
    const std::string line = control_error(what);
    EXPECT_FALSE(line.contains('\n'));
    EXPECT_TRUE(nlohmann::json::parse(line).at("error").is_string());
  }
}

}  // namespace
}  // namespace tw::node
