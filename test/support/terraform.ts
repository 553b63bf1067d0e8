/** Where Terraform is, which neither Debian nor npm has. */
import { execFileSync } from 'node:child_process';

/** A mirror of its plugins (`terraform providers mirror DIR`); empty where none is named. */
export const TERRAFORM_MIRROR = process.env['ROLES_ANYWHERE_TERRAFORM_MIRROR'] ?? '';

/** Whether both are there. Nothing requires them: CI has no mirror. */
export function hasTerraform(): boolean {
  if (TERRAFORM_MIRROR === '') return false;
  try {
    execFileSync('terraform', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
