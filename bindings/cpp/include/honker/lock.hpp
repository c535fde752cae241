/// @file
/// Named locks.
#ifndef HONKER_LOCK_HPP
#define HONKER_LOCK_HPP

#include <memory>
#include <string>

namespace honker {
namespace detail {
class Core;
}

/// A named lock that is held until release(), its destructor, or the end of its time. Move-only.
class Lock {
public:
    ~Lock();
    Lock(Lock&& other) noexcept;
    Lock& operator=(Lock&& other) noexcept;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    const std::string& name() const noexcept { return name_; }
    const std::string& owner() const noexcept { return owner_; }

    /// Release the lock. Returns true if it was still held. A second call returns false.
    bool release();
    /// Set the end of the lock to ttl_s seconds from now; more than 0, at most a year. Returns false if it was lost.
    bool heartbeat(double ttl_s = 60);

private:
    friend class Database;
    Lock(std::shared_ptr<detail::Core> core, std::string name, std::string owner);
    void drop() noexcept;

    std::shared_ptr<detail::Core> core_;
    std::string name_;
    std::string owner_;
};

}  // namespace honker

#endif
