package honker

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/russellromney/honker-go/internal/bundled"
)

// EnvExtensionPath is the environment variable that names the library.
const EnvExtensionPath = "HONKER_EXTENSION_PATH"

// loaded is the library of this process. A second copy would have watchers and a clock of its own.
var loaded struct {
	sync.Mutex
	path string
}

// ExtensionPath returns the absolute path of the library that connections load: the given path, else that of the
// environment variable [EnvExtensionPath], else the library bundled with this module, else target/release of a checkout
// of honker above the working directory or the program.
//
// A process uses one library. Another path than the loaded one is an [ErrInvalidArgument]; a library that does not
// exist is an [ErrExtensionNotFound].
func ExtensionPath(explicit string) (string, error) {
	loaded.Lock()
	defer loaded.Unlock()
	return extensionPath(explicit)
}

// loadOnce loads the library by the given function, and remembers it if that succeeds.
func loadOnce(explicit string, load func(path string) error) error {
	loaded.Lock()
	defer loaded.Unlock()
	path, err := extensionPath(explicit)
	if err != nil {
		return err
	}
	if err := load(path); err != nil {
		return err
	}
	loaded.path = path
	return nil
}

func extensionPath(explicit string) (string, error) {
	if explicit == "" && loaded.path != "" {
		return loaded.path, nil
	}
	path, err := findLibrary(explicit)
	switch {
	case err != nil:
		return "", err
	case loaded.path == "":
		return path, nil
	case !isSameFile(loaded.path, path):
		return "", invalid("extensionPath is %s; this process has loaded %s, and uses one library", path, loaded.path)
	}
	return loaded.path, nil
}

func findLibrary(explicit string) (string, error) {
	for _, named := range []struct{ by, path string }{
		{"extensionPath", explicit}, {EnvExtensionPath, os.Getenv(EnvExtensionPath)},
	} {
		if named.path == "" {
			continue
		}
		path, err := filepath.Abs(named.path)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", &Error{Code: CodeExtensionNotFound, Message: fmt.Sprintf("%s: %v", named.by, err), cause: err}
		}
		return path, nil
	}
	path, err := bundled.Extract(libraryName())
	if err != nil {
		return "", &Error{Code: CodeExtensionNotFound, Message: fmt.Sprintf("the bundled library: %v", err), cause: err}
	}
	if path != "" {
		return path, nil
	}
	return findBuilt()
}

// findBuilt looks for target/release of a checkout, told by its include/honker.h.
func findBuilt() (string, error) {
	var starts []string
	if folder, err := os.Getwd(); err == nil {
		starts = append(starts, folder)
	}
	if program, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(program))
	}
	for _, folder := range starts {
		for ; ; folder = filepath.Dir(folder) {
			path := filepath.Join(folder, "target", "release", libraryName())
			if isFile(path) && isFile(filepath.Join(folder, "include", "honker.h")) {
				return path, nil
			}
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	return "", &Error{Code: CodeExtensionNotFound, Message: fmt.Sprintf(
		"there is no %s for %s/%s; build it (cargo build --release -p honker-extension) and set %s to its path",
		libraryName(), runtime.GOOS, runtime.GOARCH, EnvExtensionPath)}
}

func libraryName() string {
	switch runtime.GOOS {
	case "windows":
		return "honker_ext.dll"
	case "darwin":
		return "libhonker_ext.dylib"
	}
	return "libhonker_ext.so"
}

func isFile(path string) bool {
	found, err := os.Stat(path)
	return err == nil && found.Mode().IsRegular()
}

func isSameFile(one, other string) bool {
	first, err := os.Stat(one)
	if err != nil {
		return false
	}
	second, err := os.Stat(other)
	return err == nil && os.SameFile(first, second)
}
