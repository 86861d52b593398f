#include "net/event_loop.h"

#include <atomic>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unistd.h>

namespace pandora {

namespace asio = boost::asio;

class AsioEventLoop final : public EventLoop, public std::enable_shared_from_this<AsioEventLoop> {
 public:
  explicit AsioEventLoop(const Clock& clock) : clock_(clock), scratch_(kScratchBytes) { arm(); }

  void run() override {
    thread_ = std::this_thread::get_id();
    io_.run();
  }
  void stop() override {
    stopped_ = true;
    io_.stop();
  }
  void post(std::function<void()> work) override {
    if (stopped_) return;
    asio::post(io_, [this, work = std::move(work)] {
      work();
      run_deferred();
    });
  }
  void defer(const std::shared_ptr<Deferred>& deferred) override {
    if (std::exchange(deferred->is_deferred_, true)) return;
    deferred_.push_back(deferred);
  }
  void run_deferred() {
    while (!deferred_.empty()) {
      running_.swap(deferred_);
      for (const auto& one : running_) {
        one->is_deferred_ = false;
        one->on_deferred();
      }
      running_.clear();
    }
  }
  bool is_current() const override { return thread_.load() == std::this_thread::get_id(); }
  const Clock& clock() const override { return clock_; }
  std::span<char> scratch() override { return scratch_; }

  void enroll(Swept& swept) override {
    if (swept.place_ != SIZE_MAX) return;
    swept.place_ = swept_.size();
    swept_.push_back(&swept);
  }
  void dismiss(Swept& swept) override {
    if (swept.place_ == SIZE_MAX) return;
    if (sweeping_) {
      swept_[swept.place_] = nullptr;  // taken out after the sweep
    } else {
      swept_[swept.place_] = swept_.back();
      swept_[swept.place_]->place_ = swept.place_;
      swept_.pop_back();
    }
    swept.place_ = SIZE_MAX;
  }

  std::unique_ptr<WatchedDescriptor> watch(int descriptor) override;

 private:
  void arm() {
    timer_.expires_after(kSweepInterval);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      sweep();
      run_deferred();
      arm();
    });
  }

  void sweep() {
    const SteadyTime now = clock_.steady();
    sweeping_ = true;
    const std::size_t count = swept_.size();  // those that come during the sweep wait for the next
    for (std::size_t i = 0; i < count; ++i)
      if (swept_[i]) swept_[i]->on_sweep(now);
    sweeping_ = false;
    std::erase(swept_, nullptr);
    for (std::size_t i = 0; i < swept_.size(); ++i) swept_[i]->place_ = i;
  }

  const Clock& clock_;
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> stopped_ = false;
  std::vector<char> scratch_;
  std::vector<Swept*> swept_;
  std::vector<std::shared_ptr<Deferred>> deferred_, running_;
  bool sweeping_ = false;
  asio::io_context io_{1};  // destroyed before what its handlers use
  asio::steady_timer timer_{io_};
  friend class AsioDescriptor;
};

class AsioDescriptor final : public WatchedDescriptor {
 public:
  AsioDescriptor(AsioEventLoop& loop, int descriptor)
      : loop_(loop), stream_(loop.io_, descriptor), flags_(std::make_shared<Flags>()) {}
  ~AsioDescriptor() override {
    flags_->closed = true;
    boost::system::error_code ignored;
    stream_.close(ignored);
  }
  int descriptor() const override { return const_cast<asio::posix::stream_descriptor&>(stream_).native_handle(); }

  void wait_readable(std::shared_ptr<ReadyHandler> handler) override {
    if (std::exchange(flags_->reading, true)) return;
    stream_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [&loop = loop_, flags = flags_, handler = std::move(handler)](const boost::system::error_code&) {
                         flags->reading = false;
                         if (!flags->closed) handler->on_readable();
                         loop.run_deferred();
                       });
  }
  void wait_writable(std::shared_ptr<ReadyHandler> handler) override {
    if (std::exchange(flags_->writing, true)) return;
    stream_.async_wait(asio::posix::stream_descriptor::wait_write,
                       [&loop = loop_, flags = flags_, handler = std::move(handler)](const boost::system::error_code&) {
                         flags->writing = false;
                         if (!flags->closed) handler->on_writable();
                         loop.run_deferred();
                       });
  }

 private:
  struct Flags {
    bool reading = false, writing = false, closed = false;
  };
  AsioEventLoop& loop_;
  asio::posix::stream_descriptor stream_;
  std::shared_ptr<Flags> flags_;
};

std::unique_ptr<WatchedDescriptor> AsioEventLoop::watch(int descriptor) {
  try {
    return std::make_unique<AsioDescriptor>(*this, descriptor);
  } catch (const boost::system::system_error&) {  // the kernel watches no more descriptors
    ::close(descriptor);
    return nullptr;
  }
}

std::shared_ptr<EventLoop> EventLoop::create(const Clock& clock) { return std::make_shared<AsioEventLoop>(clock); }

}  // namespace pandora
