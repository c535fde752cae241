package honker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheReadmeHasTheProgramOfItsExample(t *testing.T) {
	program := string(must(os.ReadFile(filepath.Join("examples", "started", "main.go")))(t))
	_, program, _ = strings.Cut(program, "\n") // the comment of the package
	readme := string(must(os.ReadFile("README.md"))(t))
	if !strings.Contains(readme, "```go\n"+program+"```") {
		t.Fatal("README.md differs from examples/started/main.go")
	}
}
