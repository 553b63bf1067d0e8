export declare function bundleStandalone(
  root: string,
  folder: string,
  version: string,
  constants: Readonly<Record<string, string>>,
): Promise<string[]>;
