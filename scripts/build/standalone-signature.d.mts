export function wrongPages(bytes: Buffer): number;
export function signedAdHoc(bytes: Buffer, identifier: string): Buffer;
