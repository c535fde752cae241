// The library of SQL functions: where it is, and how it is loaded.
#include "honker/database.hpp"
#include "honker/error.hpp"
#include "statement.hpp"

#include <dlfcn.h>
#include <sqlite3.h>
#include <cstdlib>
#include <filesystem>
#include <mutex>

namespace honker {
namespace {

namespace fs = std::filesystem;

#ifdef __APPLE__
constexpr const char* library_name = "libhonker_ext.dylib";
#else
constexpr const char* library_name = "libhonker_ext.so";
#endif

/// The library of this process. A second copy would have watchers and a clock besides the first.
struct Loaded {
    std::mutex mutex;
    std::string path;
};

Loaded& loaded() {
    static Loaded instance;
    return instance;
}

std::string existing(const std::string& path, const std::string& named_by) {
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error);
    if (error || !fs::is_regular_file(absolute, error)) {
        throw ExtensionError("HONKER_EXTENSION_NOT_FOUND", named_by + ": there is no file " + path);
    }
    return absolute.string();
}

/// The folder of this code: the program, or the shared library that it was linked into.
fs::path own_folder() {
    Dl_info found{};
    std::error_code error;
    if (dladdr(reinterpret_cast<const void*>(&loaded), &found) == 0 || found.dli_fname == nullptr) {
        return {};
    }
    return fs::absolute(found.dli_fname, error).parent_path();
}

std::string find(const std::string& explicit_path) {
    if (!explicit_path.empty()) {
        return existing(explicit_path, "ext_path");
    }
    const char* from_environment = std::getenv("HONKER_EXTENSION_PATH");
    if (from_environment != nullptr && *from_environment != '\0') {
        return existing(from_environment, "HONKER_EXTENSION_PATH");
    }
    std::error_code error;
    const fs::path own = own_folder();
    for (const fs::path& folder : {own, own / "../lib/honker", fs::path(HONKER_INSTALL_FOLDER)}) {
        if (!folder.empty() && fs::is_regular_file(folder / library_name, error)) {
            return fs::weakly_canonical(folder / library_name, error).string();
        }
    }
    for (fs::path folder : {fs::current_path(error), own}) {
        for (; !folder.empty(); folder = folder.parent_path()) {
            const fs::path built = folder / "target" / "release" / library_name;
            // Other projects have such a folder, too; this header tells the checkout of honker.
            if (fs::is_regular_file(built, error) && fs::is_regular_file(folder / "include" / "honker.h", error)) {
                return built.string();
            }
            if (folder == folder.parent_path()) {
                break;
            }
        }
    }
    throw ExtensionError("HONKER_EXTENSION_NOT_FOUND",
                         std::string("there is no ") + library_name + "; set HONKER_EXTENSION_PATH to its path");
}

}  // namespace

std::string extension_path(const std::string& explicit_path) {
    Loaded& known = loaded();
    const std::lock_guard<std::mutex> guard(known.mutex);
    if (explicit_path.empty() && !known.path.empty()) {
        return known.path;
    }
    // SQLite completes a path without its suffix, so this accepts it as well.
    std::string wanted = explicit_path;
    std::error_code error;
    if (!wanted.empty() && !fs::exists(wanted, error)) {
        for (const char* suffix : {".so", ".dylib"}) {
            if (fs::exists(wanted + suffix, error)) {
                wanted += suffix;
                break;
            }
        }
    }
    const std::string path = find(wanted);
    if (!known.path.empty() && !fs::equivalent(known.path, path, error)) {
        throw InvalidArgumentError("ext_path is " + path + "; this process has loaded " + known.path +
                                   ", and uses one library");
    }
    return known.path = path;
}

void load(sqlite3* connection, const std::string& ext_path) {
    const std::string path = extension_path(ext_path);
    char* message = nullptr;
    int before = 0;
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, -1, &before);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, nullptr);
    const int rc = sqlite3_load_extension(connection, path.c_str(), "sqlite3_honkerext_init", &message);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, before, nullptr);
    const std::string text = message == nullptr ? "" : message;
    sqlite3_free(message);
    if (rc == SQLITE_OK) {
        return;
    }
    const auto code = text.find("HONKER_");
    if (code != std::string::npos) {
        detail::fail(text.substr(code), rc);
    }
    throw ExtensionError("HONKER_EXTENSION_UNSUPPORTED", path + ": " + text, rc);
}

void bootstrap(sqlite3* connection) {
    detail::one(connection, "SELECT honker_bootstrap()");
}

}  // namespace honker
