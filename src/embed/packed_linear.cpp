#include "embed/packed_linear.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.hpp>

namespace pandora {
namespace {

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

using Dims = dnnl::memory::dims;
constexpr auto kF32 = dnnl::memory::data_type::f32;
dnnl::memory::desc row_major(std::size_t rows, std::size_t columns) {
  return {Dims{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}, kF32,
          dnnl::memory::format_tag::ab};
}

}  // namespace

void use_one_thread() {
  // Debian's oneDNN runs on OpenMP; the setting is the calling thread's own.
  using SetThreads = void (*)(int);
  static const auto set_threads = reinterpret_cast<SetThreads>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (set_threads) set_threads(1);
}

struct PackedLinear::State {
  std::size_t in, out;
  Activation activation;
  dnnl::memory weights, bias;
};

PackedLinear::PackedLinear(std::size_t in, std::size_t out, std::span<const float> weights, bool in_out,
                           std::span<const float> bias, Activation activation)
    : state_(std::make_unique<State>(State{in, out, activation, {}, {}})) {
  constexpr std::size_t kTypicalRows = 32;  // the layout that is best for a question is kept for all
  const auto bias_desc = row_major(1, out);
  const dnnl::memory::desc any({static_cast<std::int64_t>(in), static_cast<std::int64_t>(out)}, kF32,
                               dnnl::memory::format_tag::any);
  const dnnl::matmul::primitive_desc best({row_major(kTypicalRows, in), any, bias_desc, row_major(kTypicalRows, out)},
                                          attributes(activation), engine());
  const dnnl::memory::desc given({static_cast<std::int64_t>(in), static_cast<std::int64_t>(out)}, kF32,
                                 in_out ? dnnl::memory::format_tag::ab : dnnl::memory::format_tag::ba);
  dnnl::memory source(given, engine(), const_cast<float*>(weights.data()));
  state_->weights = dnnl::memory(best.weights_desc(), engine());
  dnnl::stream stream(engine());
  dnnl::reorder(source, state_->weights).execute(stream, source, state_->weights);
  stream.wait();
  state_->bias = dnnl::memory(bias_desc, engine());
  std::copy(bias.begin(), bias.end(), static_cast<float*>(state_->bias.get_data_handle()));
}
PackedLinear::~PackedLinear() = default;
PackedLinear::PackedLinear(PackedLinear&&) noexcept = default;
std::size_t PackedLinear::in() const { return state_->in; }
std::size_t PackedLinear::out() const { return state_->out; }

struct LinearRunner::State {
  struct Key {
    std::size_t in, out, rows;
    Activation activation;
    auto operator<=>(const Key&) const = default;
  };
  struct Prepared {
    dnnl::matmul primitive;
    dnnl::memory x, y, scratch;
  };
  std::map<Key, Prepared> prepared;  // at most shapes × window / kRowStep
  dnnl::stream stream{engine()};
};

LinearRunner::LinearRunner() : state_(std::make_unique<State>()) {}
LinearRunner::~LinearRunner() = default;

void LinearRunner::run(const PackedLinear& linear, const float* x, float* y, std::size_t rows) {
  const PackedLinear::State& shape = *linear.state_;
  const State::Key key{shape.in, shape.out, rows, shape.activation};
  auto found = state_->prepared.find(key);
  if (found == state_->prepared.end()) {
    const auto x_desc = row_major(rows, shape.in), y_desc = row_major(rows, shape.out);
    const dnnl::matmul::primitive_desc desc({x_desc, shape.weights.get_desc(), shape.bias.get_desc(), y_desc},
                                            attributes(shape.activation), engine());
    State::Prepared prepared{dnnl::matmul(desc), dnnl::memory(x_desc, engine(), nullptr),
                             dnnl::memory(y_desc, engine(), nullptr), dnnl::memory(desc.scratchpad_desc(), engine())};
    found = state_->prepared.emplace(key, std::move(prepared)).first;
  }
  State::Prepared& ready = found->second;
  ready.x.set_data_handle(const_cast<float*>(x));
  ready.y.set_data_handle(y);
  ready.primitive.execute(state_->stream, {{DNNL_ARG_SRC, ready.x},
                                           {DNNL_ARG_WEIGHTS, shape.weights},
                                           {DNNL_ARG_BIAS, shape.bias},
                                           {DNNL_ARG_DST, ready.y},
                                           {DNNL_ARG_SCRATCHPAD, ready.scratch}});
  state_->stream.wait();
}

}  // namespace pandora
