package dev.honker.kotlin

import dev.honker.Database
import dev.honker.Honker
import dev.honker.OpenOptions
import java.nio.file.Path

/**
 * Opens a database file, and creates it and the tables of honker if they are missing. Close it, for example by `use`.
 *
 * @throws dev.honker.HonkerLoadException if the library of honker is not found or cannot be loaded
 * @throws dev.honker.HonkerSqlException if the file cannot be opened
 */
public fun honker(path: String, options: OpenOptions = OpenOptions.defaults()): Database = Honker.open(path, options)

/** Opens a database file, as the function with a text does. */
public fun honker(path: Path, options: OpenOptions = OpenOptions.defaults()): Database = Honker.open(path, options)

/** Opens a database file, as the function with a text does, with the options that the block sets. */
public fun honker(path: String, block: OpenOptions.Builder.() -> Unit): Database = honker(path, openOptions(block))

/** Opens a database file, as the function with a text does, with the options that the block sets. */
public fun honker(path: Path, block: OpenOptions.Builder.() -> Unit): Database = honker(path, openOptions(block))
