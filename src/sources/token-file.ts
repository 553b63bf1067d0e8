/** A web identity token in a file. Tests: test/providers/web-identity.test.ts */
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';

/** Longer than any token that STS takes. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads a token, which a process such as a kubelet renews.
 *
 * @throws RolesAnywhereError `ERR_WEB_IDENTITY_TOKEN`
 */
export async function readTokenFile(path: string): Promise<string> {
  const { bytes } = readNamedFile({
    path,
    name: `the token file ${path}`,
    code: 'ERR_WEB_IDENTITY_TOKEN',
    maxBytes: MAX_FILE_BYTES,
    hint: 'check the path, and that this process may read it',
  });
  const text = Buffer.from(bytes).toString('latin1').trim();
  if (text !== '') return text;
  throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', `the token file ${path} is empty`, {
    hint: 'whatever writes it has not done so yet',
  });
}
