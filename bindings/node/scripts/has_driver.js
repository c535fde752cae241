// Ends with code 0 if this Node can run the package.
try {
  require('../lib/drivers/choice.js').chooseDriver();
  process.exitCode = Number.parseInt(process.versions.node, 10) < 20 ? 1 : 0;
} catch {
  process.exitCode = 1;
}
