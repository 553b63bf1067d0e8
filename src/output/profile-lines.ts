/** Credentials as a profile of a shared credentials file, to be printed. Tests: test/cli/export.test.ts */
import type { AwsCredentials } from '../credentials/credentials.ts';
import { checkProfile } from './credentials-file.ts';
import { editProfile } from './profile-edit.ts';
import { checkValue } from './variable-forms.ts';

/**
 * The section of a profile.
 *
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE` for a name, and for a value that an SDK would read otherwise;
 * `ERR_EXPORT_VALUE`
 */
export function profileLines(profile: string, credentials: AwsCredentials): string {
  checkProfile(profile);
  const { accessKeyId, secretAccessKey, sessionToken, accountId } = credentials;
  const wanted = new Map([
    ['aws_access_key_id', accessKeyId],
    ['aws_secret_access_key', secretAccessKey],
    ['aws_session_token', sessionToken],
    ['aws_account_id', accountId],
  ]);
  for (const [name, value] of wanted) if (value !== undefined) checkValue(name, value);
  return editProfile('', profile, { wanted, followers: new Map() }, 'what would be printed');
}
