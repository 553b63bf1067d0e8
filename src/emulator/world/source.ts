/** The source of a world: the options of a caller, or a file that may change while the emulator runs. */
// Tests: test/emulator/world/file.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { State } from '../state/state.ts';
import { type WorldOptions, createWorld } from './world.ts';

export interface WorldSource {
  readonly options: WorldOptions;
  readonly region: string;
  /** Brings a change of the file into the state; one that cannot be is told, and the world stays as it was. */
  refresh(state: State, now: Date, onReload?: (problem: RolesAnywhereError | undefined) => void): void;
}

/** @throws RolesAnywhereError `ERR_USAGE`, `ERR_WORLD` */
export async function openWorld({
  worldFile: path,
  trustAnchors,
  ...rest
}: Omit<WorldOptions, 'trustAnchors'> & {
  trustAnchors?: WorldOptions['trustAnchors'] | undefined;
  worldFile?: string | undefined;
}): Promise<WorldSource> {
  if (path === undefined) {
    if (trustAnchors === undefined)
      throw new RolesAnywhereError('ERR_USAGE', 'the emulator has no trust anchor', {
        hint: 'give the certificate of a CA whose clients it is to trust, or a world file',
      });
    return { options: { ...rest, trustAnchors }, region: rest.region ?? 'us-east-1', refresh: () => undefined };
  }
  if (trustAnchors !== undefined)
    throw new RolesAnywhereError('ERR_USAGE', 'the emulator has both trust anchors and a world file', {
      hint: 'name the trust anchors in the world file',
    });
  const { readWorldFile } = await import('./file.ts');
  let file = readWorldFile(path);
  const options = file.world();
  const region = options.region ?? 'us-east-1';
  return {
    options,
    region,
    refresh(state, now, onReload) {
      if (!file.isChanged()) return;
      file = readWorldFile(path);
      try {
        const next = file.world();
        if ((next.region ?? 'us-east-1') !== region)
          throw new RolesAnywhereError('ERR_WORLD', `${path}: the region has changed`, {
            hint: 'start the emulator anew to change its region',
          });
        state.apply({ op: 'load', world: createWorld(next, now) });
      } catch (error) {
        if (!(error instanceof RolesAnywhereError)) throw error;
        onReload?.(error);
        return;
      }
      onReload?.(undefined);
    },
  };
}
