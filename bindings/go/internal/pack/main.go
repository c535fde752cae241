// Command pack makes the release of the module as a file tree that the go command reads as a proxy, and tries it: the
// go command downloads the module, and the getting-started program runs on it in a clean folder, with the bundled
// library.
//
//	HONKER_EXTENSION_PATH=.../libhonker_ext.so go run ./internal/pack build/proxy
package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	module  = "github.com/russellromney/honker-go"
	version = "v0.1.0"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: pack FOLDER")
	}
	proxy, err := filepath.Abs(os.Args[1])
	if err == nil {
		err = pack(filepath.Join(proxy, filepath.FromSlash(module), "@v"), os.Getenv("HONKER_EXTENSION_PATH"))
	}
	if err == nil {
		err = try(proxy)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// pack writes the files of the proxy.
func pack(folder, library string) error {
	if library == "" {
		return errors.New("HONKER_EXTENSION_PATH is not set; it names the library to bundle")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]string{"Version": version, "Time": time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	file, err := os.Create(filepath.Join(folder, version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(writeZip(file, library), file.Close())
}

func writeZip(to io.Writer, library string) error {
	files, err := moduleFiles()
	if err != nil {
		return err
	}
	made := zip.NewWriter(to)
	for _, path := range files {
		if err := addFile(made, filepath.ToSlash(path), path); err != nil {
			return err
		}
	}
	bundled := fmt.Sprintf("internal/bundled/%s_%s/%s", runtime.GOOS, runtime.GOARCH, filepath.Base(library))
	return errors.Join(addFile(made, bundled, library), made.Close())
}

// moduleFiles returns the files of this module: not those of modules in folders below it, and nothing that was built.
func moduleFiles() ([]string, error) {
	var files []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".":
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if path == "build" || err == nil {
				return fs.SkipDir
			}
		case entry.Type().IsRegular() && !slices.Contains([]string{".so", ".dylib", ".dll"}, filepath.Ext(path)):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

func addFile(made *zip.Writer, name, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	entry, err := made.Create(module + "@" + version + "/" + name)
	if err != nil {
		return err
	}
	_, err = entry.Write(content)
	return err
}

// try builds a program outside of the checkout, without the name of a library.
func try(proxy string) error {
	program, err := os.ReadFile(filepath.Join("examples", "started", "main.go"))
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "honker-try")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "main.go"), program, 0o600); err != nil {
		return err
	}
	downloaded, err := download(proxy, folder)
	if err != nil {
		return err
	}
	environment, err := cleanEnvironment(folder)
	if err != nil {
		return err
	}
	for _, command := range [][]string{
		{"mod", "init", "example.com/try"}, {"mod", "edit", "-replace=" + module + "=" + downloaded},
		{"get", module + "@" + version}, {"build", "-o", "try", "."},
	} {
		if _, err := run(folder, environment, "go", command...); err != nil {
			return err
		}
	}
	printed, err := run(folder, environment, filepath.Join(folder, "try"))
	if err == nil && printed != "job 1: \"sent to ann@example.com\"\n" {
		err = fmt.Errorf("the program printed %q", printed)
	}
	fmt.Print(printed)
	return err
}

// download lets the go command check and unpack the module. Its cache is thrown away, because a version that was
// downloaded once is never read again; the other modules come from the ordinary cache, which the build cache knows by
// their folders.
func download(proxy, folder string) (string, error) {
	environment := append(os.Environ(), "GOPROXY=file://"+filepath.ToSlash(proxy), "GONOSUMDB="+module,
		"GOFLAGS=-modcacherw", "GOMODCACHE="+filepath.Join(folder, "modules"))
	answer, err := run(folder, environment, "go", "mod", "download", "-json", module+"@"+version)
	if err != nil {
		return "", err
	}
	var found struct{ Dir string }
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		return "", err
	}
	if found.Dir == "" {
		return "", fmt.Errorf("the go command names no folder of the module: %s", answer)
	}
	return found.Dir, nil
}

// cleanEnvironment names no library, and has a cache without an extracted one.
func cleanEnvironment(folder string) ([]string, error) {
	built, err := run(".", os.Environ(), "go", "env", "GOCACHE")
	if err != nil {
		return nil, err
	}
	environment := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "HONKER_EXTENSION_PATH=")
	})
	return append(environment, "GOCACHE="+strings.TrimSpace(built), "GOWORK=off",
		"XDG_CACHE_HOME="+filepath.Join(folder, "cache")), nil
}

func run(folder string, environment []string, name string, args ...string) (string, error) {
	command := exec.Command(name, args...)
	command.Dir, command.Env, command.Stderr = folder, environment, os.Stderr
	printed, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(printed), nil
}
