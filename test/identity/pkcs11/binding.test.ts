import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { KOFFI_VERSION, loadBinding } from '../../../src/identity/pkcs11/binding.ts';
import { refusal } from '../../support/refusal.ts';

const NAME = `@koromix/koffi-${process.platform}-${process.arch}`;

it('the package of this platform is loaded, in the version that package.json pins for all', () => {
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(optionalDependencies).toHaveProperty([NAME]);
  expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([KOFFI_VERSION]));
  expect(loadBinding().version).toBe(KOFFI_VERSION);
});

it('a package that is not installed is named, with what to install', async () => {
  const error = await refusal(() =>
    loadBinding(() => {
      throw Object.assign(new Error(`Cannot find module '${NAME}'`), { code: 'MODULE_NOT_FOUND' });
    }),
  );
  expect(error).toMatchObject({
    code: 'ERR_PKCS11_BINDING',
    hint: expect.stringContaining(`npm install ${NAME}@${KOFFI_VERSION}`) as string,
  });
});

it.each([
  [
    'is for another system',
    () => {
      throw new Error('invalid ELF header');
    },
  ],
  ['is something else', () => ({ version: '1' })],
  ['is nothing', () => undefined],
])('a package that %s is not used', async (_name, load) => {
  expect((await refusal(() => loadBinding(load))).code).toBe('ERR_PKCS11_BINDING');
});
