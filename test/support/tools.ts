import { execFileSync } from 'node:child_process';

/** Under this variable a suite whose tool is missing fails instead of being skipped; CI sets it. */
const REQUIRED = process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1';

/** Whether `command` is there to be run; throws instead of saying no when CI requires every tool. */
export function requireTool(command: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', 'command -v -- "$1" >/dev/null', 'sh', command]);
    return true;
  } catch {
    if (REQUIRED) throw new Error(`${command} is missing, and ROLES_ANYWHERE_REQUIRE_TOOLS=1 requires every tool`);
    return false;
  }
}

/** Whether Debian's Python has a module, by the rule of {@link requireTool}. */
export function requireModule(module: string): boolean {
  try {
    execFileSync('/usr/bin/python3', ['-c', `import ${module}`], { stdio: 'ignore' });
    return true;
  } catch {
    if (REQUIRED)
      throw new Error(`python3-${module} is missing, and ROLES_ANYWHERE_REQUIRE_TOOLS=1 requires every tool`);
    return false;
  }
}
