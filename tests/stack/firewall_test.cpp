#include "stack/firewall.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "support/scripted_process_runner.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

std::string nft(const std::string& policy, const std::string& rule = "{}", const std::string& hook = "input") {
  return R"({"nftables": [{"metainfo": {"version": "1.0.6"}}, {"chain": {"family": "inet", "table": "fw", "name": "in",
      "type": "filter", "hook": ")" +
         hook + R"(", "prio": 0, "policy": ")" + policy +
         R"("}}, {"rule": {"family": "inet", "table": "fw", "chain": "in", "expr": [)" + rule + "]}}]}";
}
std::string dport(const std::string& right, const std::string& verdict = R"({"drop": null})") {
  return R"({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": )" + right +
         "}}, " + verdict;
}

TEST(Firewall, a_chain_that_drops_what_comes_in_claims_that_a_port_is_closed) {
  EXPECT_EQ(claim_of_nft(nft("drop"), 5432), "the chain fw in (inet) drops what no rule lets in");
  EXPECT_FALSE(claim_of_nft(nft("accept"), 5432));
  EXPECT_FALSE(claim_of_nft(nft("drop", "{}", "forward"), 5432)) << "that is another way";
  for (const char* right : {"5432", R"({"set": [22, 5432]})", R"({"range": [5000, 6000]})"})
    EXPECT_EQ(claim_of_nft(nft("accept", dport(right)), 5432), "a rule of the chain fw in (inet) drops it") << right;
  EXPECT_FALSE(claim_of_nft(nft("accept", dport("5433")), 5432));
  EXPECT_FALSE(claim_of_nft(nft("accept", dport("5432", R"({"accept": null})")), 5432));
  EXPECT_TRUE(claim_of_nft(nft("accept", R"({"counter": {}}, {"reject": null})"), 5432)) << "all of it";
  for (const char* damaged :
       {"", "{", "[]", R"({"nftables": 1})", R"({"nftables": [1, {"chain": 2}, {"rule": {"expr": [3]}}]})"})
    EXPECT_FALSE(claim_of_nft(damaged, 5432)) << damaged;
}

TEST(Firewall, iptables_says_it_as_well) {
  EXPECT_TRUE(claim_of_iptables("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n", 5432));
  EXPECT_FALSE(claim_of_iptables("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n", 5432));
  EXPECT_FALSE(claim_of_iptables("*nat\n:INPUT DROP [0:0]\nCOMMIT\n", 5432));
  const std::string begin = "*filter\n:INPUT ACCEPT [0:0]\n";
  EXPECT_TRUE(claim_of_iptables(begin + "-A INPUT -p tcp -m tcp --dport 5432 -j DROP\n", 5432));
  EXPECT_FALSE(claim_of_iptables(begin + "-A INPUT -p tcp -m tcp --dport 54321 -j DROP\n", 5432));
  EXPECT_TRUE(claim_of_iptables(begin + "-A INPUT -j REJECT --reject-with icmp-port-unreachable\n", 5432));
  EXPECT_FALSE(claim_of_iptables(begin + "-A INPUT -i eth1 -j DROP\n", 5432));
  EXPECT_FALSE(claim_of_iptables("", 5432));
}

TEST(Firewall, who_may_not_look_is_told_so) {
  testing::TemporaryDirectory root;
  testing::ScriptedProcessRunner runner;
  runner.add("nft", [](auto& program) { return program.print_error("Operation not permitted\n"), 1; });
  runner.add("iptables-save", [](auto& program) { return program.print_error("Permission denied\n"), 4; });
  const auto dark = look_at_firewall(runner, Deadline::never(), root.path());
  EXPECT_FALSE(dark.may_look);
  EXPECT_NE(firewall_words(dark, 5432).find("for root alone to read"), std::string::npos);

  std::filesystem::create_directories(root.path() + "/etc/ufw");
  std::ofstream(root.path() + "/etc/ufw/ufw.conf") << "# ufw\nENABLED=yes\n";
  EXPECT_EQ(firewall_words(look_at_firewall(runner, Deadline::never(), root.path()), 5432),
            ", although ufw is on: what Docker publishes passes by it");
}

TEST(Firewall, what_it_claims_is_said_with_who_keeps_it) {
  testing::TemporaryDirectory root;
  testing::ScriptedProcessRunner runner;
  runner.add("nft", [](auto& program) { return program.print(nft("drop")), 0; });
  EXPECT_EQ(firewall_words(look_at_firewall(runner, Deadline::never(), root.path()), 5432),
            ", although the chain fw in (inet) drops what no rule lets in: what Docker publishes passes by it");
  std::filesystem::create_directories(root.path() + "/run");
  std::ofstream(root.path() + "/run/firewalld.pid") << "1";
  EXPECT_NE(firewall_words(look_at_firewall(runner, Deadline::never(), root.path()), 5432)
                .find("firewalld is on and the chain"),
            std::string::npos);
  testing::ScriptedProcessRunner open;
  open.add("nft", [](auto& program) { return program.print("{\"nftables\": []}"), 0; });
  testing::TemporaryDirectory empty;
  EXPECT_EQ(firewall_words(look_at_firewall(open, Deadline::never(), empty.path()), 5432),
            "; no firewall here says otherwise");
}

}  // namespace
}  // namespace pandora
