import { describe, expect, it } from 'vitest';
import { flagsOfTheHelper } from '../docs/switching.ts';
import { runProgram } from '../support/cli.ts';
import { findHelper } from './support/helper.ts';

const helper = await findHelper();

describe.skipIf(helper === undefined)('the flags of which docs/switching.md speaks', () => {
  it.each(Object.entries(flagsOfTheHelper))("are those of the helper's %s", async (command, flags) => {
    const { stdout } = await runProgram(helper ?? '', [command, '--help']);
    const listed = [...stdout.matchAll(/^ +(?:-\w, )?--([\w-]+)/gm)].map(([, flag = '']) => flag);
    expect(listed.filter((flag) => flag !== 'help').toSorted()).toEqual([...flags].toSorted());
  });
});
