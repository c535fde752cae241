//go:build !unix

package honker

import "os"

// duplicate returns no file: the watcher has no descriptor here.
func duplicate(int) (*os.File, error) { return nil, nil }
