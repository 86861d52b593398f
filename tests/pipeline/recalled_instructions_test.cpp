// Text from the web or a tool that carries instructions: it is found like any other, and never is more than quoted
// data.
#include <gmock/gmock.h>

#include "domain/memory.h"
#include "pipeline/extractive_reply.h"
#include "pipeline/hostile_texts.h"
#include "pipeline/prompt.h"
#include "recall/recall.h"
#include "turns/world.h"

namespace pandora {
namespace {

using testing::hostile_texts;

class RecalledInstructions : public ::testing::TestWithParam<std::string> {
 protected:
  RecalledInstructions() { EXPECT_TRUE(world_.start()); }
  ~RecalledInstructions() override { world_.stop(); }

  void keep_from_the_web(const std::string& claim) {
    Research research;
    research.id = world_.ids.next();
    research.user = user_;
    research.primary_topic = kTopic;
    research.findings = {{claim, ContentType::kGeneralFact, 0.9, {"eve.example"}}};
    research.confidence = research.quality = 0.9;
    research.created_at = world_.clock.now();
    research.expires_at = research.created_at + std::chrono::hours(24);
    ASSERT_TRUE(world_.rows->research().put(research, who_, world_.soon()));
  }
  void keep_from_a_tool(const std::string& content) {
    Memory memory;
    memory.id = world_.ids.next();
    memory.user = user_;
    memory.kind = MemoryKind::kNote;
    memory.content = std::string(kTopic) + ": " + content;
    memory.trust = Trust::kTool;
    memory.created_at = world_.clock.now();
    ASSERT_TRUE(world_.rows->memories().put(memory, {}, who_, world_.soon()));
  }
  GatherSection recall() {
    EXPECT_TRUE(world_.saver->drain(world_.soon()));
    const RecallRequest request{who_, SessionId::parse("asking").value(), kQuestion};
    return Recall(world_.stores(), *world_.spaces, world_.clock).run(request, world_.soon()).section;
  }

  static constexpr const char* kTopic = "espresso machines";
  static constexpr const char* kQuestion = "What do you know about espresso machines?";
  const UserId user_ = UserId::parse("ana").value();
  const Principal who_ = Principal::of(user_);
  pandora::testing::World world_;
};

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t times = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

TEST_P(RecalledInstructions, AreQuotedAndLabelledData) {
  keep_from_the_web(GetParam());
  keep_from_a_tool(GetParam());
  const GatherSection found = recall();
  ASSERT_EQ(found.items.size(), 2u);
  for (const auto& item : found.items) EXPECT_TRUE(item.trust == Trust::kWeb || item.trust == Trust::kTool);

  const auto messages = first_messages({kQuestion, kQuestion}, found);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[1].content, kQuestion) << "the user's message is his own";
  EXPECT_TRUE(messages[0].tool_calls.empty());
  const std::string& prompt = messages[0].content;
  EXPECT_EQ(count(prompt, "<item "), 2u);
  EXPECT_EQ(count(prompt, "</item>"), 2u);
  for (auto at = prompt.find("\n<item "); at != std::string::npos; at = prompt.find("\n<item ", at + 1)) {
    const std::string label = prompt.substr(at, prompt.find(">\n", at) - at);
    EXPECT_EQ(count(label, "trust=\"web\"") + count(label, "trust=\"tool\""), 1u) << label;
    EXPECT_EQ(count(label, "trust="), 1u) << label;
  }
  EXPECT_TRUE(prompt.ends_with("</item>\n</memory>"));

  // Without a model it is quoted, and said to be so.
  const std::string reply = extractive_reply(kQuestion, found, kNoModelConfigured);
  EXPECT_EQ(count(reply, "you said"), 0u);
  EXPECT_EQ(count(reply, "“"), count(reply, "the web said") + count(reply, "a tool reported"));

  // Nothing that was recalled is taken for something that the user asked to be remembered.
  EXPECT_TRUE(propose_memories(kQuestion).empty());
}

INSTANTIATE_TEST_SUITE_P(Thirty, RecalledInstructions, ::testing::ValuesIn(hostile_texts()),
                         [](const auto& text) { return "Text" + std::to_string(text.index + 1); });

}  // namespace
}  // namespace pandora
