// One text of 16, 64 and 256 tokens ([CLS] and [SEP] counted), and 32 texts of 64 in one call, on one thread; the first
// text after opening (map, pack); the tokenizer alone. PANDORA_ENCODER names the model (default: bge-small-en-v1.5).
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "embed/embedders.h"
#include "steps.h"

namespace {
using namespace pandora;

// Common words are one piece each.
std::string text_of(std::size_t tokens) {
  static const std::vector<std::string> words = {"the",   "old",    "river", "house", "asked",
                                                 "about", "winter", "music", "paper", "doctor",
                                                 "and",   "found",  "seven", "green", "books"};
  std::string text;
  for (std::size_t i = 0; i + 2 < tokens; ++i) text += words[i % words.size()] + " ";
  return text;
}

void run(benchmark::State& state, std::size_t tokens, std::size_t batch) {
  auto embedder = open_bert_embedder(encoder_directory());
  if (!embedder) return state.SkipWithError(embedder.error().to_line().c_str());
  const std::string text = text_of(tokens);
  if ((*embedder)->count_tokens(text) != tokens - 2) return state.SkipWithError("a word is no single piece");
  const std::vector<std::string_view> texts(batch, text);
  for (auto _ : state) {
    auto vectors = (*embedder)->embed(texts, TextRole::kPassage, Deadline::never());
    if (!vectors) return state.SkipWithError(vectors.error().to_line().c_str());
    benchmark::DoNotOptimize(vectors);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(batch) * state.iterations());
}

void one_text(benchmark::State& state) { run(state, static_cast<std::size_t>(state.range(0)), 1); }
void batch_of_32(benchmark::State& state) { run(state, static_cast<std::size_t>(state.range(0)), 32); }

void open_and_first_text(benchmark::State& state) {
  const std::string_view text = "Which nuts should I avoid?";
  for (auto _ : state) {
    auto embedder = open_bert_embedder(encoder_directory());
    if (!embedder || !(*embedder)->embed({&text, 1}, TextRole::kQuestion, Deadline::never()))
      return state.SkipWithError("no weights");
  }
}

void open_only(benchmark::State& state) {
  for (auto _ : state)
    if (!open_bert_embedder(encoder_directory())) return state.SkipWithError("no weights");
}

void tokenizer(benchmark::State& state) {
  auto embedder = open_bert_embedder(encoder_directory());
  if (!embedder) return state.SkipWithError(embedder.error().to_line().c_str());
  const std::string text = "Naïve questions, asked in 2026: \"Which nuts should I avoid?\" Unbelievable! ";
  std::string all;
  while (all.size() < 100'000) all += text;
  for (auto _ : state) benchmark::DoNotOptimize((*embedder)->count_tokens(all));
  state.SetBytesProcessed(static_cast<std::int64_t>(all.size()) * state.iterations());
}

BENCHMARK(one_text)->Arg(8)->Arg(16)->Arg(64)->Arg(256)->Unit(benchmark::kMillisecond);
BENCHMARK(batch_of_32)->Arg(64)->Unit(benchmark::kMillisecond);
BENCHMARK(open_and_first_text)->Unit(benchmark::kMillisecond);
BENCHMARK(open_only)->Unit(benchmark::kMillisecond);
BENCHMARK(tokenizer)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
