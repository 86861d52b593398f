// A model server for benchmarks that costs next to nothing: one thread, epoll, answers prepared beforehand.
//
// The request's model says how it answers: kWhole at once and whole, kQuick a stream all at once, kPaced a stream with
// kPace between its chunks, each of which says when it was sent, kSilent one chunk and then nothing.
#pragma once
#include <chrono>
#include <cstdint>

namespace pandora {

inline constexpr const char* kWhole = "whole";
inline constexpr const char* kQuick = "quick";
inline constexpr const char* kPaced = "paced";
inline constexpr const char* kSilent = "silent";
inline constexpr auto kPace = std::chrono::milliseconds(10);
inline constexpr int kPacedChunks = 20;

// Listens on a free port of loopback and serves in a process of its own until this one ends. Called before this process
// has threads. The port, or 0.
std::uint16_t start_stand_in_model();

}  // namespace pandora
