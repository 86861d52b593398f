#include "embed/packed_linear.h"

#include <algorithm>
#include <map>
#include <string>

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.hpp>

namespace pandora {
namespace {

using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

dnnl::engine& engine() {
  static dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::primitive_attr attributes(Activation activation) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (activation == Activation::kGelu) {
    dnnl::post_ops ops;
    ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
    attributes.set_post_ops(ops);
  }
  return attributes;
}

Type type_of(Precision precision) { return precision == Precision::kBf16 ? Type::bf16 : Type::f32; }

dnnl::memory::desc matrix(std::size_t rows, std::size_t columns, Type type, Tag tag = Tag::ab) {
  return {Dims{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}, type, tag};
}

dnnl::matmul::primitive_desc product(const LinearShape& shape, std::size_t rows, const dnnl::memory::desc& weights) {
  return {{matrix(rows, shape.in, type_of(shape.precision)), weights, matrix(1, shape.out, Type::f32),
           matrix(rows, shape.out, type_of(shape.result))},
          attributes(shape.activation),
          engine()};
}

auto failed(const dnnl::error& error) {
  return fail(ErrorCode::kInternal, std::string("oneDNN cannot multiply matrices: ") + error.what());
}

}  // namespace

void use_one_thread() {
  // Debian's oneDNN runs on OpenMP; the setting is the calling thread's own.
  using SetThreads = void (*)(int);
  static const auto set_threads = reinterpret_cast<SetThreads>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (set_threads) set_threads(1);
}

Precision fastest_precision() {
#if defined(__x86_64__)
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_amx:
      return Precision::kBf16;
    case dnnl::cpu_isa::avx512_core_bf16:
      return __builtin_cpu_is("amd") ? Precision::kBf16 : Precision::kF32;
    default:
      return Precision::kF32;
  }
#else
  return Precision::kF32;
#endif
}

struct PackedLinear::State {
  LinearShape shape;
  dnnl::memory weights, bias;
};

Result<PackedLinear> PackedLinear::pack(const LinearShape& shape, std::span<const float> weights, Layout layout,
                                        std::span<const float> bias) try {
  constexpr std::size_t kTypicalRows = 32;  // the layout that is best for a question is kept for all
  auto state = std::make_unique<State>(State{shape, {}, {}});
  const auto best = product(shape, kTypicalRows, matrix(shape.in, shape.out, type_of(shape.precision), Tag::any));
  const auto given = matrix(shape.in, shape.out, Type::f32, layout == Layout::kInOut ? Tag::ab : Tag::ba);
  dnnl::memory source(given, engine(), const_cast<float*>(weights.data()));
  state->weights = dnnl::memory(best.weights_desc(), engine());
  dnnl::stream stream(engine());
  dnnl::reorder(source, state->weights).execute(stream, source, state->weights);
  stream.wait();
  state->bias = dnnl::memory(matrix(1, shape.out, Type::f32), engine());
  std::copy(bias.begin(), bias.end(), static_cast<float*>(state->bias.get_data_handle()));
  return PackedLinear(std::move(state));
} catch (const dnnl::error& error) {
  return failed(error);
}

PackedLinear::PackedLinear(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackedLinear::~PackedLinear() = default;
PackedLinear::PackedLinear(PackedLinear&&) noexcept = default;

struct LinearRunner::State {
  struct Prepared {
    dnnl::matmul primitive;
    dnnl::memory x, y, scratch;
  };
  std::map<std::pair<LinearShape, std::size_t>, Prepared> prepared;  // at most shapes × what rows_for gives
  dnnl::stream stream{engine()};
};

LinearRunner::LinearRunner() : state_(std::make_unique<State>()) {}
LinearRunner::~LinearRunner() = default;

Status LinearRunner::run(const PackedLinear& linear, const void* x, void* y, std::size_t rows) try {
  const PackedLinear::State& packed = *linear.state_;
  auto found = state_->prepared.find({packed.shape, rows});
  if (found == state_->prepared.end()) {
    const auto desc = product(packed.shape, rows, packed.weights.get_desc());
    State::Prepared prepared{dnnl::matmul(desc), dnnl::memory(desc.src_desc(), engine(), nullptr),
                             dnnl::memory(desc.dst_desc(), engine(), nullptr),
                             dnnl::memory(desc.scratchpad_desc(), engine())};
    found = state_->prepared.emplace(std::pair{packed.shape, rows}, std::move(prepared)).first;
  }
  State::Prepared& ready = found->second;
  ready.x.set_data_handle(const_cast<void*>(x));
  ready.y.set_data_handle(y);
  ready.primitive.execute(state_->stream, {{DNNL_ARG_SRC, ready.x},
                                           {DNNL_ARG_WEIGHTS, packed.weights},
                                           {DNNL_ARG_BIAS, packed.bias},
                                           {DNNL_ARG_DST, ready.y},
                                           {DNNL_ARG_SCRATCHPAD, ready.scratch}});
  state_->stream.wait();
  return {};
} catch (const dnnl::error& error) {
  return failed(error);
}

}  // namespace pandora
