/** How this program was called. The standalone executable has another way to know: src/standalone/program.ts. */
// Tests: test/commands/link.test.ts
/** The path that the program was called by, which Node has made absolute; npm's links and the one of `link` come through unresolved. */
export function programPath(): string {
  return process.argv[1] ?? 'roles-anywhere';
}
