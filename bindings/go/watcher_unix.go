//go:build unix

package honker

import (
	"os"
	"syscall"
)

// duplicate returns a descriptor of our own for the watcher's pipe: the watcher closes its descriptor when it likes.
// The pipe does not block, so the runtime's poller waits for it.
func duplicate(fd int) (*os.File, error) {
	syscall.ForkLock.RLock()
	own, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(own)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, &Error{Code: CodeWatcher, Message: os.NewSyscallError("dup", err).Error(), cause: err}
	}
	return os.NewFile(uintptr(own), "honker watcher"), nil
}
