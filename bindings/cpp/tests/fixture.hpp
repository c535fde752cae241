// A database in a folder of each test.
#ifndef HONKER_TESTS_FIXTURE_HPP
#define HONKER_TESTS_FIXTURE_HPP

#include <gtest/gtest.h>
#include <honker.hpp>

#include <unistd.h>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

using namespace std::chrono_literals;

class WithDatabase : public testing::Test {
protected:
    WithDatabase() {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        folder_ = std::filesystem::temp_directory_path() /
                  (std::string("honker-") + std::to_string(::getpid()) + "-" + test->name());
        std::filesystem::create_directories(folder_);
        db = std::make_unique<honker::Database>(path());
    }
    ~WithDatabase() override {
        db.reset();
        std::filesystem::remove_all(folder_);
    }

    std::string path(const std::string& name = "app.db") const { return (folder_ / name).string(); }

    std::unique_ptr<honker::Database> db;

private:
    std::filesystem::path folder_;
};

/// The code of the Error that a function throws; "" without one.
inline std::string code_of(const std::function<void()>& run) {
    try {
        run();
    } catch (const honker::Error& error) {
        return error.code();
    }
    return "";
}

/// Runs a wait in a thread, and returns once it has had time to begin. The wait must not have ended by then.
class Waiting {
public:
    explicit Waiting(std::function<void()> wait) {
        thread_ = std::thread([this, wait = std::move(wait)] {
            wait();
            has_ended = true;
        });
        std::this_thread::sleep_for(100ms);
        EXPECT_FALSE(has_ended) << "the wait has ended before its cause";
        began_ = std::chrono::steady_clock::now();
    }
    ~Waiting() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    /// The time from the cause to the end of the wait.
    std::chrono::steady_clock::duration join() {
        thread_.join();
        return std::chrono::steady_clock::now() - began_;
    }

private:
    std::thread thread_;
    std::atomic<bool> has_ended{false};
    std::chrono::steady_clock::time_point began_;
};

#endif
