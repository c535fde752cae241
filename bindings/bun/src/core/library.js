const fs = require('node:fs');
const path = require('node:path');
const { errorOf } = require('./errors.js');

const FILES = { darwin: 'libhonker_ext.dylib', linux: 'libhonker_ext.so', win32: 'honker_ext.dll' };

/**
 * Find the library of the engine: `explicit`, HONKER_EXTENSION_PATH, the file in the package, then `target/release` of
 * the folders above the package.
 */
function findLibrary(packageFolder, explicit = undefined) {
  const named = explicit || process.env.HONKER_EXTENSION_PATH;
  if (named) {
    if (!fs.existsSync(named)) throw missing(`there is no file ${named}`);
    return path.resolve(named);
  }
  const file = FILES[process.platform];
  if (file === undefined) throw missing(`honker has no library for ${process.platform}`);
  const bundled = path.join(packageFolder, 'prebuilt', `${process.platform}-${process.arch}`, file);
  const found = [bundled, ...builds(packageFolder, file)].find((each) => fs.existsSync(each));
  if (found === undefined) throw missing(`there is no ${bundled}; set HONKER_EXTENSION_PATH`);
  return found;
}

function builds(packageFolder, file) {
  const found = [];
  for (let folder = packageFolder; path.dirname(folder) !== folder; folder = path.dirname(folder)) {
    found.push(path.join(folder, 'target', 'release', file));
  }
  return found;
}

function missing(message) {
  return errorOf('HONKER_CANTOPEN', `the library of honker cannot be loaded: ${message}`);
}

module.exports = { findLibrary };
