// Stands in for yaml's index in the bundle: its reader alone. Of the package, the ES modules, of which what is not used can be
// left out. src/emulator/world/file.ts reads with it, and nothing writes YAML with it.
export { parse } from '../../node_modules/yaml/browser/dist/public-api.js';
