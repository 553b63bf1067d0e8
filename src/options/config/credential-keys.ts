/** The keys of a profile by which SDKs get its credentials. Tests: test/cli/init.test.ts, test/clients/exec-server.heavy.test.ts */

/** Keys with which an SDK takes a profile's own credentials, or refuses the profile. */
export const CREDENTIAL_KEYS =
  /^(?:aws_(?:access_key_id|secret_access_key|session_token|security_token)|credential_process|role_arn|source_profile|credential_source|web_identity_token_file|sso_\w+|login_session)$/;
