package honker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	honker "github.com/russellromney/honker-go"
)

func TestAnErrorOfTheEngineHasItsCode(t *testing.T) {
	db := open(t)
	_, err := db.Queue("", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{})
	fails(t, err, honker.ErrInvalidArgument)
	var known *honker.Error
	if !errors.As(err, &known) || !strings.HasPrefix(err.Error(), known.Code+": queue ") || known.Retryable() {
		t.Fatalf("got %v", err)
	}
	var native sqlite3.Error
	if !errors.As(err, &native) {
		t.Fatalf("%v hides the driver's error", err)
	}
	_, err = db.Queue("q", honker.QueueOptions{VisibilityTimeoutS: -1}).ClaimOne("w")
	fails(t, err, honker.ErrInvalidArgument)
	_, err = db.Queue("q", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{Priority: 1 << 53})
	fails(t, err, honker.ErrInvalidArgument)
}

func TestEveryCodeOfTheContractHasAConstant(t *testing.T) {
	contract, err := os.ReadFile(filepath.Join("..", "..", "reference.yaml"))
	if err != nil {
		t.Skip("outside a checkout of honker")
	}
	source := must(os.ReadFile("errors.go"))(t)
	_, rest, _ := strings.Cut(string(contract), "\nerrors:\n")
	section, _, _ := strings.Cut(rest, "\nerror_sets:")
	codes := regexp.MustCompile(`(?m)^  (HONKER_\w+):`).FindAllStringSubmatch(section, -1)
	if len(codes) < 15 {
		t.Fatalf("found only %d codes", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(string(source), `"`+code[1]+`"`) {
			t.Errorf("errors.go lacks %s", code[1])
		}
	}
}

func TestErrorsOfFilesAreTyped(t *testing.T) {
	folder := t.TempDir()
	damaged := filepath.Join(folder, "damaged.db")
	ok(t, os.WriteFile(damaged, []byte(strings.Repeat("no database ", 1000)), 0o600))
	for path, code := range map[string]string{
		damaged: honker.CodeCorrupt,
		filepath.Join(folder, "missing", "app.db"): honker.CodeCantOpen,
		":memory:":                honker.CodeInvalidArgument,
		"file:x?mode=memory":      honker.CodeInvalidArgument,
		"":                        honker.CodeInvalidArgument,
		"file:" + folder + "?a=%": honker.CodeInvalidArgument,
	} {
		_, err := honker.Open(path, "")
		var known *honker.Error
		if !errors.As(err, &known) || known.Code != code {
			t.Errorf("%s: got %v, want %s", path, err, code)
		}
	}
}

func TestPathsMayHaveAnyCharacter(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "ä b?c#d%20e&f")
	ok(t, os.Mkdir(folder, 0o700))
	path := filepath.Join(folder, "app.db")
	db := openFile(t, path)
	equal(t, db.Path(), path)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	waker := db.Queue("q", honker.QueueOptions{}).ClaimWaker()
	done := claimInBackground(within(t), waker)
	equal(t, isWaiting(t, done), true)
	must(db.Queue("q", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{}))(t)
	ok(t, receive(t, done).err)
}

func TestAFileURIOpens(t *testing.T) {
	db := openFile(t, "file:"+filepath.Join(t.TempDir(), "app.db")+"?cache=private")
	must(db.Queue("q", honker.QueueOptions{}).Enqueue(1, honker.EnqueueOptions{}))(t)
	must(db.Queue("q", honker.QueueOptions{}).ClaimWaker().Next(within(t), "w"))(t)
}

func TestConnectionsHaveTheirPragmas(t *testing.T) {
	db := open(t)
	equal(t, count(t, db, "PRAGMA busy_timeout"), 5000)
	equal(t, count(t, db, "PRAGMA foreign_keys"), 1)
	equal(t, count(t, db, "PRAGMA synchronous"), 1)
	equal(t, count(t, db, "PRAGMA cache_size"), -32000)
	equal(t, count(t, db, "PRAGMA wal_autocheckpoint"), 10000)
	var mode string
	ok(t, db.Raw().QueryRow("PRAGMA journal_mode").Scan(&mode))
	equal(t, mode, "wal")
}

func TestALibraryThatIsNotThereIsATypedError(t *testing.T) {
	_, err := honker.Open(filepath.Join(t.TempDir(), "app.db"), filepath.Join(t.TempDir(), "libhonker_ext.so"))
	fails(t, err, honker.ErrExtensionNotFound)
}

func TestAProcessUsesOneLibrary(t *testing.T) {
	open(t)
	path := must(honker.ExtensionPath(""))(t)
	equal(t, must(honker.ExtensionPath(path))(t), path)
	link := filepath.Join(t.TempDir(), "link.so")
	ok(t, os.Symlink(path, link))
	must(honker.ExtensionPath(link))(t)
	second := filepath.Join(t.TempDir(), "copy.so")
	ok(t, os.WriteFile(second, []byte("another"), 0o600))
	_, err := honker.ExtensionPath(second)
	fails(t, err, honker.ErrInvalidArgument)
}

func TestBootstrapNeedsTheFunctions(t *testing.T) {
	db := open(t)
	ok(t, honker.Bootstrap(context.Background(), db.Raw()))
}
