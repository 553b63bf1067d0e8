/** A port on a module in this process: for a command that signs once and ends. */
// Tests: test/identity/pkcs11/bridge.test.ts
import { loadBinding } from './binding.ts';
import { Engine } from './engine.ts';
import type { Port } from './port.ts';

/**
 * Opens a module in this process. A module that crashes takes the process with
 * it, and one that hangs blocks it: long-running programs use the bridge.
 */
export async function openInProcess(libraries: readonly string[]): Promise<Port> {
  const engine = new Engine(loadBinding());
  engine.answer('open', { libraries });
  return {
    ask: async (operation, ask) => engine.answer(operation, ask),
    close: async () => engine.close(),
  };
}
