package dev.honker;

import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.CodeSource;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Finds the library of honker. A process uses one: a second copy would have watchers of its own. */
final class ExtensionLibrary {
    private static final String VARIABLE = "HONKER_EXTENSION_PATH";
    private static Path loaded;

    private ExtensionLibrary() {}

    /**
     * The path of the library: the given one, that of HONKER_EXTENSION_PATH, the one in the jar, or the one that was
     * built in a checkout above.
     */
    static synchronized Path find(Path explicit) {
        if (explicit == null && loaded != null) {
            return loaded;
        }
        Path found = locate(explicit);
        if (loaded != null && !isSame(loaded, found)) {
            throw new HonkerInvalidOptionException(
                    "extensionPath is " + found + "; this process has loaded " + loaded + ", and uses one library");
        }
        loaded = found;
        return found;
    }

    private static Path locate(Path explicit) {
        if (explicit != null) {
            return existing("extensionPath", explicit);
        }
        String variable = System.getenv(VARIABLE);
        if (variable != null && !variable.isEmpty()) {
            return existing(VARIABLE, Path.of(variable));
        }
        Path bundled = bundled();
        return bundled != null ? bundled : built();
    }

    private static Path existing(String by, Path path) {
        Path absolute = path.toAbsolutePath();
        if (!Files.isRegularFile(absolute)) {
            throw notFound(by + " is " + path + ", and there is no such file", null);
        }
        return absolute;
    }

    /** Copies the resource of the jar into a temporary file, which ends with the process. */
    private static Path bundled() {
        String resource = "/runtimes/" + platform() + "/native/" + fileName();
        try (InputStream from = ExtensionLibrary.class.getResourceAsStream(resource)) {
            if (from == null) {
                return null;
            }
            Path folder = Files.createTempDirectory("honker-");
            Path file = folder.resolve(fileName());
            folder.toFile().deleteOnExit();
            file.toFile().deleteOnExit();
            Files.copy(from, file, StandardCopyOption.REPLACE_EXISTING);
            return file;
        } catch (IOException error) {
            throw notFound("the library of the jar cannot be copied to a temporary file: " + error, error);
        }
    }

    private static Path built() {
        return Stream.of(Path.of("").toAbsolutePath(), codeFolder())
                .flatMap(ExtensionLibrary::upwards)
                .flatMap(folder -> List.of("release", "debug").stream()
                        .map(profile ->
                                folder.resolve("target").resolve(profile).resolve(fileName())))
                .filter(Files::isRegularFile)
                .findFirst()
                .orElseThrow(() -> notFound(
                        "the library of honker was not found; this jar has none for " + platform()
                                + "; set extensionPath or " + VARIABLE,
                        null));
    }

    private static Stream<Path> upwards(Path from) {
        // Only a checkout of honker counts: it has the header.
        return Stream.iterate(from, folder -> folder != null, Path::getParent)
                .filter(folder -> Files.isRegularFile(folder.resolve("include").resolve("honker.h")));
    }

    private static Path codeFolder() {
        CodeSource source = ExtensionLibrary.class.getProtectionDomain().getCodeSource();
        try {
            return source == null ? null : Path.of(source.getLocation().toURI());
        } catch (URISyntaxException | RuntimeException error) {
            return null; // not on a file system, so in no checkout
        }
    }

    private static boolean isSame(Path one, Path other) {
        try {
            return one.equals(other) || Files.isSameFile(one, other);
        } catch (IOException error) {
            return false;
        }
    }

    static String platform() {
        String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        return system() + "-" + ("amd64".equals(arch) ? "x86_64" : "arm64".equals(arch) ? "aarch64" : arch);
    }

    private static String system() {
        String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        return name.startsWith("windows") ? "windows" : name.startsWith("mac") ? "macos" : "linux";
    }

    static String fileName() {
        return switch (system()) {
            case "windows" -> "honker_ext.dll";
            case "macos" -> "libhonker_ext.dylib";
            default -> "libhonker_ext.so";
        };
    }

    private static HonkerLoadException notFound(String message, Throwable cause) {
        return new HonkerLoadException("HONKER_EXTENSION_NOT_FOUND", message, cause);
    }
}
