"""Makes build/Honker.VERSION.nupkg where no .NET SDK is installed: the metadata of the project files as a nuspec, with
lib/net8.0 and runtimes/RID/native. `dotnet pack` makes the same from src/Honker/Honker.csproj."""

import os
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

FOLDER = Path(__file__).resolve().parent.parent
RID = "linux-x64"
NUSPEC = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata>
    <id>{PackageId}</id>
    <version>{Version}</version>
    <authors>{Authors}</authors>
    <license type="expression">{PackageLicenseExpression}</license>
    <readme>{PackageReadmeFile}</readme>
    <description>{Description}</description>
    <tags>{PackageTags}</tags>
    <dependencies>
      <group targetFramework="net8.0" />
    </dependencies>
  </metadata>
</package>
"""
RELATIONSHIPS = """<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/Honker.nuspec" Id="R1" />
</Relationships>
"""
CONTENT_TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="dll" ContentType="application/octet" />
  <Default Extension="xml" ContentType="application/octet" />
  <Default Extension="so" ContentType="application/octet" />
  <Default Extension="md" ContentType="application/octet" />
</Types>
"""


def metadata() -> dict[str, str]:
    """The properties of the project, which the nuspec takes."""
    found: dict[str, str] = {}
    for name in ("Directory.Build.props", "src/Honker/Honker.csproj"):
        for group in ElementTree.parse(FOLDER / name).getroot().iter("PropertyGroup"):
            found.update({each.tag: escape((each.text or "").strip()) for each in group})
    found["PackageTags"] = found["PackageTags"].replace(";", " ")
    return found


def main() -> None:
    """Write the package, and print its path."""
    native = os.environ.get("HONKER_EXTENSION_PATH") or FOLDER.parent.parent / "target/release/libhonker_ext.so"
    values = metadata()
    package = FOLDER / "build" / f"Honker.{values['Version']}.nupkg"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", RELATIONSHIPS)
        archive.writestr("Honker.nuspec", NUSPEC.format(**values))
        for name in ("Honker.dll", "Honker.xml"):
            archive.write(FOLDER / "build" / name, f"lib/net8.0/{name}")
        archive.write(native, f"runtimes/{RID}/native/libhonker_ext.so")
        archive.write(FOLDER / "README.md", "README.md")
    print(package)


if __name__ == "__main__":
    sys.exit(main())
