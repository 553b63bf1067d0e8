/** The environment's access key. */
// Tests: test/sources/sources.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Source } from './source.ts';

/** The variables of the AWS SDKs. */
export const fromEnvironment: Source = async ({ env }) => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_ACCESS_KEY_ID === '') return undefined;
  if (AWS_SECRET_ACCESS_KEY === undefined || AWS_SECRET_ACCESS_KEY === '')
    throw new RolesAnywhereError(
      'ERR_SOURCE_CREDENTIALS',
      'AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not',
      {
        hint: 'export both to this program, and for temporary credentials AWS_SESSION_TOKEN; or unset the one',
      },
    );
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    sessionToken: AWS_SESSION_TOKEN === '' ? undefined : AWS_SESSION_TOKEN,
  };
};
