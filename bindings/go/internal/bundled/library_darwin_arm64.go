package bundled

import "embed"

//go:embed darwin_arm64
var files embed.FS

const folder = "darwin_arm64"
