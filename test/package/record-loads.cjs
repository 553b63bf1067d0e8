// Preloaded with --require: writes what the program asked for to the file that RECORD_LOADS_TO names, at its end.
const { writeFileSync } = require('node:fs');
const Module = require('node:module');

const load = Module.prototype.require;
const getBuiltinModule = process.getBuiltinModule;
const builtins = new Set();

function record(request) {
  if (Module.isBuiltin(request)) builtins.add(request.replace(/^node:/, ''));
}
Module.prototype.require = function (request) {
  record(request);
  return load.call(this, request);
};
if (getBuiltinModule !== undefined)
  process.getBuiltinModule = (id) => {
    record(id);
    return getBuiltinModule(id);
  };
process.on('exit', () => {
  const files = Object.keys(require.cache).filter((file) => file !== __filename);
  writeFileSync(process.env.RECORD_LOADS_TO, JSON.stringify({ files, builtins: [...builtins] }));
});
