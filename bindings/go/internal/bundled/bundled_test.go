package bundled

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAnExtractedLibraryIsReusedAndRepaired(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	first, err := extract([]byte("library"), cache, "libhonker_ext.so")
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := extract([]byte("library"), cache, "libhonker_ext.so"); err != nil || again != first {
		t.Fatalf("got %s, %v", again, err)
	}
	if after, err := os.Stat(first); err != nil || !os.SameFile(before, after) {
		t.Fatal("it was written again")
	}
	if err := os.WriteFile(first, []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := extract([]byte("library"), cache, "libhonker_ext.so"); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(first); err != nil || string(content) != "library" {
		t.Fatalf("got %q, %v", content, err)
	}
	other, err := extract([]byte("another"), cache, "libhonker_ext.so")
	if err != nil || other == first {
		t.Fatalf("got %s, %v", other, err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	if err != nil || len(left) != 2 {
		t.Fatalf("left %v", left)
	}
}

func TestAnUnwritableCacheIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := extract([]byte("library"), file, "libhonker_ext.so"); err == nil {
		t.Fatal("it was written below a file")
	}
}
