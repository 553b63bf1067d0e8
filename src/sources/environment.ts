/** The environment's access key. */
// Tests: test/sources/sources.test.ts
import type { Source } from './source.ts';

/** The variables of the AWS SDKs. */
export const fromEnvironment: Source = async ({ env }) => {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (AWS_ACCESS_KEY_ID === undefined || AWS_ACCESS_KEY_ID === '') return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY ?? '',
    sessionToken: AWS_SESSION_TOKEN === '' ? undefined : AWS_SESSION_TOKEN,
  };
};
