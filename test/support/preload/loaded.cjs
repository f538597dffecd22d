/** Loaded before the service by a test (`node --require`): at its end the process says which packages it has loaded. */
const { writeSync } = require('node:fs');

process.on('exit', () => {
  const names = Object.keys(require.cache).map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  writeSync(1, `loaded: ${[...new Set(names.filter(Boolean))].join(' ')}\n`);
});
