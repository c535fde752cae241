package bundled

import "embed"

//go:embed windows_amd64
var files embed.FS

const folder = "windows_amd64"
