// Package bundled has the library of honker for this platform, if the module was released with it.
//
// SQLite loads a library from a file, so the embedded one is written to the user's cache folder, under its checksum.
package bundled

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Extract returns the path of the library in the cache, which it writes there if it is not. The path is empty if the
// module was built without the library.
func Extract(name string) (string, error) {
	library, err := files.ReadFile(folder + "/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return extract(library, filepath.Join(cache, "honker"), name)
}

// extract compares content and not only names: a file of a process that died while writing must not be loaded, nor one
// that was changed.
func extract(library []byte, cache, name string) (string, error) {
	sum := sha256.Sum256(library)
	path := filepath.Join(cache, hex.EncodeToString(sum[:8]), name)
	if found, err := os.ReadFile(path); err == nil && sha256.Sum256(found) == sum {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	file, err := os.CreateTemp(filepath.Dir(path), name+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(library)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error above is the one that matters
		return "", fmt.Errorf("cannot write %s: %w", path, err)
	}
	return path, nil
}
