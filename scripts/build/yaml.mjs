// Stands in for yaml's index in the bundle: what reads and writes a whole text. Of the package, the ES modules, of which what is
// not used can be left out. src/emulator/world/file.ts reads with it, and src/commands/trust-policy/cloudformation.ts writes.
export { parse, parseDocument, stringify } from '../../node_modules/yaml/browser/dist/public-api.js';
export { LineCounter } from '../../node_modules/yaml/browser/dist/parse/line-counter.js';
export { YAMLParseError } from '../../node_modules/yaml/browser/dist/errors.js';
