#include "node/control/control_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tw::node {
namespace {

class ControlAnswersTest : public testing::Test {
 protected:
  std::string answer(std::string_view request) const { return answer_control(request, commands_); }

  std::string done_;  // the commands that were called
  ControlCommands commands_{
      .status =
          [this] {
            done_ += "status ";
            NodeStatus status;
            status.interface = "tw7";
            return status;
          },
      .reload =
          [this](bool dry_run) {
            done_ += dry_run ? "compare " : "reload ";
            ReloadReport report;
            report.file = "/etc/x.toml";
            return report;
          },
      .set = [this](std::string_view key, std::string_view value) -> Result<void> {
        done_ += "set ";
        if (value == "2") return make_error(Error::Kind::config, "\"2\" is no level");
        done_ += key;
        return {};
      },
      .identify =
          [this] {
            done_ += "identify ";
            return NodeIdentity{
                .config_file = "/etc/\xff.toml", .interface = "tw7", .listen_port = 51820};
          },
      .drain = [this]() -> Result<std::uint64_t> {
        done_ += "drain ";
        return 17;
      }};
};

TEST_F(ControlAnswersTest, EachCommandReachesItsPart) {
  EXPECT_THAT(answer(R"({"command":"status"})"), testing::HasSubstr(R"("tw7")"));
  EXPECT_THAT(answer(R"({"command":"reload"})"), testing::HasSubstr("/etc/x.toml"));
  answer(R"({"command":"reload","dry_run":true})");
  EXPECT_EQ(answer(R"({"command":"set","key":"a.b","value":"1"})"), R"({"ok":true})");
  EXPECT_EQ(answer(R"({"command":"drain"})"), R"({"active":17,"ok":true})");
  EXPECT_EQ(answer(R"({"command":"identify"})"),
            "{\"config_file\":\"/etc/\uFFFD.toml\",\"interface\":\"tw7\",\"listen_port\":51820,"
            "\"ok\":true}");
  EXPECT_EQ(done_, "status reload compare set a.bdrain identify ");
}

TEST_F(ControlAnswersTest, AFailureIsAnError) {
  const std::string refused = answer(R"({"command":"set","key":"a.b","value":"2"})");
  EXPECT_THAT(refused, testing::StartsWith(R"({"error":)"));
  EXPECT_THAT(refused, testing::HasSubstr("is no level"));
  commands_.drain = []() -> Result<std::uint64_t> {
    return make_error(Error::Kind::config, "this node has no relay");
  };
  EXPECT_THAT(answer(R"({"command":"drain"})"), testing::HasSubstr("has no relay"));
}

TEST_F(ControlAnswersTest, ALineThatIsNotUnderstoodDoesNothing) {
  EXPECT_THAT(answer("reload"), testing::StartsWith(R"({"error":)"));
  EXPECT_THAT(answer(R"({"command":"stop"})"), testing::StartsWith(R"({"error":)"));
  EXPECT_EQ(done_, "");
}

}  // namespace
}  // namespace tw::node
