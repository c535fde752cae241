#include "honker/lock.hpp"

#include "core.hpp"

namespace honker {

Lock::Lock(std::shared_ptr<detail::Core> core, std::string name, std::string owner)
    : core_(std::move(core)), name_(std::move(name)), owner_(std::move(owner)) {}

Lock::~Lock() {
    drop();
}

Lock::Lock(Lock&& other) noexcept = default;

Lock& Lock::operator=(Lock&& other) noexcept {
    if (this != &other) {
        drop();
        core_ = std::move(other.core_);
        name_ = std::move(other.name_);
        owner_ = std::move(other.owner_);
    }
    return *this;
}

void Lock::drop() noexcept {
    try {
        release();
    } catch (const std::exception&) {
        // The lock ends with its time.
    }
}

bool Lock::release() {
    if (core_ == nullptr) {
        return false;
    }
    const bool was_held = core_->call("SELECT honker_lock_release(?, ?)", {name_, owner_}).truth();
    core_.reset();
    return was_held;
}

bool Lock::heartbeat(double ttl_s) {
    return core_ != nullptr && core_->call("SELECT honker_lock_renew(?, ?, ?)", {name_, owner_, ttl_s}).truth();
}

}  // namespace honker
