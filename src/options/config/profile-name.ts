/** Names of profiles that every tool finds in a credentials file. */
// Tests: test/output/credentials-file.test.ts

export const PROFILE_NAME_HINT = 'take letters, digits and any of - _ . @ + : /';

/**
 * Whether all tools find a profile of this name in a credentials file: `[DEFAULT]` gives values to every section, and the
 * other names that are refused are read differently.
 */
export function isCredentialsProfile(name: string): boolean {
  const isPlain = /^[^\s\p{C}[\]"'\\#;](?:[^\t-\r\p{C}[\]"'\\]*[^\s\p{C}[\]"'\\])?$/u.test(name);
  return isPlain && !/^(?:DEFAULT|__proto__|(?:profile|services|sso-session)\s.*)$/.test(name);
}
