package bundled

import "embed"

//go:embed darwin_amd64
var files embed.FS

const folder = "darwin_amd64"
