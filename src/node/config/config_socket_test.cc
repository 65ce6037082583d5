#include "node/config/config_socket.h"

#include <gtest/gtest.h>

#include "node/config/test_config_folder.h"

namespace tw::node {
namespace {

class ConfigSocket : public testing::Test {
 protected:
  /// The socket, or what is wrong.
  std::string of(const std::string& toml) const {
    folder.write("node.toml", toml);
    const auto socket = control_socket_of_file(folder.path() + "node.toml");
    return socket ? *socket : socket.error().text();
  }

  TestFolder folder;
};

TEST_F(ConfigSocket, IsTheOneOfTheInterface) {
  EXPECT_EQ(of("[tunnel]\ninterface = \"wg7\"\n"), "/run/thalweg/wg7.sock");
}

TEST_F(ConfigSocket, IsTheOneThatIsConfigured) {
  EXPECT_EQ(of("[node]\ncontrol_socket = \"/run/a.sock\"\n[tunnel]\ninterface = \"wg7\"\n"),
            "/run/a.sock");
}

// The node that runs shall say what is wrong with its file, and has to be found for that.
TEST_F(ConfigSocket, IsFoundInAFileWithMistakes) {
  EXPECT_EQ(of("[tunnel]\ninterface = \"wg7\"\nmtu = 1\n[[peer]]\n[relai]\n"),
            "/run/thalweg/wg7.sock");
  EXPECT_EQ(of("[node]\ncontrol_socket = 7\n[tunnel]\ninterface = \"wg7\"\n"),
            "/run/thalweg/wg7.sock");
}

TEST_F(ConfigSocket, IsNotGuessed) {
  EXPECT_NE(of("[tunnel]\n").find("names no [tunnel] interface"), std::string::npos);
  EXPECT_NE(of("[tunnel]\ninterface = \"../wg7\"\n").find("names no"), std::string::npos);
  EXPECT_NE(of("tunnel = 7\n").find("names no"), std::string::npos);
  EXPECT_NE(of("[tunnel\n").find("node.toml:1:"), std::string::npos);
  EXPECT_FALSE(control_socket_of_file(folder.path() + "none.toml"));
}

}  // namespace
}  // namespace tw::node
