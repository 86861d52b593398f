#include "host/model_plan.h"

#include <gmock/gmock.h>

#include "host/gpu.h"
#include "support/fault_file_system.h"

namespace pandora {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PlannedModel model(const std::string& name, double share, std::int64_t weights_mib, std::int64_t kv_bytes = 0,
                   std::int64_t context = 0) {
  PlannedModel one;
  one.server.name = name;
  one.server.memory_share = share;
  one.server.weights_mib = weights_mib;
  one.server.kv_bytes_per_token = kv_bytes;
  one.command.context = context;
  return one;
}

template <class T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put_text(std::string& bytes, const std::string& text) {
  put<std::uint64_t>(bytes, text.size());
  bytes += text;
}
std::string gguf(std::uint64_t keys = 8) {
  std::string bytes = "GGUF";
  put<std::uint32_t>(bytes, 3);
  put<std::uint64_t>(bytes, 100);
  put<std::uint64_t>(bytes, keys);
  put_text(bytes, "general.architecture");
  put<std::uint32_t>(bytes, 8);
  put_text(bytes, "llama");
  put_text(bytes, "tokenizer.words");  // an array comes in between
  put<std::uint32_t>(bytes, 9);
  put<std::uint32_t>(bytes, 8);
  put<std::uint64_t>(bytes, 2);
  put_text(bytes, "a");
  put_text(bytes, "b");
  put_text(bytes, "tokenizer.scores");
  put<std::uint32_t>(bytes, 9);
  put<std::uint32_t>(bytes, 6);
  put<std::uint64_t>(bytes, 2);
  put<float>(bytes, 1);
  put<float>(bytes, 2);
  const std::vector<std::pair<std::string, std::uint32_t>> numbers = {{"block_count", 30},
                                                                      {"embedding_length", 576},
                                                                      {"attention.head_count", 9},
                                                                      {"attention.head_count_kv", 3},
                                                                      {"context_length", 8192}};
  for (const auto& [name, value] : numbers) {
    put_text(bytes, "llama." + name);
    put<std::uint32_t>(bytes, 4);
    put<std::uint32_t>(bytes, value);
  }
  return bytes;
}

TEST(KvCache, takes_what_the_paper_says) {
  // Kwon et al.: 2 (key and value) × 5120 (hidden size) × 40 (layers) × 2 (bytes) = 800 KB for a token of OPT-13B.
  const auto opt = parse_model_config(
      R"({"num_hidden_layers":40,"num_attention_heads":40,"hidden_size":5120,"max_position_embeddings":2048})");
  ASSERT_TRUE(opt);
  EXPECT_EQ(kv_bytes_per_token(*opt, "", ""), 800 * 1024);
  EXPECT_EQ(kv_bytes_per_token(*opt, "fp8", ""), 400 * 1024);
  EXPECT_EQ(kv_bytes_per_token(*opt, "q8_0", "f16"), 40 * 5120 * 34 / 32 + 40 * 5120 * 2);
  EXPECT_EQ(kv_value_bytes("of my own"), 0);
}

TEST(ModelShapes, are_read_from_config_json) {
  const auto grouped = parse_model_config(
      R"({"num_hidden_layers":36,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"hidden_size":2560})");
  ASSERT_TRUE(grouped);
  EXPECT_EQ(kv_bytes_per_token(*grouped, "", ""), 36 * 8 * 128 * 2 * 2);
  const auto seeing = parse_model_config(
      R"({"vision_config":{"num_hidden_layers":1},"text_config":{"num_hidden_layers":4,"num_attention_heads":2,"hidden_size":64}})");
  ASSERT_TRUE(seeing);
  EXPECT_EQ(seeing->layers, 4);
  for (const char* wrong : {"", "[]", "{}", R"({"num_hidden_layers":"x"})", R"({"num_hidden_layers":4})"})
    EXPECT_FALSE(parse_model_config(wrong)) << wrong;
}

TEST(ModelShapes, are_read_from_the_header_of_a_gguf_file) {
  const std::string bytes = gguf();
  const auto shape = gguf_shape(parse_gguf_header(bytes));
  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->layers, 30);
  EXPECT_EQ(shape->kv_heads, 3);
  EXPECT_EQ(shape->head_size, 64);
  EXPECT_EQ(shape->context, 8192);
  // Cut anywhere, or announcing more than there is, it is read as far as it goes.
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(gguf_shape(parse_gguf_header(std::string_view(bytes).substr(0, size)))) << size;
  EXPECT_TRUE(gguf_shape(parse_gguf_header(gguf(~std::uint64_t{0}))));
  EXPECT_THAT(parse_gguf_header("GGML and more"), IsEmpty());
}

TEST(ModelShapes, are_found_in_files_folders_and_where_hugging_face_keeps_them) {
  testing::FaultFileSystem files;
  const std::string config = R"({"num_hidden_layers":2,"num_attention_heads":2,"hidden_size":64})";
  for (const char* folder : {"/own", "/hub/models--org--name/snapshots/abc"}) {
    ASSERT_TRUE(files.create_directories(folder));
    ASSERT_TRUE(files.write_atomic(std::string(folder) + "/config.json", config, Durability::kDeferred));
    for (const char* file : {"/a.safetensors", "/b.safetensors", "/old.bin"})
      ASSERT_TRUE(files.write_atomic(std::string(folder) + file, std::string(1000, 'x'), Durability::kDeferred));
  }
  ASSERT_TRUE(files.write_atomic("/m.gguf", gguf(), Durability::kDeferred));
  EXPECT_EQ(read_model_shape("/own", "/hub", files)->weights_bytes, 2000u);
  EXPECT_EQ(read_model_shape("org/name", "/hub", files)->layers, 2);
  EXPECT_EQ(read_model_shape("/m.gguf", "/hub", files)->weights_bytes, gguf().size());
  EXPECT_EQ(read_model_shape("org/other", "/hub", files).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_model_shape("/own/config.json", "/hub", files).error().code, ErrorCode::kDataCorrupt);
}

TEST(ModelPlan, says_what_each_needs_of_its_share) {
  // A card of 24 GB: weights 4 GB, 8,192 tokens of 128 KB are 1 GB.
  const auto plan = plan_models({model("voice", 0.5, 4096, 128 * 1024, 8192)}, {24'576});
  ASSERT_TRUE(plan.fits());
  EXPECT_EQ(plan.rows[0].kv_mib, 1024);
  EXPECT_EQ(plan.rows[0].needs_mib, 4096 + 1024 + kRestMib);
  EXPECT_EQ(plan.rows[0].share_mib, 12'288);
  EXPECT_NEAR(plan.rows[0].sequences, (12'288 - 4096 - 512) / 1024.0, 1e-9);
}

TEST(ModelPlan, takes_a_share_that_just_suffices_and_refuses_one_less) {
  const std::int64_t needs = 4096 + 1024 + kRestMib;
  EXPECT_TRUE(plan_models({model("voice", 1, 4096, 128 * 1024, 8192)}, {needs}).fits());
  const auto plan = plan_models({model("voice", 1, 4096, 128 * 1024, 8192)}, {needs - 1});
  EXPECT_THAT(
      plan.problems,
      ElementsAre("voice needs 5.5 GB (weights 4.0, KV cache 1.0 for 8192 tokens, 0.5 for the rest), its share is "
                  "5.5 GB"));
}

TEST(ModelPlan, takes_a_whole_card_and_no_more) {
  std::vector<PlannedModel> tenths;
  for (int i = 0; i < 10; ++i) tenths.push_back(model("m" + std::to_string(i), 0.1, 100));
  EXPECT_TRUE(plan_models(tenths, {24'576}).fits());
  tenths.push_back(model("one-more", 0.01, 1));
  EXPECT_THAT(plan_models(tenths, {}).problems, ElementsAre(HasSubstr("are 1.01 together")));
}

TEST(ModelPlan, those_that_sleep_take_turns) {
  auto eyes = model("eyes", 0.4, 100), ears = model("ears", 0.3, 100);
  eyes.server.cold = ears.server.cold = true;
  EXPECT_TRUE(plan_models({model("voice", 0.6, 100), eyes, ears}, {24'576}).fits());
  EXPECT_THAT(plan_models({model("voice", 0.61, 100), eyes, ears}, {24'576}).problems,
              ElementsAre(HasSubstr("1.01 together, with the largest cold one")));
}

TEST(ModelPlan, one_that_is_spread_over_cards_has_a_part_on_each) {
  auto voice = model("voice", 0.5, 16'384, 128 * 1024, 8192);
  EXPECT_THAT(plan_models({voice}, {24'576, 24'576}).problems, ElementsAre(HasSubstr("needs 17.5 GB (weights 16.0")));
  voice.command.spread = 2;
  const auto plan = plan_models({voice}, {24'576, 24'576});
  ASSERT_TRUE(plan.fits()) << plan.problems.front();
  EXPECT_EQ(plan.rows[0].cards, (std::vector{0, 1}));
  EXPECT_EQ(plan.rows[0].needs_mib, 8192 + 512 + kRestMib);
  EXPECT_THAT(plan_models({voice}, {24'576}).problems, ElementsAre("voice is spread over 2 cards, and sees 1"));
  EXPECT_TRUE(plan_models({voice}, {}).fits()) << "cards that are not known are taken to be there";
  // The smaller one decides.
  EXPECT_THAT(plan_models({voice}, {24'576, 16'384}).problems,
              ElementsAre(HasSubstr("needs 9.0 GB of each of 2 cards (weights 8.0, KV cache 0.5")));
  voice.command.spread = 0;  // all
  EXPECT_EQ(plan_models({voice}, {24'576, 24'576, 24'576}).rows[0].cards, (std::vector{0, 1, 2}));
}

TEST(ModelPlan, each_card_is_there_only_once) {
  auto voice = model("voice", 0.8, 100), mind = model("mind", 0.8, 100);
  EXPECT_THAT(plan_models({voice, mind}, {24'576, 24'576}).problems,
              ElementsAre(HasSubstr("the shares of card 0 are 1.60")));
  mind.command.cards = {1};
  EXPECT_TRUE(plan_models({voice, mind}, {24'576, 24'576}).fits());
  mind.command.cards = {2};
  EXPECT_THAT(plan_models({voice, mind}, {24'576, 24'576}).problems,
              ElementsAre("mind is to use card 2, and there are 2"));
}

TEST(Cards, the_first_that_is_too_full_is_named) {
  const GpuReport report{.cards = {{0, "a", 1000, 100}, {1, "b", 1000, 700}}, .holders = {}};
  EXPECT_EQ(full_card(report, {0}, 0.9), std::nullopt);
  EXPECT_EQ(full_card(report, {0}, 0.91), 0);
  EXPECT_EQ(full_card(report, {0, 1}, 0.5), 1);
  EXPECT_EQ(full_card(report, {}, 0.5), 1) << "all of them";
  EXPECT_EQ(full_card(report, {2}, 0.1), 2) << "it is not there";
  EXPECT_THAT(describe(report, 1), HasSubstr("of card 1 0.3 of 1.0 GB are free"));
  EXPECT_THAT(describe(report, 2), HasSubstr("there is no card 2"));
}

TEST(ModelPlan, says_what_it_does_not_know) {
  const auto plan = plan_models({model("voice", 0.5, 0), model("mind", 0.2, 100), model("cpu", 0, 0)}, {24'576});
  EXPECT_TRUE(plan.fits());
  EXPECT_THAT(plan.rows[0].note, HasSubstr("model_servers.voice.weights_mib"));
  EXPECT_THAT(plan.rows[1].note, HasSubstr("kv_bytes_per_token"));
  EXPECT_EQ(plan.rows[2].note, "");
}

}  // namespace
}  // namespace pandora
