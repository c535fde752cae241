//go:build !((linux && (amd64 || arm64)) || (darwin && (amd64 || arm64)) || (windows && amd64))

package bundled

import "embed"

var files embed.FS

const folder = ""
